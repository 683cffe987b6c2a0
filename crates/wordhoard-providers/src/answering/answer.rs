use std::time::Duration;

use std::task::Poll;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, poll};
use tokio::time::{timeout, timeout_at};
use wordhoard_model::{Failure, FailureClass, Usage};
use wordhoard_wire::{AnswerRest, Completion, Dialect, Limits, StreamDecoder};

use super::alarm::Alarm;
use super::clock::Clock;
use super::head::{self, Head};
use crate::redaction::Redactor;
use crate::transport::{Reply, ReplyBody};
use crate::{AnswerPart, Broken, Pieces, TimeLimits};

/// How long the end of the body is awaited after the answer is complete, so that the connection can be used again.
const DRAIN_LIMIT: Duration = Duration::from_millis(200);

/// So many bytes are gathered before they are decoded, if they are there: as much as a frame of the log holds.
const GATHERED_BYTES: usize = 256 << 10;
/// And so many reads, each of which may bring nothing: the limits of time are looked at between two of such gatherings.
const GATHERED_READS: usize = 1_024;

/// One answer, from the call to its end.
pub(super) struct Answer {
    dialect: Dialect,
    limits: TimeLimits,
    redactor: Redactor,
    /// Whether events come with their deltas.
    keeps_events: bool,
    /// Decoded and not yet given. Whatever ends the answer comes after them.
    pending: Pieces,
    /// What the provider has counted, told already.
    told_usage: Option<Usage>,
    stage: Stage,
}

enum Stage {
    /// Nothing has happened yet.
    Called(BoxFuture<'static, Result<Reply, Failure>>),
    /// The head came, the body is being read.
    Streaming(Box<Streaming>),
    /// The answer is whole; the body's own end may still come.
    Complete(Box<Completion>, Option<ReplyBody>),
    /// The answer failed; its connection is closed.
    Failed(Broken),
    /// All was given; what is left of the body is read so that the connection can be used again.
    Draining(ReplyBody),
    /// All was given.
    Ended,
}

struct Streaming {
    body: ReplyBody,
    decoder: StreamDecoder,
    clock: Clock,
    alarm: Alarm,
    /// How the body ended, once it has.
    body_end: Option<Result<(), Failure>>,
    /// Whether the last read gave deltas, with which somebody may have been busy since.
    gave_deltas: bool,
}

impl Answer {
    pub(super) fn new(
        call: BoxFuture<'static, Result<Reply, Failure>>,
        dialect: Dialect,
        limits: TimeLimits,
        redactor: Redactor,
        keeps_events: bool,
    ) -> Box<Self> {
        Box::new(Self {
            dialect,
            limits,
            redactor,
            keeps_events,
            pending: Pieces::default(),
            told_usage: None,
            stage: Stage::Called(call),
        })
    }

    /// The next part, and the answer behind it; none after the end.
    pub(super) async fn next(mut self: Box<Self>) -> Option<(Result<AnswerPart, Broken>, Box<Self>)> {
        loop {
            if !self.pending.is_empty() {
                let pieces = std::mem::take(&mut self.pending);
                return Some((Ok(AnswerPart::Pieces(pieces)), self));
            }
            if let Stage::Streaming(streaming) = &self.stage
                && let Some(usage) = streaming.decoder.usage().filter(|usage| self.told_usage != Some(*usage))
            {
                self.told_usage = Some(usage);
                return Some((Ok(AnswerPart::Usage(usage)), self));
            }
            self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
                Stage::Called(call) => {
                    let Self { dialect, limits, keeps_events, pending, .. } = &mut *self;
                    begin(call, *dialect, *limits, *keeps_events, pending).await
                }
                Stage::Streaming(streaming) => streaming.read(&mut self.pending).await,
                Stage::Complete(completion, body) => {
                    self.stage = body.map_or(Stage::Ended, Stage::Draining);
                    return Some((Ok(AnswerPart::Completed(completion)), self));
                }
                Stage::Failed(Broken { failure, so_far }) => {
                    let failure = self.redactor.redact(failure);
                    return Some((Err(Broken { failure, so_far }), self));
                }
                Stage::Draining(mut body) => {
                    let rest = async { while let Some(Ok(_)) = body.next().await {} };
                    // Whether it ended in time or not, nothing of it matters any more.
                    timeout(DRAIN_LIMIT, rest).await.ok();
                    Stage::Ended
                }
                Stage::Ended => return None,
            };
        }
    }
}

/// Calls, and reads the head of the answer.
async fn begin(
    call: BoxFuture<'static, Result<Reply, Failure>>,
    dialect: Dialect,
    limits: TimeLimits,
    keeps_events: bool,
    pending: &mut Pieces,
) -> Stage {
    let mut clock = Clock::start(limits);
    let deadline = clock.deadline();
    let reply = match timeout_at(deadline.at, call).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(failure)) => return Stage::Failed(failure.into()),
        Err(_) => return Stage::Failed(deadline.failure().into()),
    };
    clock.saw_byte();
    match head::read(reply, dialect, clock.deadline(), clock.total()).await {
        Ok(Head::Stream(body)) => {
            let mut decoder = dialect.stream_decoder(Limits::default());
            if keeps_events {
                decoder.keep_events();
            }
            Stage::Streaming(Box::new(Streaming {
                body,
                decoder,
                alarm: Alarm::new(clock.deadline().at),
                clock,
                body_end: None,
                gave_deltas: true,
            }))
        }
        Ok(Head::Whole(document)) => {
            let decoded = dialect
                .decode_answer(&document, &mut pending.deltas)
                .map(|completion| Completion { rest: kept_document(keeps_events, &document), ..completion });
            match decoded {
                Ok(completion) => Stage::Complete(Box::new(completion), None),
                Err(failure) => Stage::Failed(failure.into()),
            }
        }
        Err(failure) => Stage::Failed(failure.into()),
    }
}

