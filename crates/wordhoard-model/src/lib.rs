//! The vocabulary of Wordhoard: what a request is, what can happen to it, and in which order.
//!
//! Everything here is plain data and pure functions. Wire formats, SQL rows, WAL records and configuration have
//! types of their own and are converted to and from these.

mod capabilities;
mod conversation;
mod cost;
mod event;
mod failure;
mod fallback;
mod id;
mod key;
mod lane;
mod model_ref;
mod name_table;
mod price;
mod prompt;
mod state;
mod status;
mod time;
mod token;
mod transcript;
mod usage;

pub use capabilities::{Capabilities, Prefill};
pub use conversation::{
    Conversation, Image, Loss, Message, Part, ResponseFormat, Seal, Tool, ToolCall, ToolChoice, Unplaced,
};
pub use cost::Cost;
pub use event::{
    AttemptFinished, AttemptStarted, Continues, Event, EventBody, RequestCreated, RequestFinished, Rest,
};
pub use failure::{Failure, FailureClass};
pub use fallback::{Fallback, MAX_FALLBACK_MODELS};
pub use id::{AttemptSeq, Lane, ParseRequestIdError, RequestId, Seq, TokenIndex};
pub use key::{KeyId, KeyLimits, ModelPattern, ParseKeyIdError};
pub use lane::{LaneSpec, MAX_LANES};
pub use model_ref::{ModelRef, ParseModelRefError, ProviderName};
pub use price::{Price, Rates};
pub use prompt::{
    Idempotency, Invalid, MAX_PROMPT_CHARS, MAX_SYSTEM_MESSAGE_CHARS, ParameterKind, Parameters, Prompt,
    Rule, known_parameters, whole_number,
};
pub use state::{AttemptState, LaneState, RequestState, Violation};
pub use status::{FinishReason, Outcome, RequestStatus};
pub use time::Timestamp;
pub use token::{Token, TokenKind};
pub use transcript::{AttemptTranscript, Transcript};
pub use usage::{ServiceTier, Usage, UsageDetails};
