//! The dialect of OpenAI's "Create a model response".
//!
//! Source, where nothing else is named: <https://platform.openai.com/docs/api-reference/responses> and
//! `.../responses-streaming`.

mod answer;
mod behind_items;
mod calls;
mod client_input;
mod client_request;
mod decoder;
mod encoder;
mod event;
mod output;
mod own_fields;
mod pass_through;
mod plain_delta;
mod request;
mod tools;

/// What the id of a call begins with.
const CALL_ID_PREFIX: &str = "call_";

pub use answer::{decode_answer, encode_answer, encode_answer_for};
pub use behind_items::behind_items;
pub use client_request::decode_request;
pub use decoder::stream_decoder;
pub use encoder::{encode_state, stream_encoder, stream_encoder_for};
pub use pass_through::{passed_answer, passing_encoder};
pub(crate) use request::{encode_count, keep_counted};
pub use request::{encode_request, fields_of, items_of, repeated};

pub use crate::error_body::{classify_error, classify_error_body};
pub use crate::openai_chat::encode_error;
