//! The dialect of OpenAI's "Create chat completion", which most providers speak with small differences.
//!
//! Towards a provider: [`encode_request`], [`StreamDecoder`], [`classify_error`]. Towards a client: [`ChatRequest`],
//! [`StreamEncoder`], [`encode_completion`]. Source, where nothing else is named:
//! <https://platform.openai.com/docs/api-reference/chat> and `.../chat-streaming`.

mod chat_request;
mod chunk;
mod completion;
mod decoder;
mod encoder;
mod error_body;
mod request;
mod tool_call;
mod usage;

pub use chat_request::{ChatRequest, InvalidRequest, StreamOptions};
pub use completion::encode_completion;
pub use decoder::{Limits, StreamDecoder};
pub use encoder::{AnswerHead, StreamEncoder};
pub use error_body::{classify_error, classify_error_body, encode_error};
pub use request::encode_request;
pub use tool_call::ToolCallPiece;

pub use crate::{Completion, Delta};

/// The data of the event that ends a stream.
const DONE: &str = "[DONE]";
