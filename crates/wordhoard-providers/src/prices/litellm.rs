//! Prices as LiteLLM keeps them: `model_prices_and_context_window.json`, an object by model, in USD for one token.
//! <https://docs.litellm.ai/docs/provider_registration/add_model_pricing>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use wordhoard_model::{Price, Rates, ServiceTier};

use super::{Entry, PriceTable, PriceTableError};

/// The maker stands before a slash for some providers; these are asked by the name behind it.
const MAKERS: [&str; 6] = ["gemini/", "deepseek/", "mistral/", "xai/", "groq/", "cohere/"];

pub(super) fn read(text: &str) -> Result<PriceTable, PriceTableError> {
    let models: Map<String, Value> = serde_json::from_str(text)?;
    let mut entries = BTreeMap::new();
    for (name, written) in &models {
        let name = MAKERS.iter().find_map(|maker| name.strip_prefix(maker)).unwrap_or(name);
        let Some(price) = written.as_object().and_then(price).filter(|_| !name.contains('/')) else {
            continue;
        };
        let entry = Entry { price: Arc::new(price), is_for_dated_names: false };
        entries.entry(name.to_owned()).or_insert(entry);
    }
    match entries.is_empty() {
        true => Err(PriceTableError::Empty),
        false => Ok(PriceTable { version: String::new(), entries }),
    }
}

fn price(written: &Map<String, Value>) -> Option<Price> {
    let base = rates(written, "", "").filter(|base| base.input > 0)?;
    let lengths = written.keys().filter_map(|name| {
        let thousands = name.strip_prefix("input_cost_per_token_above_")?.strip_suffix("k_tokens")?;
        thousands.parse::<u64>().ok()
    });
    let mut above: Vec<(u64, Rates)> = lengths
        .filter_map(|thousands| {
            Some((thousands * 1_000, rates(written, &format!("_above_{thousands}k_tokens"), "")?))
        })
        .collect();
    above.sort_unstable_by_key(|(tokens, _)| *tokens);
    let tiers = [
        (ServiceTier::Flex, "_flex"),
        (ServiceTier::Priority, "_priority"),
        (ServiceTier::Batch, "_batches"),
    ];
    let tiers = tiers.into_iter().filter_map(|(tier, suffix)| Some((tier, rates(written, "", suffix)?)));
    Some(Price { base, above, tiers: tiers.collect() })
}

fn rates(written: &Map<String, Value>, above: &str, tier: &str) -> Option<Rates> {
    let micros = |name: &str| {
        let dollars = written.get(&format!("{name}{above}{tier}"))?.as_f64()?;
        (0.0..=1.0).contains(&dollars).then_some((dollars * 1e12).round() as u64)
    };
    let input = micros("input_cost_per_token")?;
    // Vectors have no output.
    let is_of_vectors = written.get("mode").and_then(Value::as_str) == Some("embedding");
    Some(Rates {
        input,
        cached_input: micros("cache_read_input_token_cost"),
        cache_write: micros("cache_creation_input_token_cost"),
        cache_write_1h: micros("cache_creation_input_token_cost_above_1hr"),
        output: micros("output_cost_per_token").or(is_of_vectors.then_some(0))?,
        audio_input: micros("input_cost_per_audio_token"),
        audio_output: micros("output_cost_per_audio_token"),
        image_input: micros("input_cost_per_image_token"),
        image_output: micros("output_cost_per_image_token"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_by_token_is_one_of_a_million() {
        let file = r#"{
            "sample_spec": {"input_cost_per_token": 0.0},
            "gpt-x": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06,
                "input_cost_per_token_above_200k_tokens": 5e-06, "output_cost_per_token_above_200k_tokens": 2e-05,
                "input_cost_per_token_flex": 1.25e-06, "output_cost_per_token_flex": 5e-06},
            "gemini/g": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06},
            "azure/gpt-x": {"input_cost_per_token": 9e-06, "output_cost_per_token": 9e-06},
            "no-output": {"input_cost_per_token": 1e-06}
        }"#;
        let table = PriceTable::read(file).unwrap();
        assert_eq!(table.models(), ["g", "gpt-x"]);
        let price = table.get("gpt-x").unwrap();
        assert_eq!((price.base.input, price.base.cached_input), (2_500_000, Some(1_250_000)));
        assert_eq!((price.above[0].0, price.above[0].1.output), (200_000, 20_000_000));
        assert_eq!(price.tiers[0].1.input, 1_250_000);
        assert!(matches!(PriceTable::read("{}"), Err(PriceTableError::Empty)));
        assert!(matches!(PriceTable::read("{"), Err(PriceTableError::Json(_))));
    }
}
