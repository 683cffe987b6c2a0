//! What models can do and cost, as data: known families, and over them what the configuration says of a model.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use wordhoard_model::{Capabilities, Prefill, Price};
use wordhoard_wire::Dialect;

use crate::prices;

/// What somebody says of a model; what is none is left as it was known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// How it goes on from the beginning of an answer; none inside where it cannot.
    pub prefill: Option<Option<Prefill>>,
    /// Whether it can call tools.
    pub tools: Option<bool>,
    /// Whether it takes images.
    pub images: Option<bool>,
    /// Whether it keeps to JSON schemas.
    pub json_schema: Option<bool>,
    /// Whether it can answer as a stream.
    pub stream: Option<bool>,
    /// In tokens.
    pub context_window: Option<u64>,
    /// In tokens.
    pub max_output_tokens: Option<u32>,
    /// What it costs.
    pub price: Option<Arc<Price>>,
}

/// The models of one provider.
#[derive(Debug)]
pub(crate) struct Catalogue {
    dialect: Dialect,
    declared: HashMap<String, Arc<Capabilities>>,
    /// Of a model that nobody knows.
    unknown: Arc<Capabilities>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    family: Vec<Family>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    prefix: String,
    /// The dialect in which it can go on from a beginning.
    dialect: Option<String>,
    prefill: Option<String>,
    tools: Option<bool>,
    images: Option<bool>,
    json_schema: Option<bool>,
    context_window: Option<u64>,
    max_output_tokens: Option<u32>,
    #[serde(default)]
    max_completion_tokens: bool,
    #[serde(default)]
    one_of_temperature_and_top_p: bool,
}

/// A family, with what its models can do.
struct KnownFamily {
    family: Family,
    /// In the dialect in which they go on from the beginning of an answer.
    at_home: Arc<Capabilities>,
    elsewhere: Arc<Capabilities>,
}

/// The longest prefix first.
static FAMILIES: LazyLock<Vec<KnownFamily>> = LazyLock::new(|| {
    // A test reads it too: what is shipped can be read.
    let data: Data =
        toml::from_str(include_str!("catalogue.toml")).unwrap_or_else(|_| Data { family: Vec::new() });
    let mut families: Vec<_> = data
        .family
        .into_iter()
        .map(|family| {
            let prefill = family.prefill.as_deref().and_then(Prefill::from_name);
            KnownFamily {
                at_home: Arc::new(family.capabilities(prefill)),
                elsewhere: Arc::new(family.capabilities(None)),
                family,
            }
        })
        .collect();
    families.sort_by_key(|known: &KnownFamily| std::cmp::Reverse(known.family.prefix.len()));
    families
});

impl Family {
    fn capabilities(&self, prefill: Option<Prefill>) -> Capabilities {
        let unknown = Capabilities::default();
        Capabilities {
            prefill,
            tools: self.tools.unwrap_or(unknown.tools),
            images: self.images.unwrap_or(unknown.images),
            json_schema: self.json_schema.unwrap_or(unknown.json_schema),
            stream: unknown.stream,
            context_window: self.context_window,
            max_output_tokens: self.max_output_tokens,
            max_completion_tokens: self.max_completion_tokens,
            one_of_temperature_and_top_p: self.one_of_temperature_and_top_p,
            price: None,
            is_price_declared: false,
        }
    }
}

impl Catalogue {
    pub(crate) fn new(dialect: Dialect, declared: &[(String, Declared)]) -> Self {
        let known = |(name, declared): &(String, Declared)| {
            let family = family_of(dialect, name);
            let base = family.map_or_else(Capabilities::default, |family| Capabilities::clone(&family));
            let base = Capabilities { price: prices::price_of(name), ..base };
            (name.clone(), Arc::new(declared.over(base)))
        };
        Self { dialect, declared: declared.iter().map(known).collect(), unknown: Arc::default() }
    }

    pub(crate) fn of(&self, model: &str) -> Arc<Capabilities> {
        if let Some(declared) = self.declared.get(model) {
            return Arc::clone(declared);
        }
        let known = family_of(self.dialect, model).unwrap_or_else(|| Arc::clone(&self.unknown));
        match prices::price_of(model) {
            None => known,
            price => Arc::new(Capabilities { price, ..Capabilities::clone(&known) }),
        }
    }
}

impl Declared {
    fn over(&self, base: Capabilities) -> Capabilities {
        Capabilities {
            prefill: self.prefill.unwrap_or(base.prefill),
            tools: self.tools.unwrap_or(base.tools),
            images: self.images.unwrap_or(base.images),
            json_schema: self.json_schema.unwrap_or(base.json_schema),
            stream: self.stream.unwrap_or(base.stream),
            context_window: self.context_window.or(base.context_window),
            max_output_tokens: self.max_output_tokens.or(base.max_output_tokens),
            max_completion_tokens: base.max_completion_tokens,
            one_of_temperature_and_top_p: base.one_of_temperature_and_top_p,
            is_price_declared: self.price.is_some(),
            price: self.price.clone().or(base.price),
        }
    }
}

fn family_of(dialect: Dialect, model: &str) -> Option<Arc<Capabilities>> {
    // OpenRouter and others put the maker before a slash.
    let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
    let known = FAMILIES.iter().find(|known| name.starts_with(&known.family.prefix))?;
    let is_at_home = known.family.dialect.as_deref() == Some(dialect.as_str());
    Some(Arc::clone(if is_at_home { &known.at_home } else { &known.elsewhere }))
}

#[cfg(test)]
mod tests {
    use wordhoard_model::Rates;

    use super::*;

    #[test]
    fn the_data_is_read_and_every_name_in_it_is_known() {
        let data: Data = toml::from_str(include_str!("catalogue.toml")).unwrap();
        assert_eq!(data.family.len(), FAMILIES.len());
        for family in &data.family {
            assert!(family.prefill.as_deref().is_none_or(|name| Prefill::from_name(name).is_some()));
            let is_known = |name: &str| Dialect::ALL.iter().any(|dialect| dialect.as_str() == name);
            assert!(family.dialect.as_deref().is_none_or(is_known), "{}", family.prefix);
        }
    }

    #[test]
    fn the_longest_prefix_counts_and_what_is_declared_counts_more() {
        let rates = Rates { input: 1_000_000, output: 2_000_000, ..Rates::default() };
        let declared = Declared { price: Some(Arc::new(Price::of(rates))), ..Declared::default() };
        let catalogue = Catalogue::new(Dialect::Anthropic, &[("claude-haiku-4-5".into(), declared)]);
        let of = |model: &str| catalogue.of(model);
        assert_eq!(of("gpt-4o-mini-2024-07-18").price.as_ref().unwrap().base.input, 150_000);
        assert_eq!(of("openai/gpt-4o").price.as_ref().unwrap().base.input, 2_500_000);
        assert_eq!(
            of("gpt-4o-some-other").price,
            None,
            "a price is never guessed by the beginning of a name"
        );
        assert!(of("o3").max_completion_tokens && !of("gpt-4o").max_completion_tokens);
        assert_eq!(of("claude-haiku-4-5").price.as_ref().unwrap().base.output, 2_000_000);
        assert_eq!(of("claude-haiku-4-5").prefill, Some(Prefill::Message));
        assert_eq!(of("claude-opus-4-6").prefill, None, "newer models refuse to go on");
        assert_eq!(*of("nobody-knows"), Capabilities::default());
        let elsewhere = Catalogue::new(Dialect::OpenAiChat, &[]);
        assert_eq!(elsewhere.of("anthropic/claude-haiku-4-5").prefill, None, "only in its own dialect");
    }
}
