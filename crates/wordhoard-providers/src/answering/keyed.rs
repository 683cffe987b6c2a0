//! Posts with the keys of a provider, one after the other, as long as each says that it has had enough.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use wordhoard_model::{Failure, FailureClass};
use wordhoard_wire::Dialect;

use super::head::{MAX_ERROR_BODY_BYTES, retry_hint};
use crate::key_ring::{KeyRing, Pick};
use crate::transport::{Post, Reply, Transport};

/// Posts with the first key that may be used. After a 429, and where the key is not accepted, the next one is tried at
/// once: nothing of an answer has come yet, and each key is tried only once.
pub(super) fn post(
    transport: Arc<dyn Transport>,
    keys: Arc<KeyRing>,
    dialect: Dialect,
    mut post: Post,
) -> BoxFuture<'static, Result<Reply, Failure>> {
    async move {
        let mut tried = Vec::new();
        loop {
            post.key = match keys.pick(&post.model) {
                Pick::Key(place) => place,
                Pick::Rest(left) => return Err(resting(left)),
            };
            let mut reply = transport.post(post.clone()).await?;
            tried.push(post.key);
            match reply.status {
                429 => {
                    let asked = retry_hint(&reply.headers).wait_ms().map(Duration::from_millis);
                    keys.rest(post.key, &post.model, asked);
                }
                401 => keys.refuse(post.key),
                // Google tells a key that is none by 400, and others one that may not any more by 403: what they say
                // beside it tells these from other faults.
                400 | 403 => {
                    let told = read_error(&mut reply).await;
                    let class =
                        dialect.classify_error(reply.status, &retry_hint(&reply.headers), &told).class;
                    if class != FailureClass::Unauthorized {
                        return Ok(reply);
                    }
                    keys.refuse(post.key);
                }
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

/// Reads the body as far as that of an error may go, and leaves it there to be read.
async fn read_error(reply: &mut Reply) -> Bytes {
    let mut told = BytesMut::new();
    while told.len() < MAX_ERROR_BODY_BYTES {
        match reply.body.next().await {
            Some(Ok(bytes)) => told.extend_from_slice(&bytes),
            // Half of an error is still one.
            Some(Err(_)) | None => break,
        }
    }
    let told = told.freeze();
    reply.body = stream::iter([Ok(told.clone())]).boxed();
    told
}

fn resting(left: Duration) -> Failure {
    let message = format!("the provider wants to be left alone for another {:.1} s", left.as_secs_f64());
    let retry_after_ms = Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    Failure { retry_after_ms, ..Failure::new(FailureClass::RateLimited, message) }
}
