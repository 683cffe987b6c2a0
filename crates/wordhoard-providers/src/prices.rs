//! What models cost, by their exact names: the table that comes with the server, and over it what an operator has put in its
//! place.

mod listing;
mod litellm;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

pub use self::listing::price_fields;
use parking_lot::RwLock;
use serde::Deserialize;
use wordhoard_model::{Price, Rates, ServiceTier};

/// What is above is no price of a million tokens.
const MAX_DOLLARS: f64 = 1e6;

/// The table that comes with the server.
static OWN: LazyLock<PriceTable> = LazyLock::new(|| {
    // The file is part of the program, and a test reads it.
    PriceTable::from_toml(include_str!("prices.toml")).unwrap_or_default()
});

/// The same with what an operator has put over it.
static OVER: RwLock<Option<Arc<PriceTable>>> = RwLock::new(None);

/// Prices by the exact names of models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceTable {
    /// The day of which it is, as its file says.
    pub version: String,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    price: Arc<Price>,
    is_for_dated_names: bool,
}

/// A table that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PriceTableError {
    /// It is no TOML of the form, with the place of the fault.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// It is no JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It holds no price.
    #[error("it holds no price")]
    Empty,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    version: String,
    #[serde(default)]
    price: Vec<FileEntry>,
}

/// The price, for the models that it is of.
#[derive(Deserialize)]
#[serde(try_from = "toml::Table")]
struct FileEntry {
    models: Vec<String>,
    dated: bool,
    price: DollarPrice,
}

impl TryFrom<toml::Table> for FileEntry {
    type Error = String;

    fn try_from(mut fields: toml::Table) -> Result<Self, String> {
        let models = fields.remove("models").ok_or("a price has no models")?;
        let models: Vec<String> = models.try_into().map_err(|error| format!("models: {error}"))?;
        let whose = models.join(", ");
        let dated = match fields.remove("dated") {
            None => false,
            Some(dated) => dated.as_bool().ok_or_else(|| format!("{whose}: dated must be true or false"))?,
        };
        let price: DollarPrice =
            fields.try_into().map_err(|error| format!("{whose}: {}", one_line(&error)))?;
        match price.is_sound() {
            true => Ok(Self { models, dated, price }),
            false => Err(format!("{whose}: a rate must be 0 or more dollars for a million tokens")),
        }
    }
}

fn one_line(error: &toml::de::Error) -> String {
    error.message().to_owned()
}

/// A price in USD for a million tokens, as files have it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DollarPrice {
    input: f64,
    cached_input: Option<f64>,
    cache_write: Option<f64>,
    cache_write_1h: Option<f64>,
    output: f64,
    audio_input: Option<f64>,
    audio_output: Option<f64>,
    image_input: Option<f64>,
    image_output: Option<f64>,
    #[serde(default)]
    above: Vec<Above>,
    flex: Option<DollarRates>,
    priority: Option<DollarRates>,
    batch: Option<DollarRates>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
struct Above {
    tokens: u64,
    rates: DollarRates,
}

impl TryFrom<toml::Table> for Above {
    type Error = String;

    fn try_from(mut fields: toml::Table) -> Result<Self, String> {
        let tokens = fields.remove("tokens").and_then(|tokens| tokens.as_integer());
        let tokens = tokens.and_then(|tokens| u64::try_from(tokens).ok()).ok_or("above needs tokens")?;
        let rates = fields.try_into().map_err(|error| format!("above: {}", one_line(&error)))?;
        Ok(Self { tokens, rates })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct DollarRates {
    input: f64,
    cached_input: Option<f64>,
    cache_write: Option<f64>,
    cache_write_1h: Option<f64>,
    output: f64,
    audio_input: Option<f64>,
    audio_output: Option<f64>,
    image_input: Option<f64>,
    image_output: Option<f64>,
}

/// What a model costs, where it is known. OpenRouter and others put the maker before a slash.
pub(crate) fn price_of(model: &str) -> Option<Arc<Price>> {
    let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
    match &*OVER.read() {
        Some(table) => table.get(name),
        None => OWN.get(name),
    }
}

/// Puts a table over the one that comes with the server, or takes it away.
pub fn put_over(table: Option<PriceTable>) {
    *OVER.write() = table.map(|table| Arc::new(OWN.clone().updated(&table)));
}

/// What a model costs by the tables, whatever the configuration says of it.
pub fn known_price(model: &str) -> Option<Arc<Price>> {
    price_of(model)
}

/// The table that comes with the server.
pub fn own_prices() -> &'static PriceTable {
    &OWN
}

impl PriceTable {
    /// Reads a file: TOML of our form, or the JSON in which LiteLLM keeps its prices.
    ///
    /// # Errors
    /// Where and how it is neither.
    pub fn read(text: &str) -> Result<Self, PriceTableError> {
        match text.trim_start().starts_with('{') {
            true => litellm::read(text),
            false => Self::from_toml(text),
        }
    }

