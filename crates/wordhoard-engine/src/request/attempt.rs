//! One call to one provider, recorded from its start to its typed end.

use std::pin::pin;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, Continues, Cost, EventBody, Failure, FailureClass, Lane,
    ModelRef, Outcome, Prompt, RequestState, Rest, Token, TokenIndex, Usage, UsageDetails, Violation,
};
use wordhoard_providers::{
    AnswerStream, Broken, Call, Completion, Delta, Forwarded, Provider, Recorded, SealCollector, Verbatim,
    body_of, client_dialect_of, conversation_of, keep_those_of,
};

use super::Run;
use super::delivered::{Beginning, Delivered};
use super::frame::{Frame, Frames, Received};
use super::report::AttemptReport;
use crate::accounts::estimate;
use crate::calls::{Permit, Verdicts};
use crate::hub::{AppendError, LiveRequest};
use crate::tasks::TaskKind;

/// How an attempt came to its end.
enum End {
    Completed(Box<Completion>, Rest),
    Failed(Broken),
    Cancelled,
    ServerStopped,
}

/// All that a call needs.
pub(super) struct Going {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) permit: Permit,
    /// Where it goes on from an earlier answer.
    pub(super) beginning: Option<Beginning>,
}

/// What is left of the limit of an answer for the rest of it.
fn left_of(limit: u32, beginning: &Beginning) -> u32 {
    limit.saturating_sub(u32::try_from(beginning.token_count).unwrap_or(u32::MAX)).max(1)
}

/// Calls a model and records what it answers. What it delivers is added to what the lane has delivered.
pub(super) async fn run(
    run: &Run,
    lane: Lane,
    model: &ModelRef,
    going: Going,
    delivered: &mut Delivered,
) -> Result<Outcome, AppendError> {
    let Going { provider, mut permit, beginning } = going;
    let continues = beginning.as_ref().map(|beginning| beginning.continues);
    let attempt = start(&run.live, lane, model, continues)?;
    let mut report = AttemptReport::start(run, lane, attempt, model);
    let (mut answer, mut counted) = (None, None);
    let mut delivering = delivered.begin(continues);
    let end = match conversation_of(run.live.prompt()) {
        Ok(mut conversation) => {
            keep_those_of(&mut conversation, model.provider.as_str());
            if let Some(beginning) = &beginning {
                conversation.max_tokens = conversation.max_tokens.map(|limit| left_of(limit, beginning));
            }
            let call = Call {
                verbatim: verbatim_of(run.live.prompt()),
                // The events of an answer that continues another's are not its own, and several answers make one of ours.
                keeps_events: beginning.is_none() && run.live.created().lanes.len() == 1,
                answer_so_far: beginning.map(|beginning| beginning.text),
                credential: run.going.credential.clone(),
                ..Call::new(model.model.as_str(), Arc::new(conversation))
            };
            let answer = answer.insert(provider.answer(call));
            let mut recording = Recording {
                run,
                attempt,
                report: &mut report,
                permit: &mut permit,
                delivering: &mut delivering,
                seals: provider.dialect().map(|dialect| SealCollector::new(dialect, model.provider.as_str())),
                usage: None,
            };
            let end = recording.run(answer).await?;
            counted = recording.usage;
            if let Some(seals) = recording.seals {
                let (engine, key) = (&run.engine, run.live.created().key);
                engine.seals.keep(key, seals.finish(), engine.clock.now());
            }
            end
        }
        Err(error) => End::Failed(Failure::new(FailureClass::BadRequest, error.to_string()).into()),
    };
    delivered.take(delivering);
    match &end {
        End::Completed(..) => permit.end(Verdicts::SUCCESS, None),
        End::Failed(broken) => permit.end(Verdicts::of(&broken.failure), Some(&broken.failure)),
        End::Cancelled | End::ServerStopped => permit.end(Verdicts::NOTHING, None),
    }
    let mut finished = finished(attempt, end);
    let is_cut_by_us = finished.usage.is_some_and(|usage| usage.details.is_estimate);
    if finished.outcome != Outcome::Completed || is_cut_by_us {
        let token_count = run.live.token_count(attempt);
        finished.usage = best_known(finished.usage.or(counted), token_count, run.live.prompt());
    }
    finished.cost = cost(&*provider, model, &finished);
    report.finish(&finished);
    let outcome = finished.outcome;
    record_end(&run.live, finished)?;
    if let (Outcome::Completed, Some(mut rest)) = (outcome, answer) {
        // What may follow a whole answer says nothing more, but a connection whose body was read can be used again.
        let is_read = matches!(rest.next().now_or_never(), Some(None));
        if !is_read {
            run.engine.tasks.spawn(TaskKind::AnswerRest, async move { while rest.next().await.is_some() {} });
        }
    }
    Ok(outcome)
}

