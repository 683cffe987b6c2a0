//! What models cost.

use crate::{Cost, ServiceTier, Usage};

/// What a model costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// As usual.
    pub base: Rates,
    /// Of a request whose input has more than so many tokens, the fewest first.
    pub above: Vec<(u64, Rates)>,
    /// In a service tier where that has rates of its own.
    pub tiers: Vec<(ServiceTier, Rates)>,
}

/// What tokens cost, in micro-dollars (10⁻⁶ USD) for a million, that is pico-dollars for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of the prompt.
    pub input: u64,
    /// What of the prompt came from the provider's cache; as the rest of it if none.
    pub cached_input: Option<u64>,
    /// What of the prompt was written to the cache; as the rest of it if none.
    pub cache_write: Option<u64>,
    /// What was written there for an hour; as other writes if none.
    pub cache_write_1h: Option<u64>,
    /// Of the answer, reasoning included.
    pub output: u64,
    /// What of the prompt was sound; as the rest of it if none.
    pub audio_input: Option<u64>,
    /// What of the answer was sound; as the rest of it if none.
    pub audio_output: Option<u64>,
    /// What of the prompt was images; as the rest of it if none.
    pub image_input: Option<u64>,
    /// What of the answer was images; as the rest of it if none.
    pub image_output: Option<u64>,
}

impl Price {
    /// One that knows no tiers.
    pub fn of(base: Rates) -> Self {
        Self { base, ..Self::default() }
    }

    /// What an answer costs. Rounded to the nearest nano-dollar.
    pub fn cost_of(&self, usage: &Usage) -> Cost {
        self.rates_for(usage).cost_of(usage)
    }

    /// A tier goes before the length of the input: the vendors that have both publish no tier for long inputs, or one rate for
    /// all lengths in it.
    fn rates_for(&self, usage: &Usage) -> &Rates {
        let tier = usage.details.service_tier;
        let of_tier = self.tiers.iter().find(|(of, _)| Some(*of) == tier).map(|(_, rates)| rates);
        let above =
            self.above.iter().rev().find(|(tokens, _)| usage.input_tokens > *tokens).map(|(_, rates)| rates);
        of_tier.or(above).unwrap_or(&self.base)
    }
}

impl Rates {
    fn cost_of(&self, usage: &Usage) -> Cost {
        let details = &usage.details;
        // A part is never more than what is left of the whole, whatever a provider says.
        let mut rest = usage.input_tokens;
        let mut of_input = |part: Option<u64>| {
            let part = part.unwrap_or(0).min(rest);
            rest -= part;
            part
        };
        let cached = of_input(usage.cached_input_tokens);
        let written = of_input(details.cache_write_tokens);
        let written_1h = details.cache_write_1h_tokens.unwrap_or(0).min(written);
        let (audio, image) = (of_input(details.audio_input_tokens), of_input(details.image_input_tokens));
        let mut said = usage.output_tokens;
        let mut of_output = |part: Option<u64>| {
            let part = part.unwrap_or(0).min(said);
            said -= part;
            part
        };
        let (audio_said, image_said) =
            (of_output(details.audio_output_tokens), of_output(details.image_output_tokens));
        let write = self.cache_write.unwrap_or(self.input);
        let terms = [
            (rest, self.input),
            (cached, self.cached_input.unwrap_or(self.input)),
            (written - written_1h, write),
            (written_1h, self.cache_write_1h.unwrap_or(write)),
            (audio, self.audio_input.unwrap_or(self.input)),
            (image, self.image_input.unwrap_or(self.input)),
            (said, self.output),
            (audio_said, self.audio_output.unwrap_or(self.output)),
            (image_said, self.image_output.unwrap_or(self.output)),
        ];
        let picos: u128 = terms.iter().map(|(tokens, rate)| u128::from(*tokens) * u128::from(*rate)).sum();
        // SQL's integers are signed.
        Cost::from_nano_usd(i64::try_from((picos + 500) / 1_000).unwrap_or(i64::MAX).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UsageDetails;

    #[test]
    fn an_answer_costs_by_its_tokens_and_what_was_cached_costs_less() {
        // 2.50 and 10 dollars a million, 1.25 for what is cached.
        let rates =
            Rates { input: 2_500_000, cached_input: Some(1_250_000), output: 10_000_000, ..Rates::default() };
        let price = Price::of(rates);
        let usage = Usage { input_tokens: 1_000, output_tokens: 100, ..Usage::default() };
        assert_eq!(price.cost_of(&usage).to_string(), "0.0035");
        let half = Usage { cached_input_tokens: Some(500), ..usage };
        assert_eq!(price.cost_of(&half).to_string(), "0.002875");
        let all = Usage { input_tokens: u64::MAX, output_tokens: u64::MAX, ..Usage::default() };
        assert_eq!(price.cost_of(&all).nano_usd(), i64::MAX as u64);
        let one = Usage { input_tokens: 1, ..Usage::default() };
        assert_eq!(Price::of(Rates { input: 37_500, ..Rates::default() }).cost_of(&one).nano_usd(), 38);
    }

    #[test]
    fn tiers_and_lengths_have_rates_of_their_own() {
        let rates = |input| Rates { input, output: 2 * input, ..Rates::default() };
        let price = Price {
            base: rates(1_000_000),
            above: vec![(200_000, rates(2_000_000)), (500_000, rates(3_000_000))],
            tiers: vec![(ServiceTier::Flex, rates(500_000))],
        };
        let usage = |input_tokens, service_tier| Usage {
            input_tokens,
            details: UsageDetails { service_tier, ..UsageDetails::default() },
            ..Usage::default()
        };
        for (input, tier, expected) in [
            (200_000, None, "0.2"),
            (200_001, None, "0.400002"),
            (600_000, None, "1.8"),
            (100_000, Some(ServiceTier::Flex), "0.05"),
            (100_000, Some(ServiceTier::Priority), "0.1"),
        ] {
            assert_eq!(price.cost_of(&usage(input, tier)).to_string(), expected, "{input} {tier:?}");
        }
    }
}
