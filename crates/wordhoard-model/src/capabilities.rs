//! What a model can do and costs: data, not code, so that a new model needs no new server.

use std::sync::Arc;

use crate::Price;
use crate::name_table::name_table;

/// What a model can do, as far as the server has to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Capabilities {
    /// How it is made to go on from the beginning of an answer; none where it is not declared to be able to.
    pub prefill: Option<Prefill>,
    /// Whether it can call tools.
    pub tools: bool,
    /// Whether it takes images.
    pub images: bool,
    /// Whether it keeps to a JSON schema.
    pub json_schema: bool,
    /// Whether it can answer as a stream. One that cannot gives its answer whole.
    pub stream: bool,
    /// How many tokens prompt and answer may have together, where it is known.
    pub context_window: Option<u64>,
    /// The most tokens that an answer may have, where it is known. Where a dialect needs such a limit and the caller
    /// gives none, it is this.
    pub max_output_tokens: Option<u32>,
    /// Whether the limit of an answer is called `max_completion_tokens` in the chat dialect: OpenAI's reasoning models
    /// refuse the old name.
    pub max_completion_tokens: bool,
    /// Whether it refuses a temperature beside `top_p`.
    pub one_of_temperature_and_top_p: bool,
    /// What it costs, where it is known.
    pub price: Option<Arc<Price>>,
    /// Whether the configuration says what it costs.
    pub is_price_declared: bool,
}

/// How a model is made to go on from the beginning of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prefill {
    /// By a last message of the assistant.
    Message,
    /// By a last message of the assistant with `"prefix": true` (DeepSeek's beta, Mistral).
    Prefix,
    /// By a last message of the assistant, `continue_final_message` and no `add_generation_prompt` (vLLM, SGLang).
    ContinueFinalMessage,
}

name_table!(Prefill {
    Message => "message",
    Prefix => "prefix",
    ContinueFinalMessage => "continue_final_message",
});

/// A model of which nothing is known is taken to be able to do all, but not to go on from a beginning: the provider
/// says itself what it cannot.
impl Default for Capabilities {
    fn default() -> Self {
        Self {
            prefill: None,
            tools: true,
            images: true,
            json_schema: true,
            stream: true,
            context_window: None,
            max_output_tokens: None,
            max_completion_tokens: false,
            one_of_temperature_and_top_p: false,
            price: None,
            is_price_declared: false,
        }
    }
}
