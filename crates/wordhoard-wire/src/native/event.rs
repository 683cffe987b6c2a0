use bytes::BufMut;
use serde::Serialize;
use serde_json::{Map, Value};
use wordhoard_model::{
    AttemptFinished, AttemptStarted, Event, EventBody, Lane, RequestCreated, RequestFinished, RequestId,
    Token,
};

use super::{ContinuesView, CostView, FailureView, UsageView};
use crate::sse;

/// Whose an attempt's events are.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// The lane that the attempt serves.
    pub lane: Lane,
    /// The model that it calls, as `provider:model`.
    pub model: &'a str,
}

/// Writes an event as Server-Sent Event: `id` is `seq`. `retry_ms` stands in the first event of a stream.
pub fn write_event(
    out: &mut impl BufMut,
    id: RequestId,
    event: &Event,
    label: Option<Label<'_>>,
    retry_ms: Option<u32>,
) {
    sse::write_event(
        out,
        Some(event.body.name()),
        Some(event.seq.0),
        retry_ms,
        &event_json(id, event, label),
    );
}

/// An event's JSON, on one line.
pub fn event_json(id: RequestId, event: &Event, label: Option<Label<'_>>) -> String {
    let seq = event.seq.0;
    let ts = event.at.to_string();
    let lane = label.map(|label| label.lane.0);
    let model = label.map(|label| label.model);
    match &event.body {
        EventBody::RequestCreated(created) => to_json(&CreatedView::of(id, seq, &ts, created)),
        EventBody::AttemptStarted(started) => to_json(&StartedView::of(seq, &ts, started)),
        EventBody::Token(token) => to_json(&TokenView::of(seq, &ts, lane, model, token)),
        EventBody::AttemptFinished(finished) => {
            to_json(&AttemptFinishedView::of(seq, &ts, lane, model, finished))
        }
        EventBody::RequestFinished(finished) => to_json(&RequestFinishedView::of(seq, &ts, finished)),
    }
}

fn to_json(view: &impl Serialize) -> String {
    // These views have string keys and no maps of ours, so they always serialize.
    serde_json::to_string(view).unwrap_or_default()
}

#[derive(Serialize)]
struct CreatedView<'a> {
    seq: u64,
    request_id: String,
    prompt: &'a str,
    system_message: Option<&'a str>,
    parameters: Map<String, Value>,
    models: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<Value>,
    ts: &'a str,
}

impl<'a> CreatedView<'a> {
    fn of(id: RequestId, seq: u64, ts: &'a str, created: &'a RequestCreated) -> Self {
        let prompt = &created.prompt;
        Self {
            seq,
            request_id: id.to_string(),
            prompt: &prompt.text,
            system_message: prompt.system_message.as_deref(),
            parameters: super::request::parameters(&prompt.parameters),
            models: created.lanes.iter().map(|lane| lane.model.to_string()).collect(),
            fallback: super::fallback(&created.fallback),
            ts,
        }
    }
}

#[derive(Serialize)]
struct StartedView<'a> {
    seq: u64,
    attempt_seq: u32,
    lane: u8,
    provider: &'a str,
    model: String,
    continues: Option<ContinuesView>,
    ts: &'a str,
}

impl<'a> StartedView<'a> {
    fn of(seq: u64, ts: &'a str, started: &'a AttemptStarted) -> Self {
        Self {
            seq,
            attempt_seq: started.attempt_seq.0,
            lane: started.lane.0,
            provider: started.model.provider.as_str(),
            model: started.model.to_string(),
            continues: started.continues.map(ContinuesView::of),
            ts,
        }
    }
}

#[derive(Serialize)]
struct TokenView<'a> {
    seq: u64,
    attempt_seq: u32,
    token_index: u64,
    lane: Option<u8>,
    model: Option<&'a str>,
    kind: &'static str,
    text: &'a str,
    ts: &'a str,
}

impl<'a> TokenView<'a> {
    fn of(seq: u64, ts: &'a str, lane: Option<u8>, model: Option<&'a str>, token: &'a Token) -> Self {
        Self {
            seq,
            attempt_seq: token.attempt_seq.0,
            token_index: token.token_index.0,
            lane,
            model,
            kind: token.kind.as_str(),
            text: &token.text,
            ts,
        }
    }
}

#[derive(Serialize)]
struct AttemptFinishedView<'a> {
    seq: u64,
    attempt_seq: u32,
    lane: Option<u8>,
    model: Option<&'a str>,
    status: &'static str,
    finish_reason: Option<&'a str>,
    /// The provider's own word for it, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_finish_reason: Option<&'a str>,
    usage: Option<UsageView>,
    cost: Option<CostView>,
    token_count: u64,
    answered_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<FailureView<'a>>,
    ts: &'a str,
}

impl<'a> AttemptFinishedView<'a> {
    fn of(
        seq: u64,
        ts: &'a str,
        lane: Option<u8>,
        model: Option<&'a str>,
        finished: &'a AttemptFinished,
    ) -> Self {
        Self {
            seq,
            attempt_seq: finished.attempt_seq.0,
            lane,
            model,
            status: finished.outcome.as_str(),
            finish_reason: finished.finish_reason.as_ref().map(|reason| reason.0.as_str()),
            provider_finish_reason: finished.provider_finish_reason.as_deref(),
            usage: finished.usage.map(UsageView::of),
            cost: finished.cost.map(CostView::of),
            token_count: finished.token_count,
            answered_by: finished.answered_by.as_deref(),
            error: finished.failure.as_ref().map(FailureView::of),
            ts,
        }
    }
}

#[derive(Serialize)]
struct RequestFinishedView<'a> {
    seq: u64,
    status: &'static str,
    lanes_completed: u32,
    attempt_count: u32,
    token_count: u64,
    usage: Option<UsageView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_usage: Option<UsageView>,
    cost: Option<CostView>,
    ts: &'a str,
}

impl<'a> RequestFinishedView<'a> {
    fn of(seq: u64, ts: &'a str, finished: &RequestFinished) -> Self {
        Self {
            seq,
            status: finished.outcome.as_str(),
            lanes_completed: finished.lanes_completed,
            attempt_count: finished.attempt_count,
            token_count: finished.token_count,
            usage: finished.usage.map(UsageView::of),
            failed_usage: finished.failed_usage.map(UsageView::of),
            cost: finished.cost.map(CostView::of),
            ts,
        }
    }
}

#[cfg(test)]
mod tests {
    use wordhoard_model::{AttemptSeq, Seq, Timestamp, TokenIndex, TokenKind};

    use super::*;

    #[test]
    fn a_token_is_written_as_the_specification_shows_it() {
        let (attempt_seq, token_index) = (AttemptSeq(2), TokenIndex(9));
        let text = " brown".into();
        let token = Token { attempt_seq, token_index, kind: TokenKind::Text, text, events: None };
        let event = Event { seq: Seq(17), at: Timestamp::from_millis(0), body: EventBody::Token(token) };
        let label = Label { lane: Lane(0), model: "openai:gpt-4o" };
        let mut out = Vec::new();
        write_event(&mut out, RequestId::from_bytes([0; 16]), &event, Some(label), Some(1000));
        let expected = "id: 17\nevent: token\nretry: 1000\ndata: {\"seq\":17,\"attempt_seq\":2,\"token_index\":9,\
                        \"lane\":0,\"model\":\"openai:gpt-4o\",\"kind\":\"text\",\"text\":\" brown\",\
                        \"ts\":\"1970-01-01T00:00:00.000Z\"}\n\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