    /// Reads a file of our form.
    ///
    /// # Errors
    /// Where and how it differs from that.
    pub fn from_toml(text: &str) -> Result<Self, PriceTableError> {
        let file: File = toml::from_str(text)?;
        let entry = |FileEntry { models, dated, price }| {
            let price = Arc::new(price.into_price());
            models
                .into_iter()
                .map(move |model| (model, Entry { price: Arc::clone(&price), is_for_dated_names: dated }))
        };
        let entries: BTreeMap<String, Entry> = file.price.into_iter().flat_map(entry).collect();
        match entries.is_empty() {
            true => Err(PriceTableError::Empty),
            false => Ok(Self { version: file.version, entries }),
        }
    }

    /// What a model costs, by its exact name, or by its name without a date where its entry allows that.
    pub fn get(&self, model: &str) -> Option<Arc<Price>> {
        if let Some(entry) = self.entries.get(model) {
            return Some(Arc::clone(&entry.price));
        }
        let entry = self.entries.get(without_date(model)?).filter(|entry| entry.is_for_dated_names)?;
        Some(Arc::clone(&entry.price))
    }

    /// The names of the models that have a price, in their order.
    pub fn models(&self) -> Vec<&str> {
        self.entries.keys().map(String::as_str).collect()
    }
}

/// The name before a date such as `-20251001` or `-2025-10-01`; none where it has none.
fn without_date(model: &str) -> Option<&str> {
    let are_digits = |text: &str, places: &[usize]| {
        let bytes = text.as_bytes();
        (0..bytes.len())
            .all(|at| if places.contains(&at) { bytes[at] == b'-' } else { bytes[at].is_ascii_digit() })
    };
    let before = |length: usize, dashes: &[usize]| {
        let (name, date) = model.split_at_checked(model.len().checked_sub(length)?)?;
        (are_digits(date, dashes) && !name.is_empty()).then_some(name)
    };
    before(9, &[0]).or_else(|| before(11, &[0, 5, 8]))
}

impl DollarPrice {
    /// The price, exact to the micro-dollar, in which prices are quoted.
    pub fn into_price(self) -> Price {
        let base = self.base().rates();
        let mut above: Vec<(u64, Rates)> =
            self.above.iter().map(|above| (above.tokens, above.rates.rates())).collect();
        above.sort_unstable_by_key(|(tokens, _)| *tokens);
        let tiers = [
            (ServiceTier::Flex, self.flex),
            (ServiceTier::Priority, self.priority),
            (ServiceTier::Batch, self.batch),
        ];
        let tiers = tiers.into_iter().filter_map(|(tier, rates)| Some((tier, rates?.rates()))).collect();
        Price { base, above, tiers }
    }

    fn base(&self) -> DollarRates {
        DollarRates {
            input: self.input,
            cached_input: self.cached_input,
            cache_write: self.cache_write,
            cache_write_1h: self.cache_write_1h,
            output: self.output,
            audio_input: self.audio_input,
            audio_output: self.audio_output,
            image_input: self.image_input,
            image_output: self.image_output,
        }
    }

