//! Wire formats, sans-IO: bytes in, meaning out, and the other way round.
//!
//! What encodes for a client and what decodes from a provider stand side by side here, one module a dialect, so that
//! each can be tested against the other and fuzzed without a socket. Nothing here reads a clock, a socket or a file.

mod answer;
mod clean_text;
pub mod native;
pub mod openai_chat;
pub mod retry_hint;
pub mod sse;

pub use answer::{Completion, Delta};
pub use clean_text::one_line;
