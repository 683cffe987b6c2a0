//! One lane: attempts, one after the other, as the plan says.

use wordhoard_model::{Fallback, Lane, ModelRef, Outcome};
use wordhoard_providers::{conversation_of, verbatim_of};

use super::Run;
use super::attempt::{self, Going};
use super::delivered::Delivered;
use super::plan::{self, Candidate, Next, Rules, Step, Why};
use super::readiness::{self, Ready};
use crate::calls::Ticket;
use crate::hub::AppendError;

/// How a lane came to its end in this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneEnd {
    /// Its last attempt ended for good.
    Ended,
    /// The server stopped under it; another one can go on.
    Stopped,
}

/// Runs a lane to its end: the model that was asked for, tries of it, and those that answer in its place.
pub(super) async fn run(run: &Run, lane: Lane) -> Result<LaneEnd, AppendError> {
    let mut delivered = before(run, lane).await;
    let mut ticket = run.going.tickets.take(lane);
    loop {
        let candidates = candidates(run, lane);
        let Next::Attempt(step) = next(run, lane, &candidates, &delivered) else {
            return Ok(LaneEnd::Ended);
        };
        let Some(candidate) = candidates.get(step.candidate) else { return Ok(LaneEnd::Ended) };
        let outcome = take(run, lane, &candidate.model, &step, ticket.take(), &mut delivered).await?;
        if outcome == Outcome::Interrupted {
            return Ok(LaneEnd::Stopped);
        }
    }
}

/// Takes one step. `Interrupted` where the server stops.
async fn take(
    run: &Run,
    lane: Lane,
    model: &ModelRef,
    step: &Step,
    ticket: Option<Ticket>,
    delivered: &mut Delivered,
) -> Result<Outcome, AppendError> {
    match readiness::wait(run, model, step.why, ticket).await? {
        Ready::Call { provider, turnstile, permit, passage } => {
            let metrics = run.engine.metrics.models.of_provider(&model.provider);
            match step.why {
                Why::Retry { .. } => metrics.retries.add(1),
                Why::Fallback { .. } => metrics.fallbacks.add(1),
                Why::First => {}
            }
            if !matches!(step.why, Why::Retry { .. }) {
                turnstile.note_call();
            }
            let beginning = step.continues.then(|| delivered.beginning()).flatten();
            metrics.continuations.add(u64::from(beginning.is_some()));
            let going = Going { provider, passage, beginning };
            let outcome = attempt::run(run, lane, model, going, delivered).await;
            drop(permit);
            outcome
        }
        Ready::NotCalled(failure) => attempt::note_uncalled(run, lane, model, Outcome::Failed, Some(failure)),
        Ready::Cancelled => attempt::note_uncalled(run, lane, model, Outcome::Cancelled, None),
        Ready::Stopped => Ok(Outcome::Interrupted),
    }
}

/// What the plan says, within the budget of retries.
fn next(run: &Run, lane: Lane, candidates: &[Candidate], delivered: &Delivered) -> Next {
    let settings = &run.engine.settings.calls.retry;
    let rules = Rules {
        max_retries: settings.max,
        longest_wait: settings.longest_wait,
        has_beginning: delivered.beginning().is_some(),
    };
    let state = run.live.state();
    let attempts: Vec<_> = state.attempts().iter().filter(|attempt| attempt.started.lane == lane).collect();
    let next = plan::next(&attempts, candidates, rules);
    let Next::Attempt(Step { candidate, why: Why::Retry { .. }, .. }) = &next else { return next };
    let turnstile =
        candidates.get(*candidate).and_then(|other| run.engine.turnstiles.get(&other.model.provider));
    if turnstile.is_none_or(|turnstile| turnstile.take_retry()) {
        return next;
    }
    plan::next(&attempts, candidates, Rules { max_retries: 0, ..rules })
}

/// The model that was asked for, and those that may answer in its place: of providers that are there and
/// enabled, and that its key allows.
fn candidates(run: &Run, lane: Lane) -> Vec<Candidate> {
    let engine = &run.engine;
    let created = run.live.created();
    let Some(spec) = created.lanes.get(usize::from(lane.0)) else { return Vec::new() };
    let queue = match &created.fallback {
        Fallback::Default => engine.settings.calls.fallback.as_slice(),
        Fallback::Off => &[],
        Fallback::Queue(models) => models.as_slice(),
    };
    let may_answer = |model: &&ModelRef| {
        engine.providers.get(&model.provider).is_some()
            && !engine.switches.is_disabled(&model.provider)
            && engine.key_allows(created.key, model)
    };
    // What only the first call could be told would be missing from the one that goes on.
    let is_placed = || conversation_of(&created.prompt).is_ok_and(|asked| asked.unplaced.is_empty());
    let can_go_on = verbatim_of(&created.prompt).is_none() || is_placed();
    let mut candidates: Vec<Candidate> = Vec::new();
    for model in std::iter::once(&spec.model).chain(queue.iter().filter(may_answer)) {
        if candidates.iter().all(|other| other.model != *model) {
            let capabilities =
                engine.providers.get(&model.provider).map(|provider| provider.capabilities(&model.model));
            candidates.push(Candidate {
                model: model.clone(),
                can_continue: can_go_on && capabilities.as_ref().is_some_and(|known| known.prefill.is_some()),
                context_window: capabilities.and_then(|known| known.context_window),
            });
        }
    }
    candidates
}

/// What earlier runs of the server have delivered. Where that cannot be read, the lane starts its answer anew.
async fn before(run: &Run, lane: Lane) -> Delivered {
    let state = run.live.state();
    if !state.attempts().iter().any(|attempt| attempt.started.lane == lane) {
        return Delivered::default();
    }
    match run.engine.transcript(run.live.id()).await {
        Ok(Some(transcript)) => Delivered::of_lane(&transcript, lane),
        Ok(None) => Delivered::default(),
        Err(error) => {
            tracing::warn!(request_id = %run.live.id(), lane = lane.0, %error, "what a lane has delivered cannot be read; its answer starts anew");
            Delivered::default()
        }
    }
}
