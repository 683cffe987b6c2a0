use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{FutureExt, future, stream};
use http::HeaderMap;
use tokio::time::{Instant, sleep};
use wordhoard_model::FailureClass;

use super::*;

const LIMITS: TimeLimits = TimeLimits {
    connect: Duration::from_millis(100),
    first_token: Duration::from_millis(300),
    between_bytes: Duration::from_millis(200),
    total: Duration::from_secs(5),
};
const TOKEN: &[u8] = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
const EMPTY: &[u8] =
    b": ka\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const END: &[u8] =
    b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// An answer whose head comes after that time.
fn answer(head_after: Duration, body: ReplyBody) -> Box<Answer> {
    let call = async move {
        sleep(head_after).await;
        Ok(Reply { status: 200, headers: HeaderMap::new(), body })
    };
    Answer::new(call.boxed(), Dialect::OpenAiChat, LIMITS, Redactor::default(), false)
}

/// Bytes, each after its pause.
fn pieces(pieces: Vec<(u64, &'static [u8])>) -> ReplyBody {
    stream::iter(pieces)
        .then(|(pause_ms, bytes)| async move {
            sleep(Duration::from_millis(pause_ms)).await;
            Ok(Bytes::from_static(bytes))
        })
        .boxed()
}

/// The number of deltas, the class of the end, and the time it took in milliseconds.
async fn outcome(answer: Box<Answer>) -> (usize, Option<FailureClass>, u128) {
    let started = Instant::now();
    let parts: Vec<_> = stream::unfold(answer, Answer::next).collect().await;
    let deltas = parts.iter().map(|part| match part {
        Ok(AnswerPart::Pieces(pieces)) => pieces.deltas.len(),
        _ => 0,
    });
    let class = parts.last().unwrap().as_ref().err().map(|broken| broken.failure.class);
    (deltas.sum(), class, started.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn first_token_limit_counts_from_the_last_byte() {
    let first = Some(FailureClass::FirstTokenTimeout);
    let silent = answer(Duration::from_millis(200), stream::pending().boxed());
    assert_eq!(outcome(silent).await, (0, first, 500));
    let never = answer(Duration::from_millis(301), pieces(vec![(0, TOKEN)]));
    assert_eq!(outcome(never).await, (0, first, 300));
    // Pings are signs of life.
    let mut thinking = vec![(250, EMPTY); 8];
    thinking.extend([(299, TOKEN), (0, END)]);
    assert_eq!(outcome(answer(Duration::ZERO, pieces(thinking))).await, (1, None, 2_299));
}

#[tokio::test(start_paused = true)]
async fn stall_limit_counts_from_the_last_byte() {
    let steady = answer(Duration::ZERO, pieces(vec![(190, TOKEN), (190, EMPTY), (190, TOKEN), (190, END)]));
    assert_eq!(outcome(steady).await, (2, None, 760));
    let stalled =
        answer(Duration::ZERO, pieces(vec![(100, TOKEN), (100, EMPTY)]).chain(stream::pending()).boxed());
    assert_eq!(outcome(stalled).await, (1, Some(FailureClass::StallTimeout), 400));
}

#[tokio::test(start_paused = true)]
async fn the_total_limit_ends_what_never_pauses() {
    let endless = answer(Duration::ZERO, pieces(vec![(101, TOKEN); 1_000]));
    assert_eq!(outcome(endless).await, (49, Some(FailureClass::TotalTimeout), 5_000));
}

#[tokio::test(start_paused = true)]
async fn the_readers_own_slowness_is_no_stall() {
    let mut answer = answer(Duration::ZERO, pieces(vec![(10, TOKEN), (150, TOKEN), (10, END)]));
    for _ in 0..2 {
        let (part, rest) = answer.next().await.unwrap();
        assert!(matches!(part, Ok(AnswerPart::Pieces(_))));
        answer = rest;
        sleep(LIMITS.between_bytes * 2).await;
    }
    assert_eq!(outcome(answer).await.1, None);
}

/// In real time: a paused clock stands still while there is work, and here there always is.
#[tokio::test]
async fn endless_pings_end_by_the_total_limit() {
    let flood = stream::repeat_with(|| Ok(Bytes::from_static(EMPTY))).boxed();
    let call = async move { Ok(Reply { status: 200, headers: HeaderMap::new(), body: flood }) };
    let limits = TimeLimits { total: Duration::from_millis(300), ..LIMITS };
    let answer = Answer::new(call.boxed(), Dialect::OpenAiChat, limits, Redactor::default(), false);
    assert_eq!(outcome(answer).await.1, Some(FailureClass::TotalTimeout));
}

#[tokio::test(start_paused = true)]
async fn the_body_is_read_to_its_end_after_the_answer_but_not_for_long() {
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    let last = stream::once(async move {
        sleep(Duration::from_millis(50)).await;
        flag.store(true, Ordering::Relaxed);
        Ok(Bytes::new())
    });
    let late_end = answer(Duration::ZERO, pieces(vec![(0, TOKEN), (0, END)]).chain(last).boxed());
    assert_eq!(outcome(late_end).await, (1, None, 50));
    assert!(ended.load(Ordering::Relaxed));
    let no_end = answer(Duration::ZERO, pieces(vec![(0, TOKEN), (0, END)]).chain(stream::pending()).boxed());
    assert_eq!(outcome(no_end).await, (1, None, DRAIN_LIMIT.as_millis()));
}

#[tokio::test(start_paused = true)]
async fn a_reason_that_comes_too_late_does_not_hold_up_the_failure() {
    let call = async {
        Ok(Reply {
            status: 503,
            headers: HeaderMap::new(),
            body: pieces(vec![(10, b"busy"), (10_000, b"!")]),
        })
    };
    let answer = Answer::new(call.boxed(), Dialect::OpenAiChat, LIMITS, Redactor::default(), false);
    let (part, _) = answer.next().await.unwrap();
    let broken = part.unwrap_err();
    assert_eq!(
        (broken.failure.class, broken.failure.message.as_str()),
        (FailureClass::ProviderError, "busy")
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_returns_ends_by_the_first_limit_that_is_over() {
    let mut limits = LIMITS;
    limits.total = Duration::from_millis(250);
    let answer =
        Answer::new(future::pending().boxed(), Dialect::OpenAiChat, limits, Redactor::default(), false);
    assert_eq!(outcome(answer).await, (0, Some(FailureClass::TotalTimeout), 250));
}
