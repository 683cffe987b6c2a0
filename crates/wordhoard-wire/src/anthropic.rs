//! The dialect of Anthropic's "Create a message".
//!
//! Source, where nothing else is named: <https://docs.anthropic.com/en/api/messages> and
//! <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

mod answer;
mod client_messages;
mod client_request;
mod client_tools;
mod decoder;
mod encoder;
mod error;
mod event;
mod pass_through;
mod request;

pub use answer::{decode_answer, encode_answer};
pub use client_request::decode_request;
pub use decoder::stream_decoder;
pub use encoder::stream_encoder;
pub use error::encode_error;
pub use pass_through::{passed_answer, passing_encoder};
pub use request::encode_request;
pub(crate) use request::{encode_count, takes_stop};

pub use crate::error_body::{classify_error, classify_error_body};

use wordhoard_model::{Failure, FinishReason};

/// The reason to stop in the words of the chat dialect; a failure where it is no way to complete. Other words are kept
/// (`pause_turn`: the model wants to go on in another turn).
fn finish_reason(stop_reason: &str) -> Result<FinishReason, Failure> {
    Ok(FinishReason(match stop_reason {
        "end_turn" | "stop_sequence" => FinishReason::STOP.to_owned(),
        "max_tokens" | "model_context_window_exceeded" => FinishReason::LENGTH.to_owned(),
        "tool_use" => "tool_calls".to_owned(),
        "refusal" => return Err(crate::stream::filtered("refusal")),
        other => crate::one_line(other, 64),
    }))
}

/// The counterpart of [`finish_reason`].
fn stop_reason(reason: Option<&FinishReason>) -> &str {
    match reason.map_or(FinishReason::STOP, |reason| &reason.0) {
        FinishReason::STOP => "end_turn",
        FinishReason::LENGTH => "max_tokens",
        "tool_calls" => "tool_use",
        FinishReason::CONTENT_FILTER => "refusal",
        other => other,
    }
}
