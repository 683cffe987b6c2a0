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
mod plain_delta;
mod request;

pub use answer::{decode_answer, encode_answer};
pub use client_request::decode_request;
pub use decoder::stream_decoder;
pub use encoder::stream_encoder;
pub use error::encode_error;
pub use pass_through::{passed_answer, passing_encoder};
pub(crate) use request::encode_count;
pub use request::encode_request;

pub use crate::error_body::{classify_error, classify_error_body};

use wordhoard_model::FinishReason;

/// What the id of a call begins with.
const CALL_ID_PREFIX: &str = "toolu_";

/// The reason to stop, in the words of this dialect.
fn stop_reason(reason: Option<&FinishReason>) -> &'static str {
    match reason.map_or(FinishReason::STOP, |reason| &reason.0) {
        FinishReason::LENGTH => "max_tokens",
        FinishReason::TOOL_CALLS => "tool_use",
        FinishReason::CONTENT_FILTER => "refusal",
        _ => "end_turn",
    }
}
