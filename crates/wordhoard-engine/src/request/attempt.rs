//! One call to one provider, recorded from its start to its typed end.

use std::sync::Arc;

use futures_util::StreamExt;
use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, EventBody, Failure, FailureClass, Lane, ModelRef, Outcome,
    RequestState, Token, TokenIndex, Violation,
};
use wordhoard_providers::{AnswerPart, AnswerStream, Broken, Call, Completion, Delta, conversation_of};

use super::Run;
use super::report::AttemptReport;
use crate::hub::{AppendError, LiveRequest};
use crate::tasks::TaskKind;

/// How an attempt came to its end.
enum End {
    Completed(Completion),
    Failed(Broken),
    Cancelled,
    ServerStopped,
}

pub(super) async fn run(run: &Run, lane: Lane, model: &ModelRef) -> Result<Outcome, AppendError> {
    let attempt = start(&run.live, lane, model)?;
    let mut report = AttemptReport::start(run, lane, attempt, model);
    let mut answer = None;
    let end = match run.providers.get(&model.provider) {
        Some(_) if run.switches.is_disabled(&model.provider) => {
            End::Failed(Failure::new(FailureClass::Unavailable, "the provider is disabled").into())
        }
        Some(provider) => match conversation_of(run.live.prompt()) {
            Ok(conversation) => {
                let call = Call::new(model.model.clone(), Arc::new(conversation));
                let answer = answer.insert(provider.answer(call));
                record_answer(run, attempt, answer, &mut report).await?
            }
            Err(error) => End::Failed(Failure::new(FailureClass::BadRequest, error.to_string()).into()),
        },
        None => {
            let message = format!("provider {:?} is not configured on this server", model.provider.as_str());
            End::Failed(Failure::new(FailureClass::Unavailable, message).into())
        }
    };
    let finished = finished(attempt, end);
    report.finish(&finished);
    let outcome = finished.outcome;
    run.live.append(|state| {
        let token_count = token_count(state, attempt);
        EventBody::AttemptFinished(AttemptFinished { token_count, ..finished })
    })?;
    if let (Outcome::Completed, Some(mut rest)) = (outcome, answer) {
        // What may follow a whole answer says nothing more, but a connection whose body was read can be used again.
        run.tasks.spawn(TaskKind::AnswerRest, async move { while rest.next().await.is_some() {} });
    }
    Ok(outcome)
}

fn start(live: &Arc<LiveRequest>, lane: Lane, model: &ModelRef) -> Result<AttemptSeq, AppendError> {
    let event = live.append(|state| {
        let attempt_seq = state.next_attempt_seq();
        EventBody::AttemptStarted(AttemptStarted { attempt_seq, lane, model: model.clone(), continues: None })
    })?;
    match &event.body {
        EventBody::AttemptStarted(started) => Ok(started.attempt_seq),
        other => Err(Violation::NotCreated(other.name()).into()),
    }
}

/// Takes the answer in until it ends, or until somebody ends it.
async fn record_answer(
    run: &Run,
    attempt: AttemptSeq,
    answer: &mut AnswerStream,
    report: &mut AttemptReport<'_>,
) -> Result<End, AppendError> {
    loop {
        let part = tokio::select! {
            biased;
            () = run.live.broken().cancelled() => return Err(latched(run).await),
            () = run.live.cancelled().cancelled() => return Ok(End::Cancelled),
            () = run.stop.cancelled() => return Ok(End::ServerStopped),
            part = answer.next() => part,
        };
        match part {
            Some(Ok(AnswerPart::Delta(Delta { kind, text }))) => {
                report.token();
                run.live.journal().has_room().await?;
                let recorded = run.live.append(|state| {
                    let token_index = TokenIndex(token_count(state, attempt));
                    EventBody::Token(Token { attempt_seq: attempt, token_index, kind, text })
                });
                match recorded {
                    Ok(_) => {}
                    Err(error @ AppendError::TooLarge { .. }) => {
                        return Ok(End::Failed(
                            Failure::new(FailureClass::Malformed, error.to_string()).into(),
                        ));
                    }
                    Err(error) => return Err(error),
                }
            }
            Some(Ok(AnswerPart::Completed(completion))) => return Ok(End::Completed(completion)),
            Some(Err(broken)) => return Ok(End::Failed(broken)),
            None => {
                let reason = "the provider's stream ended without saying that the answer is whole";
                return Ok(End::Failed(Failure::new(FailureClass::Cut, reason).into()));
            }
        }
    }
}

/// Why the log cannot go on, as the log itself says it.
async fn latched(run: &Run) -> AppendError {
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
    };
    match end {
        End::Completed(Completion { finish_reason, usage, answered_by }) => {
            AttemptFinished { outcome: Outcome::Completed, finish_reason, usage, answered_by, ..bare }
        }
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