/// The answer as it came, for a client of its dialect.
fn kept_document(keeps: bool, document: &[u8]) -> AnswerRest {
    match str::from_utf8(document) {
        Ok(document) if keeps => AnswerRest::Document(document.into()),
        _ => AnswerRest::Nothing,
    }
}

/// A document that is no answer of a model, as a whole.
pub(super) async fn document(
    call: BoxFuture<'static, Result<Reply, Failure>>,
    dialect: Dialect,
    limits: TimeLimits,
) -> Result<Vec<u8>, Failure> {
    let clock = Clock::start(limits);
    let deadline = clock.deadline();
    let reply = timeout_at(deadline.at, call).await.map_err(|_| deadline.failure())??;
    match head::read(reply, dialect, deadline, clock.total()).await? {
        Head::Whole(document) => Ok(document),
        Head::Stream(_) => {
            Err(Failure::new(FailureClass::Malformed, "the provider sent a stream where none was asked for"))
        }
    }
}

impl Streaming {
    /// Reads until at least one piece is pending or the answer ends.
    async fn read(mut self: Box<Self>, pending: &mut Pieces) -> Stage {
        // Nobody had to take in an event without a delta: it is no reason to wait for the end for longer.
        if std::mem::take(&mut self.gave_deltas) {
            self.clock.wait();
        }
        let mut deadline = self.clock.deadline();
        // The limit is looked at before each read too: a timer alone never fires where bytes are always ready. Such
        // bytes must leave room for others on this thread as well.
        loop {
            match self.body_end.take() {
                Some(Ok(())) => return self.end_of_body(pending),
                Some(Err(failure)) => return self.end_or(failure),
                None if deadline.is_over() => return self.end_or(deadline.failure()),
                None => {}
            }
            tokio::task::consume_budget().await;
            let read = tokio::select! {
                biased;
                read = self.body.next() => read,
                () = self.alarm.until(deadline.at) => return self.end_or(deadline.failure()),
            };
            match read {
                Some(Ok(bytes)) => self.gather(&bytes).await,
                end => {
                    self.body_end = Some(end.transpose().map(drop));
                    continue;
                }
            }
            self.clock.saw_byte();
            deadline = self.clock.deadline();
            let before = pending.deltas.len();
            let decoded = self.decoder.decode(&mut pending.deltas);
            pending.events.append(&mut self.decoder.take_events());
            let says_more = pending.deltas.len() > before;
            if says_more {
                self.gave_deltas = true;
                self.clock.saw_token();
            }
            if self.decoder.has_finish_reason() {
                self.clock.saw_finish(self.decoder.has_all(), says_more);
                deadline = self.clock.deadline();
            }
            match decoded {
                Err(failure) => return self.failed(failure),
                Ok(()) if self.decoder.is_done() => return self.ended(),
                Ok(()) if !pending.is_empty() => return Stage::Streaming(self),
                Ok(()) => {}
            }
        }
    }

    /// Takes bytes in, and all that is there behind them. The connection hands on one chunk at a time, each by another task: so that
    /// one gets its turn, and only where it had nothing then, nothing is there.
    async fn gather(&mut self, first: &[u8]) {
        self.decoder.feed(first);
        let mut gathered_bytes = first.len();
        let mut had_its_turn = false;
        for _ in 0..GATHERED_READS {
            if gathered_bytes >= GATHERED_BYTES {
                return;
            }
            match poll!(self.body.next()) {
                Poll::Ready(Some(Ok(bytes))) => {
                    self.decoder.feed(&bytes);
                    gathered_bytes += bytes.len();
                    had_its_turn = false;
                }
                Poll::Ready(end) => {
                    self.body_end = Some(end.transpose().map(drop));
                    return;
                }
                Poll::Pending if had_its_turn => return,
                Poll::Pending => {
                    had_its_turn = true;
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn end_of_body(mut self: Box<Self>, pending: &mut Pieces) -> Stage {
        let taken = self.decoder.end_of_body(&mut pending.deltas);
        pending.events.append(&mut self.decoder.take_events());
        match taken {
            Ok(()) => ended(&self.decoder, None),
            Err(failure) => self.failed(failure),
        }
    }

    /// The end of an answer behind which nothing counts.
    fn ended(self: Box<Self>) -> Stage {
        let Self { decoder, body, body_end, .. } = *self;
        ended(&decoder, body_end.is_none().then_some(body))
    }

    fn failed(&self, failure: Failure) -> Stage {
        Stage::Failed(Broken { failure, so_far: Box::new(self.decoder.so_far()) })
    }

    /// The end after the connection broke or stood still: the answer is whole all the same where the provider has
    /// said why it stopped, for then only usage and `[DONE]` are missing.
    fn end_or(self: Box<Self>, failure: Failure) -> Stage {
        if self.decoder.has_finish_reason() { ended(&self.decoder, None) } else { self.failed(failure) }
    }
}

fn ended(decoder: &StreamDecoder, rest: Option<ReplyBody>) -> Stage {
    match decoder.finish() {
        Ok(completion) => Stage::Complete(Box::new(completion), rest),
        Err(failure) => Stage::Failed(Broken { failure, so_far: Box::new(decoder.so_far()) }),
    }
}

#[cfg(test)]
mod tests;
