//! What a model can do and costs: data, not code, so that a new model needs no new server.

use crate::name_table::name_table;
use crate::{Cost, Usage};

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
    pub price: Option<Price>,
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

/// What a model costs, in micro-dollars (10⁻⁶ USD) for a million tokens, that is pico-dollars for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// For the prompt.
    pub input: u64,
    /// For what of the prompt came from the provider's cache; as the rest of the prompt if none.
    pub cached_input: Option<u64>,
    /// For the answer, reasoning included.
    pub output: u64,
}

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
        }
    }
}

impl Price {
    /// What an answer costs. Rounded to the nearest nano-dollar.
    pub fn cost_of(&self, usage: &Usage) -> Cost {
        let cached = usage.cached_input_tokens.unwrap_or(0).min(usage.input_tokens);
        let terms = [
            (usage.input_tokens - cached, self.input),
            (cached, self.cached_input.unwrap_or(self.input)),
            (usage.output_tokens, self.output),
        ];
        let picos: u128 = terms.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(*price)).sum();
        // SQL's integers are signed.
        Cost::from_nano_usd(i64::try_from((picos + 500) / 1_000).unwrap_or(i64::MAX).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_costs_by_its_tokens_and_what_was_cached_costs_less() {
        // 2.50 and 10 dollars a million, 1.25 for what is cached.
        let price = Price { input: 2_500_000, cached_input: Some(1_250_000), output: 10_000_000 };
        let usage = Usage { input_tokens: 1_000, output_tokens: 100, ..Usage::default() };
        assert_eq!(price.cost_of(&usage).to_string(), "0.0035");
        let half = Usage { cached_input_tokens: Some(500), ..usage };
        assert_eq!(price.cost_of(&half).to_string(), "0.002875");
        let all = Usage { input_tokens: u64::MAX, output_tokens: u64::MAX, ..Usage::default() };
        assert_eq!(price.cost_of(&all).nano_usd(), i64::MAX as u64);
        let one = Usage { input_tokens: 1, ..Usage::default() };
        assert_eq!(Price { input: 37_500, ..Price::default() }.cost_of(&one).nano_usd(), 38);
    }
}
