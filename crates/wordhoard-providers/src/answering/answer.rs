use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tokio::time::{timeout, timeout_at};
use wordhoard_model::{Failure, FailureClass, Usage};
use wordhoard_wire::{AnswerRest, Completion, Delta, Dialect, Limits, StreamDecoder};

use super::alarm::Alarm;
use super::clock::Clock;
use super::head::{self, Head};
use crate::redaction::Redactor;
use crate::transport::{Reply, ReplyBody};
use crate::{AnswerPart, Broken, TimeLimits};

/// How long the end of the body is awaited after the answer is complete, so that the connection can be used again.
const DRAIN_LIMIT: Duration = Duration::from_millis(200);

/// Parts of an answer that came together.
pub(super) type Parts = Vec<Result<AnswerPart, Broken>>;

/// One answer, from the call to its end.
pub(super) struct Answer {
    dialect: Dialect,
    limits: TimeLimits,
    redactor: Redactor,
    /// Whether events come with their deltas.
    keeps_events: bool,
    /// Decoded and not yet given. Whatever ends the answer comes after them.
    pending: Vec<AnswerPart>,
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
            pending: Vec::new(),
            told_usage: None,
            stage: Stage::Called(call),
        })
    }

    /// The next parts, all that one read brought, and the answer after them; none after the end.
    pub(super) async fn next(mut self: Box<Self>) -> Option<(Parts, Box<Self>)> {
        loop {
            if !self.pending.is_empty() {
                return Some((self.pending.drain(..).map(Ok).collect(), self));
            }
            if let Stage::Streaming(streaming) = &self.stage
                && let Some(usage) = streaming.decoder.usage().filter(|usage| self.told_usage != Some(*usage))
            {
                self.told_usage = Some(usage);
                return Some((vec![Ok(AnswerPart::Usage(usage))], self));
            }
            self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
                Stage::Called(call) => {
                    let Self { dialect, limits, keeps_events, pending, .. } = &mut *self;
                    begin(call, *dialect, *limits, *keeps_events, pending).await
                }
                Stage::Streaming(streaming) => streaming.read(&mut self.pending).await,
                Stage::Complete(completion, body) => {
                    self.stage = body.map_or(Stage::Ended, Stage::Draining);
                    return Some((vec![Ok(AnswerPart::Completed(completion))], self));
                }
                Stage::Failed(Broken { failure, so_far }) => {
                    let failure = self.redactor.redact(failure);
                    return Some((vec![Err(Broken { failure, so_far })], self));
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
    pending: &mut Vec<AnswerPart>,
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
                gave_deltas: true,
            }))
        }
        Ok(Head::Whole(document)) => {
            let mut deltas = Vec::new();
            let decoded = dialect
                .decode_answer(&document, &mut deltas)
                .map(|completion| Completion { rest: kept_document(keeps_events, &document), ..completion });
            pending.extend(deltas.into_iter().map(AnswerPart::Delta));
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
    /// Reads until at least one delta is pending or the answer ends.
    async fn read(mut self: Box<Self>, pending: &mut Vec<AnswerPart>) -> Stage {
        // Nobody had to take in an event without a delta: it is no reason to wait for the end for longer.
        if std::mem::take(&mut self.gave_deltas) {
            self.clock.wait();
        }
        let mut deadline = self.clock.deadline();
        let mut deltas = Vec::new();
        // The limit is looked at before each read too: a timer alone never fires where bytes are always ready. Such
        // bytes must leave room for others on this thread as well.
        while !deadline.is_over() {
            tokio::task::consume_budget().await;
            let read = tokio::select! {
                biased;
                read = self.body.next() => read,
                () = self.alarm.until(deadline.at) => break,
            };
            let pushed = match read {
                None => return self.end_of_body(pending),
                Some(Err(failure)) => return self.end_or(failure),
                Some(Ok(bytes)) => {
                    self.clock.saw_byte();
                    deadline = self.clock.deadline();
                    self.decoder.push(&bytes, &mut deltas)
                }
            };
            let says_more = !deltas.is_empty();
            if says_more {
                self.clock.saw_token();
            }
            self.give(&mut deltas, pending);
            if self.decoder.has_finish_reason() {
                self.clock.saw_finish(self.decoder.has_all(), says_more);
                deadline = self.clock.deadline();
            }
            match pushed {
                Err(failure) => return self.failed(failure),
                Ok(()) if self.decoder.is_done() => return ended(&self.decoder, Some(self.body)),
                Ok(()) if !pending.is_empty() => return Stage::Streaming(self),
                Ok(()) => {}
            }
        }
        self.end_or(deadline.failure())
    }

    /// Gives on what was decoded: each event, where it is kept, then the deltas that came out of it.
    fn give(&mut self, deltas: &mut Vec<Delta>, pending: &mut Vec<AnswerPart>) {
        self.gave_deltas |= !deltas.is_empty();
        let mut deltas = deltas.drain(..).map(AnswerPart::Delta);
        for event in self.decoder.take_events() {
            let count = event.delta_count;
            pending.push(AnswerPart::Event(event));
            pending.extend(deltas.by_ref().take(count));
        }
        pending.extend(deltas);
    }

    fn end_of_body(mut self: Box<Self>, pending: &mut Vec<AnswerPart>) -> Stage {
        let mut deltas = Vec::new();
        let taken = self.decoder.end_of_body(&mut deltas);
        self.give(&mut deltas, pending);
        match taken {
            Ok(()) => ended(&self.decoder, None),
            Err(failure) => self.failed(failure),
        }
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
