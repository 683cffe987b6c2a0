//! The native dialect: a request's events as Server-Sent Events, and a request as one JSON document.
//!
//! Source of the shapes: SPEC FD 1. Every event carries `seq` and `ts`; an event of an attempt names its lane and model,
//! so that a reader who begins in the middle needs nothing from before.

mod event;
mod request;

pub use event::{Label, event_json, write_event};
pub use request::{RequestView, request_view};

use serde::Serialize;
use serde_json::{Map, Value};
use wordhoard_model::{Continues, Cost, Failure, Fallback, Usage};

#[derive(Serialize)]
struct UsageView {
    input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_input_tokens: Option<u64>,
    #[serde(flatten)]
    details: Map<String, Value>,
}

impl UsageView {
    fn of(usage: Usage) -> Self {
        let Usage { input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, details } = usage;
        Self {
            input_tokens,
            output_tokens,
            reasoning_tokens,
            cached_input_tokens,
            details: details.to_json(),
        }
    }
}

#[derive(Serialize)]
struct ContinuesView {
    attempt_seq: u32,
    token_index: u64,
}

impl ContinuesView {
    fn of(continues: Continues) -> Self {
        Self { attempt_seq: continues.attempt_seq.0, token_index: continues.token_index.0 }
    }
}

#[derive(Serialize)]
struct CostView {
    usd: f64,
}

impl CostView {
    fn of(cost: Cost) -> Self {
        Self { usd: cost.usd() }
    }
}

/// The `fallback` of a request as its caller may write it: false, or a list of models. None where the configuration
/// decides.
fn fallback(fallback: &Fallback) -> Option<Value> {
    match fallback {
        Fallback::Default => None,
        Fallback::Off => Some(false.into()),
        Fallback::Queue(models) => Some(models.iter().map(ToString::to_string).collect()),
    }
}

#[derive(Serialize)]
struct FailureView<'a> {
    class: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl<'a> FailureView<'a> {
    fn of(failure: &'a Failure) -> Self {
        Self {
            class: failure.class.as_str(),
            message: &failure.message,
            provider_status: failure.provider_status,
            retry_after_ms: failure.retry_after_ms,
        }
    }
}
