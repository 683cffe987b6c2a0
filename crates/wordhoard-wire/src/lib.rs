//! Wire formats, sans-IO: bytes in, meaning out, and the other way round.
//!
//! What encodes for a client and what decodes from a provider stand side by side here, one module a dialect, so that
//! each can be tested against the other and fuzzed without a socket. Nothing here reads a clock, a socket or a file.
//! [`Dialect`] is the door to all of them.

mod answer;
pub mod anthropic;
#[cfg(feature = "any-bytes")]
pub mod any_bytes;
mod ask;
mod asked;
mod call_fragments;
mod call_order;
mod clean_text;
mod client_request;
pub mod cohere;
pub mod compaction;
mod dialect;
mod ending;
mod error_body;
mod field_kind;
mod fields;
pub mod gemini;
mod instructions;
mod json_depth;
mod logprobs;
pub mod native;
mod open_blocks;
pub mod openai_chat;
pub mod openai_responses;
mod pass_through;
mod plain_text;
mod provider_event;
mod recorded;
pub mod retry_hint;
mod said_so_far;
pub mod seals;
pub mod sse;
mod sse_data;
mod stream;
mod tolerant;
mod tool_call;
mod tool_shape;
mod value_rules;
mod verbatim;
mod whole;

pub use answer::{AnswerRest, Completion, Delta};
pub use ask::{Ask, CannotHonour, LeftOut, Unsupported};
pub use asked::Asked;
pub use clean_text::one_line;
pub use client_request::{ClientRequest, InvalidRequest};
pub use dialect::Dialect;
pub use field_kind::{FieldKind, FieldRow, rows as client_fields};
pub use provider_event::ProviderEvent;
pub use recorded::{CallKind, Recorded, body_of, call_of, client_dialect_of, conversation_of};
pub use seals::SealCollector;
pub use stream::{AnswerHead, EncodeStream, Limits, StreamDecoder};
pub use tool_call::ToolCallPiece;
