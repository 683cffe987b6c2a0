//! The dialect of OpenAI's "Create chat completion", which most providers speak with small differences.
//!
//! Source, where nothing else is named: <https://platform.openai.com/docs/api-reference/chat> and
//! `.../chat-streaming`.

mod beside;
mod chunk;
mod client_request;
mod completion;
mod decoder;
mod encoder;
mod error;
mod options;
mod pass_through;
mod plain_chunk;
mod prompt;
mod request;
mod usage;

/// What the id of a call begins with.
const CALL_ID_PREFIX: &str = "call_";

pub use crate::error_body::{classify_error, classify_error_body};
pub use client_request::decode_request;
pub(crate) use client_request::{image_of_url, take_messages, url_of_image};
pub use completion::{WholeChoice, decode_answer, encode_answer, encode_answer_for, encode_choices};
pub use decoder::stream_decoder;
pub use encoder::{StreamEncoder, stream_encoder};
pub use error::encode_error;
pub(crate) use error::error_value;
pub(crate) use options::{tool_value, tools};
pub use pass_through::{passed_answer, passing_encoder};
pub(crate) use prompt::conversation_of;
pub use request::encode_request;
pub(crate) use request::messages;
pub(crate) use usage::own_tier;

/// The data of the event that ends a stream.
const DONE: &str = "[DONE]";