    /// Whether every rate is a number of dollars.
    pub fn is_sound(&self) -> bool {
        let base = self.base();
        let all = std::iter::once(&base)
            .chain(self.above.iter().map(|above| &above.rates))
            .chain([&self.flex, &self.priority, &self.batch].into_iter().flatten());
        all.flat_map(DollarRates::all).all(|rate| (0.0..=MAX_DOLLARS).contains(&rate))
    }
}

impl DollarRates {
    fn rates(&self) -> Rates {
        // A negative one is none.
        let micros = |dollars: f64| (dollars.max(0.0) * 1e6).round() as u64;
        Rates {
            input: micros(self.input),
            cached_input: self.cached_input.map(micros),
            cache_write: self.cache_write.map(micros),
            cache_write_1h: self.cache_write_1h.map(micros),
            output: micros(self.output),
            audio_input: self.audio_input.map(micros),
            audio_output: self.audio_output.map(micros),
            image_input: self.image_input.map(micros),
            image_output: self.image_output.map(micros),
        }
    }

    fn all(&self) -> impl Iterator<Item = f64> {
        let parts = [
            self.cached_input,
            self.cache_write,
            self.cache_write_1h,
            self.audio_input,
            self.audio_output,
            self.image_input,
            self.image_output,
        ];
        [self.input, self.output].into_iter().chain(parts.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use wordhoard_model::{Usage, UsageDetails};

    use super::*;

    #[test]
    fn the_own_table_is_read_and_every_price_in_it_makes_sense() {
        let table = PriceTable::from_toml(include_str!("prices.toml")).unwrap();
        assert!(table.models().len() > 150);
        for model in table.models() {
            let base = table.get(model).unwrap().base;
            let is_of_vectors = model.contains("embed");
            assert!(base.input > 0 && (base.output >= base.input || is_of_vectors), "{model}: {base:?}");
            assert!(base.cached_input.is_none_or(|cached| cached <= base.input), "{model}");
            assert!(
                base.cache_write.is_none_or(|write| write >= base.input || base.cached_input.is_some()),
                "{model}"
            );
        }
    }

    #[test]
    fn only_exact_names_have_a_price_and_dated_ones_where_it_says_so() {
        let file = "[[price]]\nmodels = [\"a\"]\ndated = true\ninput = 1.0\noutput = 2.0\n\
                    [[price]]\nmodels = [\"b\"]\ninput = 1.0\noutput = 2.0\n";
        let table = PriceTable::from_toml(file).unwrap();
        let has = |model: &str| table.get(model).is_some();
        assert!(has("a") && has("a-20251001") && has("a-2025-10-01") && has("b"));
        assert!(!has("a-pro") && !has("a-2025") && !has("b-20251001") && !has("-20251001"));
        for wrong in [
            "input = 1.0",
            "input = 1.0\noutput = 2.0\ncached_imput = 1.0",
            "input = -1.0\noutput = 2.0",
            "input = nan\noutput = 2.0",
        ] {
            assert!(
                PriceTable::from_toml(&format!("[[price]]\nmodels = [\"a\"]\n{wrong}")).is_err(),
                "{wrong}"
            );
        }
        assert!(matches!(PriceTable::from_toml(""), Err(PriceTableError::Empty)));
    }

    /// Haiku 4.5, <https://platform.claude.com/docs/en/about-claude/pricing>: 1.00 USD a million, 0.10 read from the cache, 1.25 and
    /// 2.00 written for five minutes and an hour, 5.00 for output.
    #[test]
    fn each_part_of_a_usage_has_its_own_rate() {
        let usage = Usage {
            input_tokens: 10_000,
            output_tokens: 1_000,
            cached_input_tokens: Some(4_000),
            details: UsageDetails {
                cache_write_tokens: Some(3_000),
                cache_write_1h_tokens: Some(1_000),
                ..UsageDetails::default()
            },
            ..Usage::default()
        };
        // 3,000 at 1.00, 4,000 at 0.10, 2,000 at 1.25, 1,000 at 2.00, 1,000 at 5.00: .003 + .0004 + .0025 + .002 + .005
        assert_eq!(price_of("claude-haiku-4-5-20251001").unwrap().cost_of(&usage).to_string(), "0.0129");
    }
}
