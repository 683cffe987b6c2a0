use futures_util::future::{self, BoxFuture};
use futures_util::{FutureExt, StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use tokio::time::{Duration, Instant, sleep, sleep_until};
use wordhoard_model::{Failure, FailureClass};

use super::script::{Script, Step, Steps, script_for};
use crate::Passage;
use crate::transport::{Endpoint, Post, Reply, ReplyBody, Transport};

/// Answers within this process, in the bytes that a real provider would send.
#[derive(Debug)]
pub(super) struct DemoTransport;

impl Transport for DemoTransport {
    fn post(&self, post: Post) -> BoxFuture<'static, Result<Reply, Failure>> {
        if post.endpoint == Endpoint::Embeddings {
            let body = br#"{"error": {"message": "the demo has no embeddings"}}"#.to_vec();
            return future::ready(Ok(refusal(404, None, body))).boxed();
        }
        async move {
            match script_for(&post.body) {
                Script::Refuse { status, retry_after_s, body } => Ok(refusal(status, retry_after_s, body)),
                Script::Stream { steps, interval } => Ok(Reply {
                    status: 200,
                    headers: content_type("text/event-stream"),
                    body: play(steps, interval),
                }),
                Script::Reset => Err(Failure::new(FailureClass::Connect, "the connection was reset")),
                Script::Silence => future::pending().await,
            }
        }
        .boxed()
    }

    fn pass_on(&self, _passage: Passage, _key: usize) -> BoxFuture<'static, Result<Reply, Failure>> {
        let body = br#"{"error": {"message": "the demo has nothing at this path"}}"#.to_vec();
        future::ready(Ok(refusal(404, None, body))).boxed()
    }
}

fn refusal(status: u16, retry_after_s: Option<u32>, body: Vec<u8>) -> Reply {
    let mut headers = content_type("application/json");
    if let Some(seconds) = retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    let body = stream::once(future::ready(Ok(body.into()))).boxed();
    Reply { status, headers, body }
}

fn content_type(kind: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))])
}

/// Gives the bytes at their times. Each token's time counts from the first one's, so that small delays do not add up.
fn play(steps: Steps, interval: Duration) -> ReplyBody {
    struct Stage {
        steps: Steps,
        due: Instant,
        interval: Duration,
    }
    async fn next(mut stage: Stage) -> Option<(Result<bytes::Bytes, Failure>, Stage)> {
        loop {
            // As fast as can be must still leave room for others on this thread.
            tokio::task::consume_budget().await;
            match stage.steps.next()? {
                Step::Token(bytes) => {
                    if stage.due > Instant::now() {
                        sleep_until(stage.due).await;
                    }
                    stage.due += stage.interval;
                    return Some((Ok(bytes), stage));
                }
                Step::Bytes(bytes) => return Some((Ok(bytes), stage)),
                Step::Wait(pause) => {
                    sleep(pause).await;
                    stage.due = Instant::now();
                }
                Step::Break => {
                    stage.steps = Box::new(std::iter::empty());
                    let failure = Failure::new(FailureClass::Cut, "the connection broke in mid-answer");
                    return Some((Err(failure), stage));
                }
                Step::Hang => future::pending().await,
            }
        }
    }
    let stage = Stage { steps, due: Instant::now() + interval, interval };
    stream::unfold(stage, next).boxed()
}
