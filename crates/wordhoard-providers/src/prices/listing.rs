//! Tables of prices as text: the file that holds one, a line for a person, and what differs between two.

use std::fmt::Write;

use wordhoard_model::{Price, Rates};

use super::PriceTable;

impl PriceTable {
    /// The table as a file of our form.
    pub fn to_toml(&self) -> String {
        let mut out = format!("version = {:?}\n", self.version);
        for (model, entry) in &self.entries {
            out.push_str(&format!("\n[[price]]\nmodels = [{model:?}]\n"));
            if entry.is_for_dated_names {
                out.push_str("dated = true\n");
            }
            out.push_str(&price_fields(&entry.price));
        }
        out
    }

    /// The price of a model in one line, in USD for a million tokens.
    pub fn line(model: &str, price: &Price) -> String {
        let mut line = format!("{model}:");
        for (name, dollars) in named(&price.base) {
            line.push_str(&format!(" {name} {dollars}"));
        }
        for (tokens, rates) in &price.above {
            write!(line, "; above {tokens} tokens input {}", dollars(rates.input)).ok();
            write!(line, " output {}", dollars(rates.output)).ok();
        }
        for (tier, rates) in &price.tiers {
            write!(line, "; {tier} input {} output {}", dollars(rates.input), dollars(rates.output)).ok();
        }
        line
    }

    /// What another table says otherwise of the models that both know, and which ones only it knows; a line each.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for model in other.models() {
            let Some(theirs) = other.get(model) else { continue };
            match self.get(model) {
                None => lines.push(format!("+ {}", Self::line(model, &theirs))),
                Some(ours) if ours != theirs => {
                    lines.push(format!("- {}", Self::line(model, &ours)));
                    lines.push(format!("+ {}", Self::line(model, &theirs)));
                }
                Some(_) => {}
            }
        }
        lines
    }

    /// This table, with what another says in the place of what it says itself.
    #[must_use]
    pub fn updated(mut self, other: &Self) -> Self {
        self.entries.extend(other.entries.clone());
        self.version.clone_from(&other.version);
        self
    }
}

/// A price as the fields of a TOML table, a line each.
pub fn price_fields(price: &Price) -> String {
    let mut out = String::new();
    for (name, dollars) in named(&price.base) {
        out.push_str(&format!("{name} = {dollars:?}\n"));
    }
    if !price.above.is_empty() {
        let of_length =
            |(tokens, rates): &(u64, Rates)| format!("{{ tokens = {tokens}, {} }}", inline(rates));
        let lengths: Vec<String> = price.above.iter().map(of_length).collect();
        out.push_str(&format!("above = [{}]\n", lengths.join(", ")));
    }
    for (tier, rates) in &price.tiers {
        out.push_str(&format!("{tier} = {{ {} }}\n", inline(rates)));
    }
    out
}

fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn named(rates: &Rates) -> impl Iterator<Item = (&'static str, f64)> {
    let all = [
        ("input", Some(rates.input)),
        ("cached_input", rates.cached_input),
        ("cache_write", rates.cache_write),
        ("cache_write_1h", rates.cache_write_1h),
        ("output", Some(rates.output)),
        ("audio_input", rates.audio_input),
        ("audio_output", rates.audio_output),
        ("image_input", rates.image_input),
        ("image_output", rates.image_output),
    ];
    all.into_iter().filter_map(|(name, micros)| Some((name, dollars(micros?))))
}

fn inline(rates: &Rates) -> String {
    let parts: Vec<String> = named(rates).map(|(name, dollars)| format!("{name} = {dollars:?}")).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_reads_back_and_its_differences_are_told() {
        let own = super::super::own_prices();
        let back = PriceTable::from_toml(&own.to_toml()).unwrap();
        assert_eq!(&back, own);
        assert!(own.differences(&back).is_empty());
        let other = "[[price]]\nmodels = [\"gpt-4o\", \"new\"]\ninput = 1.0\noutput = 2.0\n";
        let told = own.differences(&PriceTable::from_toml(other).unwrap());
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[2], "+ new: input 1 output 2");
    }
}