/// The request as its client sent it, with what goes along.
fn verbatim_of(prompt: &Prompt) -> Option<Verbatim> {
    let recorded = Recorded::of(prompt)?;
    Some(Verbatim {
        dialect: client_dialect_of(prompt)?,
        body: Arc::new(body_of(prompt)?.clone()),
        forwarded: Forwarded { headers: recorded.headers, query: recorded.query },
        kind: recorded.call,
    })
}

/// Records an attempt that ended before anybody was called, so that a reader sees why this model did not answer.
pub(super) fn note_uncalled(
    run: &Run,
    lane: Lane,
    model: &ModelRef,
    outcome: Outcome,
    failure: Option<Failure>,
) -> Result<Outcome, AppendError> {
    let attempt = start(&run.live, lane, model, None)?;
    let report = AttemptReport::start(run, lane, attempt, model);
    let finished = AttemptFinished { outcome, failure, ..finished(attempt, End::Cancelled) };
    report.finish(&finished);
    record_end(&run.live, finished)?;
    Ok(outcome)
}

fn start(
    live: &Arc<LiveRequest>,
    lane: Lane,
    model: &ModelRef,
    continues: Option<Continues>,
) -> Result<AttemptSeq, AppendError> {
    let event = live.append(|state| {
        let attempt_seq = state.next_attempt_seq();
        EventBody::AttemptStarted(Box::new(AttemptStarted {
            attempt_seq,
            lane,
            model: model.clone(),
            continues,
        }))
    })?;
    match &event.body {
        EventBody::AttemptStarted(started) => Ok(started.attempt_seq),
        other => Err(Violation::NotCreated(other.name()).into()),
    }
}

fn record_end(live: &Arc<LiveRequest>, finished: AttemptFinished) -> Result<(), AppendError> {
    let attempt = finished.attempt_seq;
    live.append(|state| {
        let token_count = token_count(state, attempt);
        EventBody::AttemptFinished(Box::new(AttemptFinished { token_count, ..finished }))
    })?;
    Ok(())
}

/// What a call consumed that did not come to its end: the provider's own counts as far as it told them, and at least what was
/// received. Without any token nothing is known of it.
fn best_known(told: Option<Usage>, token_count: u64, prompt: &Prompt) -> Option<Usage> {
    if token_count == 0 {
        return told;
    }
    let usage = told.unwrap_or_default();
    let input_tokens = match usage.input_tokens {
        0 => estimate::of_prompt(prompt),
        told => told,
    };
    Some(Usage {
        input_tokens,
        output_tokens: usage.output_tokens.max(token_count),
        details: UsageDetails { is_estimate: true, ..usage.details },
        ..usage
    })
}

/// What the answer cost, by the price of the model that really answered where that is known to be another one: a version of
/// the one that was asked for may cost something else, unless the configuration says what that costs.
fn cost(provider: &dyn Provider, model: &ModelRef, finished: &AttemptFinished) -> Option<Cost> {
    let asked = model.model.as_str();
    let of_asked = provider.capabilities(asked);
    let is_version = |answered: &&str| answered.starts_with(asked) && of_asked.is_price_declared;
    let another =
        finished.answered_by.as_deref().filter(|answered| *answered != asked && !is_version(answered));
    let price = another.and_then(|answered| provider.capabilities(answered).price.clone());
    let price = price.or_else(|| of_asked.price.clone())?;
    Some(price.cost_of(&finished.usage?))
}

/// Takes an answer in.
struct Recording<'r, 'a> {
    run: &'a Run,
    attempt: AttemptSeq,
    report: &'r mut AttemptReport<'a>,
    permit: &'r mut Permit,
    delivering: &'r mut Delivered,
    /// What the model has to get back with the calls that it makes; none of a provider without a dialect.
    seals: Option<SealCollector>,
    /// What the provider has counted so far.
    usage: Option<Usage>,
}

impl Recording<'_, '_> {
    /// Takes the answer in until it ends, or until somebody ends it.
    async fn run(&mut self, answer: &mut AnswerStream) -> Result<End, AppendError> {
        let run = self.run;
        let mut frames = Frames::new(answer);
        let mut broken = pin!(run.live.broken().cancelled());
        let mut cancelled = pin!(run.live.cancelled().cancelled());
        let mut stopping = pin!(run.engine.stop.cancelled());
        loop {
            let received = tokio::select! {
                biased;
                () = &mut broken => return Err(latched(run).await),
                () = &mut cancelled => return self.stopped(&mut frames, End::Cancelled).await,
                () = &mut stopping => return self.stopped(&mut frames, End::ServerStopped).await,
                received = frames.next() => received,
            };
            if let Some(end) = self.take(&mut frames, received).await? {
                return Ok(end);
            }
        }
    }

