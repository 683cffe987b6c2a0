use serde::Serialize;
use serde_json::{Map, Value};
use wordhoard_model::{AttemptState, AttemptTranscript, Lane, LaneState, Parameters, RequestId, Transcript};

use crate::recorded::{Recorded, given_parameters};

use super::{ContinuesView, CostView, FailureView, UsageView};

/// A request as one JSON document.
#[derive(Serialize)]
pub struct RequestView<'a> {
    request_id: String,
    status: &'static str,
    created_at: String,
    finished_at: Option<String>,
    prompt: &'a str,
    system_message: Option<&'a str>,
    parameters: Map<String, Value>,
    /// Fields of the request that its provider was not given, or in another form.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dropped_fields: Vec<String>,
    lanes: Vec<LaneView<'a>>,
    /// How many events there are; `starting_after` of the newest is one less.
    event_count: u64,
    token_count: u64,
    usage: Option<UsageView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_usage: Option<UsageView>,
    cost: Option<CostView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<Value>,
}

#[derive(Serialize)]
struct LaneView<'a> {
    lane: u8,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
    status: &'static str,
    text: String,
    attempts: Vec<AttemptView<'a>>,
}

#[derive(Serialize)]
struct AttemptView<'a> {
    attempt_seq: u32,
    model: String,
    status: &'static str,
    started_at: String,
    finished_at: Option<String>,
    text: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    refusal: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tool_calls: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    annotations: &'a [String],
    token_count: u64,
    finish_reason: Option<&'a str>,
    /// The provider's own word for it, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_finish_reason: Option<&'a str>,
    answered_by: Option<&'a str>,
    usage: Option<UsageView>,
    cost: Option<CostView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continues: Option<ContinuesView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<FailureView<'a>>,
}

/// A request, assembled.
pub fn request_view(id: RequestId, transcript: &Transcript) -> RequestView<'_> {
    let state = &transcript.state;
    let prompt = &transcript.created.prompt;
    let totals = state.closing();
    RequestView {
        request_id: id.to_string(),
        status: state.status().as_str(),
        created_at: state.created_at().to_string(),
        finished_at: state.finished().map(|(at, _)| at.to_string()),
        prompt: &prompt.text,
        system_message: prompt.system_message.as_deref(),
        parameters: parameters(&prompt.parameters),
        dropped_fields: Recorded::of(prompt).unwrap_or_default().dropped_fields,
        lanes: (0..state.lanes().len()).map(|lane| lane_view(transcript, Lane(lane as u8))).collect(),
        event_count: state.next_seq().0,
        token_count: totals.token_count,
        usage: totals.usage.map(UsageView::of),
        failed_usage: totals.failed_usage.map(UsageView::of),
        cost: totals.cost.map(CostView::of),
        fallback: super::fallback(&transcript.created.fallback),
    }
}

fn lane_view(transcript: &Transcript, lane: Lane) -> LaneView<'_> {
    let state = &transcript.state;
    let spec = &state.lanes()[usize::from(lane.0)];
    let attempts = state.attempts().iter().zip(&transcript.attempts);
    LaneView {
        lane: lane.0,
        model: spec.model.to_string(),
        weight: spec.weight,
        status: match state.lane(lane) {
            LaneState::Waiting | LaneState::Running(_) => "running",
            LaneState::Ended(_, outcome) => outcome.as_str(),
        },
        text: transcript.lane_text(lane),
        attempts: attempts
            .filter(|(attempt, _)| attempt.started.lane == lane)
            .map(|(attempt, texts)| attempt_view(attempt, texts))
            .collect(),
    }
}

fn attempt_view<'a>(attempt: &'a AttemptState, texts: &'a AttemptTranscript) -> AttemptView<'a> {
    let finished = attempt.finished.as_ref();
    let end = finished.map(|(_, end)| end);
    AttemptView {
        attempt_seq: attempt.started.attempt_seq.0,
        model: attempt.started.model.to_string(),
        status: end.map_or("running", |end| end.outcome.as_str()),
        started_at: attempt.started_at.to_string(),
        finished_at: finished.map(|(at, _)| at.to_string()),
        text: &texts.text,
        reasoning: &texts.reasoning,
        refusal: &texts.refusal,
        tool_calls: &texts.tool_calls,
        annotations: &texts.annotations,
        token_count: attempt.next_token_index.0,
        finish_reason: end.and_then(|end| end.finish_reason.as_ref()).map(|reason| reason.0.as_str()),
        provider_finish_reason: end.and_then(|end| end.provider_finish_reason.as_deref()),
        answered_by: end.and_then(|end| end.answered_by.as_deref()),
        usage: end.and_then(|end| end.usage).map(UsageView::of),
        cost: end.and_then(|end| end.cost).map(CostView::of),
        continues: attempt.started.continues.map(ContinuesView::of),
        error: end.and_then(|end| end.failure.as_ref()).map(FailureView::of),
    }
}

/// All parameters that were given, by their names in the request.
pub(super) fn parameters(parameters: &Parameters) -> Map<String, Value> {
    let mut all = given_parameters(parameters);
    if let Some(max_tokens) = parameters.max_tokens {
        all.insert("max_tokens".to_owned(), max_tokens.into());
    }
    if let Some(temperature) = parameters.temperature {
        all.insert("temperature".to_owned(), temperature.into());
    }
    all
}
