//! Posts with the keys of a provider, one after the other, as long as each says that it has had enough.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use wordhoard_model::{Failure, FailureClass};
use wordhoard_wire::Dialect;

use super::head::{MAX_ERROR_BODY_BYTES, retry_hint};
use crate::key_ring::{KeyRing, Pick};
use crate::transport::{Post, Reply, ReplyBody, Transport};

/// Posts with the first key that may be used. Where the key is limited, not accepted or has no credit, the next one is tried at
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
                Pick::Resting(resting) => return Err(resting.into_failure()),
            };
            let mut reply = transport.post(post.clone()).await?;
            tried.push(post.key);
            if (200..300).contains(&reply.status) {
                keys.accept(post.key, &post.model);
                return Ok(reply);
            }
            if !MAY_CONCERN_KEY.contains(&reply.status) {
                return Ok(reply);
            }
            let body = read_error(&mut reply.body).await;
            reply.body = stream::iter([Ok(body.clone())]).boxed();
            let failure = dialect.classify_error(reply.status, &retry_hint(&reply.headers), &body);
            match failure.class {
                // OpenAI answers 429 where a quota is used up, which may be that of one model: it rests the key for this model
                // alone, as every 429 (SPEC FD 2).
                FailureClass::OutOfCredit if reply.status != 429 => keys.rest_for_credit(post.key, failure),
                FailureClass::RateLimited | FailureClass::OutOfCredit => {
                    keys.rest(post.key, &post.model, failure);
                }
                FailureClass::Unauthorized => keys.refuse(post.key),
                FailureClass::ProviderOverloaded => {
                    keys.rest_model(&post.model, failure);
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

/// The statuses that may concern the key, or the model for all keys. Google answers a key that is none with 400, and others one
/// that may not any more, or has no credit, with 400 or 403: the body says which it is.
const MAY_CONCERN_KEY: [u16; 7] = [400, 401, 402, 403, 429, 503, 529];

/// Reads the body as far as that of an error may go.
pub(super) async fn read_error(body: &mut ReplyBody) -> Bytes {
    let mut told = BytesMut::new();
    while told.len() < MAX_ERROR_BODY_BYTES {
        match body.next().await {
            Some(Ok(bytes)) => told.extend_from_slice(&bytes),
            // Half of an error is still one.
            Some(Err(_)) | None => break,
        }
    }
    told.freeze()
}