    /// Records what has come by now. An answer that was whole before anybody wanted it no more is whole.
    async fn stopped(&mut self, frames: &mut Frames<'_>, end: End) -> Result<End, AppendError> {
        while let Some(received) = frames.by_now() {
            if matches!(received, Received::Failed(_) | Received::Nothing) {
                break;
            }
            if let Some(end) = self.take(frames, received).await? {
                return Ok(end);
            }
        }
        Ok(end)
    }

    /// Takes in what has come. The end of the attempt, if it is one.
    async fn take(
        &mut self,
        frames: &mut Frames<'_>,
        received: Received,
    ) -> Result<Option<End>, AppendError> {
        match received {
            Received::Frame(frame) => self.record(frame).await,
            Received::Usage(usage) => {
                self.usage = Some(usage);
                Ok(None)
            }
            Received::Completed(mut completion) => {
                let rest = frames.rest(std::mem::take(&mut completion.rest));
                Ok(Some(End::Completed(completion, rest)))
            }
            Received::Failed(broken) => Ok(Some(End::Failed(broken))),
            Received::Nothing => {
                let reason = "the provider's stream ended without saying that the answer is whole";
                Ok(Some(End::Failed(Failure::new(FailureClass::Cut, reason).into())))
            }
        }
    }

    /// Records a frame. The end of the attempt where the log has no place for it.
    async fn record(&mut self, frame: Frame) -> Result<Option<End>, AppendError> {
        let Frame { deltas, mut events } = frame;
        if self.report.tokens(deltas.len()) {
            self.permit.first_token();
        }
        if let Some(seals) = &mut self.seals {
            deltas.iter().for_each(|delta| seals.take(delta.kind, &delta.text));
        }
        self.run.live.journal().has_room().await?;
        let attempt_seq = self.attempt;
        let recorded = self.run.live.append_all(|state| {
            let token = |(index, Delta { kind, text })| {
                let (token_index, events) = (TokenIndex(index), events.take());
                EventBody::Token(Token { attempt_seq, token_index, kind, text, events })
            };
            (token_count(state, attempt_seq)..).zip(deltas).map(token).collect()
        });
        match recorded {
            Ok(events) => {
                for event in &events {
                    if let EventBody::Token(token) = &event.body {
                        self.delivering.push(attempt_seq, token.token_index, token.kind, &token.text);
                    }
                }
                Ok(None)
            }
            Err(error @ AppendError::TooLarge { .. }) => {
                Ok(Some(End::Failed(Failure::new(FailureClass::Malformed, error.to_string()).into())))
            }
            Err(error) => Err(error),
        }
    }
}

/// Why the log cannot go on, as the log itself says it.
pub(super) async fn latched(run: &Run) -> AppendError {
    match run.live.journal().has_room().await {
        Err(error) => error.into(),
        Ok(()) => AppendError::Impossible("the request was broken off".into()),
    }
}

fn token_count(state: &RequestState, attempt: AttemptSeq) -> u64 {
    state.attempt(attempt).map_or(0, |attempt| attempt.next_token_index.0)
}

fn finished(attempt_seq: AttemptSeq, end: End) -> AttemptFinished {
    let bare = AttemptFinished {
        attempt_seq,
        outcome: Outcome::Cancelled,
        finish_reason: None,
        usage: None,
        cost: None,
        token_count: 0,
        answered_by: None,
        failure: None,
        rest: Rest::Nothing,
        provider_finish_reason: None,
    };
    match end {
        End::Completed(completion, rest) => AttemptFinished {
            outcome: Outcome::Completed,
            finish_reason: completion.finish_reason,
            provider_finish_reason: completion.provider_finish_reason,
            usage: completion.usage,
            answered_by: completion.answered_by,
            rest,
            ..bare
        },
        End::Failed(Broken { failure, so_far }) => AttemptFinished {
            outcome: Outcome::Failed,
            usage: so_far.usage,
            answered_by: so_far.answered_by,
            failure: Some(failure),
            ..bare
        },
        End::Cancelled => bare,
        End::ServerStopped => {
            AttemptFinished { outcome: Outcome::Interrupted, failure: Some(server_stopped()), ..bare }
        }
    }
}

/// What stands in an attempt that a stop or a crash of the server ended.
pub(crate) fn server_stopped() -> Failure {
    Failure::new(FailureClass::ServerStopped, "the server stopped while the answer was under way")
}
