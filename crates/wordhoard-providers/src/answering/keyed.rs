//! Posts with the keys of a provider, one after the other, as long as each says that it has had enough.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use wordhoard_model::{Failure, FailureClass};

use super::head::retry_hint;
use crate::key_ring::{KeyRing, Pick};
use crate::transport::{Post, Reply, Transport};

/// Posts with the first key that may be used. After a 429 or a 401 the next one is tried at once: nothing of an answer
/// has come yet, and each key is tried only once.
pub(super) fn post(
    transport: Arc<dyn Transport>,
    keys: Arc<KeyRing>,
    mut post: Post,
) -> BoxFuture<'static, Result<Reply, Failure>> {
    async move {
        let mut tried = Vec::new();
        loop {
            post.key = match keys.pick(&post.model) {
                Pick::Key(place) => place,
                Pick::Rest(left) => return Err(resting(left)),
            };
            let reply = transport.post(post.clone()).await?;
            tried.push(post.key);
            match reply.status {
                429 => {
                    let asked = retry_hint(&reply.headers).wait_ms().map(Duration::from_millis);
                    keys.rest(post.key, &post.model, asked);
                }
                401 => keys.refuse(post.key),
                200..=299 => {
                    keys.accept(post.key, &post.model);
                    return Ok(reply);
                }
                _ => return Ok(reply),
            }
            // The last key's refusal is the answer.
            match keys.pick(&post.model) {
                Pick::Key(next) if !tried.contains(&next) => {}
                _ => return Ok(reply),
            }
        }
    }
    .boxed()
}

fn resting(left: Duration) -> Failure {
    let message = format!("the provider wants to be left alone for another {:.1} s", left.as_secs_f64());
    let retry_after_ms = Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    Failure { retry_after_ms, ..Failure::new(FailureClass::RateLimited, message) }
}
