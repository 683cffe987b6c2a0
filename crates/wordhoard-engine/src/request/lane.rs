//! One lane: attempts, one after the other, as the plan says.

use std::cell::LazyCell;

use wordhoard_model::{Fallback, Lane, ModelRef, Outcome};
use wordhoard_providers::{call_of, client_dialect_of, conversation_of};

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
        let Some(turn) = next(run, lane, &candidates, &delivered) else { return Ok(LaneEnd::Ended) };
        let outcome = take(run, lane, &turn, ticket.take(), &mut delivered).await?;
        if outcome == Outcome::Interrupted {
            return Ok(LaneEnd::Stopped);
        }
    }
}

/// What a lane does next.
pub(super) struct Turn {
    pub(super) model: ModelRef,
    pub(super) step: Step,
    /// Whether another model can answer in the place of this one: then nobody waits for it.
    pub(super) has_alternative: bool,
    /// Whether the budget of retries has to be waited for.
    pub(super) waits_for_budget: bool,
}

/// Takes one step. `Interrupted` where the server stops.
async fn take(
    run: &Run,
    lane: Lane,
    turn: &Turn,
    ticket: Option<Ticket>,
    delivered: &mut Delivered,
) -> Result<Outcome, AppendError> {
    let (model, step) = (&turn.model, &turn.step);
    match readiness::wait(run, turn, ticket).await? {
        Ready::Call { provider, gate, permit } => {
            let metrics = run.engine.metrics.models.of_provider(&model.provider);
            match step.why {
                Why::Retry { .. } => metrics.retries.add(1),
                Why::Fallback { .. } => metrics.fallbacks.add(1),
                Why::First => {}
            }
            if !matches!(step.why, Why::Retry { .. }) {
                gate.note_call();
            }
            let beginning = step.continues.then(|| delivered.beginning()).flatten();
            metrics.continuations.add(u64::from(beginning.is_some()));
            attempt::run(run, lane, model, Going { provider, permit, beginning }, delivered).await
        }
        Ready::NotCalled(failure) => attempt::note_uncalled(run, lane, model, Outcome::Failed, Some(failure)),
        Ready::Cancelled => attempt::note_uncalled(run, lane, model, Outcome::Cancelled, None),
        Ready::Stopped => Ok(Outcome::Interrupted),
    }
}

/// What the plan says, within the budget of retries: where that is exhausted, another model answers, and where there is none,
/// the retry waits for it (SPEC FD 2).
fn next(run: &Run, lane: Lane, candidates: &[Candidate], delivered: &Delivered) -> Option<Turn> {
    let settings = &run.engine.settings.calls.retry;
    let rules = Rules {
        max_retries: settings.max,
        longest_wait: settings.longest_wait,
        has_beginning: delivered.beginning().is_some(),
    };
    let state = run.live.state();
    let attempts: Vec<_> = state.attempts().iter().filter(|attempt| attempt.started.lane == lane).collect();
    let Next::Attempt(mut step) = plan::next(&attempts, candidates, rules) else { return None };
    let gate = |step: &Step| run.engine.gates.get(&candidates.get(step.candidate)?.model.provider);
    let is_retry = matches!(step.why, Why::Retry { .. });
    let mut waits_for_budget = is_retry && gate(&step).is_some_and(|gate| !gate.take_retry());
    if waits_for_budget
        && let Next::Attempt(other) = plan::next(&attempts, candidates, Rules { max_retries: 0, ..rules })
    {
        (step, waits_for_budget) = (other, false);
    }
    let model = candidates.get(step.candidate)?.model.clone();
    let has_alternative = plan::has_alternative(&attempts, candidates, step.candidate);
    Some(Turn { model, step, has_alternative, waits_for_budget })
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
    // A provider of the client's own dialect gets the beginning behind the request as it came; another one can continue only
    // what a conversation holds.
    let own_dialect = client_dialect_of(&created.prompt);
    // Nor has a document of vectors a rest that could be asked for.
    let is_answer = call_of(&created.prompt).is_answer();
    // Read only where somebody asks.
    let is_placed =
        LazyCell::new(|| conversation_of(&created.prompt).is_ok_and(|asked| !asked.loses_meaning()));
    let mut candidates: Vec<Candidate> = Vec::new();
    for model in std::iter::once(&spec.model).chain(queue.iter().filter(may_answer)) {
        if candidates.iter().all(|other| other.model != *model) {
            let provider = engine.providers.get(&model.provider);
            let capabilities = provider.map(|provider| provider.capabilities(&model.model));
            let is_own =
                own_dialect.is_some() && provider.and_then(|provider| provider.dialect()) == own_dialect;
            let prefills = capabilities.as_ref().is_some_and(|known| known.prefill.is_some());
            candidates.push(Candidate {
                model: model.clone(),
                can_continue: prefills && is_answer && (is_own || *is_placed),
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
