//! Which models a prompt goes to: those the caller names, or those the rules select by its content.

use std::collections::BTreeMap;

use wordhoard_model::{ModelRef, ProviderName};

use crate::config::{Config, ProviderConfig, Rule, SelectionConfig};

/// Models that are selected where the caller names none.
const SELECTED: usize = 3;
/// Prompts longer than this count as long (SPEC FD 1).
const LONG_CHARS: usize = 1_000;
/// Words that make a prompt one about code, or one that asks for reasoning.
const CODING_WORDS: &[&str] = &[
    "api",
    "bug",
    "class",
    "code",
    "compile",
    "compiler",
    "debug",
    "function",
    "javascript",
    "python",
    "regex",
    "rust",
    "sql",
    "stacktrace",
    "typescript",
    "unittest",
];
const REASONING_WORDS: &[&str] = &[
    "analyze", "analyse", "compare", "derive", "evaluate", "explain", "logic", "prove", "reason", "solve",
    "why",
];

/// The models that can be asked for.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    providers: Vec<ProviderConfig>,
    aliases: BTreeMap<String, ModelRef>,
    selection: SelectionConfig,
}

impl Catalogue {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            providers: config.providers.clone(),
            aliases: config.aliases.clone(),
            selection: config.selection.clone(),
        }
    }

    /// The model that a text names: `provider:model`, an alias, or a bare name that exactly one provider lists.
    pub(crate) fn resolve(&self, text: &str) -> Result<ModelRef, String> {
        if let Some(model) = self.aliases.get(text) {
            return Ok(model.clone());
        }
        if text.contains(':') {
            return self.check(text.parse().map_err(|error| format!("{error}"))?);
        }
        let listing: Vec<_> = self.providers.iter().filter(|provider| provider.lists(text)).collect();
        match listing.as_slice() {
            [provider] => ModelRef::new(provider.name.clone(), text).map_err(|error| error.to_string()),
            [] => Err(format!("{text:?} is no alias, and no provider lists it: write provider:model")),
            several => {
                let names: Vec<_> =
                    several.iter().map(|provider| format!("{}:{text}", provider.name)).collect();
                Err(format!("{text:?} is listed by several providers: write one of {}", names.join(", ")))
            }
        }
    }

    /// All names that callers may use for a model, with what each stands for: the aliases, and the models that the
    /// providers list.
    pub(crate) fn names(&self) -> Vec<(String, ModelRef)> {
        let aliases = self.aliases.iter().map(|(alias, model)| (alias.clone(), model.clone()));
        aliases.chain(self.listed().into_iter().map(|model| (model.to_string(), model))).collect()
    }

    /// The providers that list no models, and take any name.
    pub(crate) fn providers_of_any_model(&self) -> Vec<&str> {
        let any = self.providers.iter().filter(|provider| provider.models.is_empty());
        any.map(|provider| provider.name.as_str()).collect()
    }

    /// Whether the model's provider is there, and lists the model if it lists any.
    pub(crate) fn check(&self, model: ModelRef) -> Result<ModelRef, String> {
        let Some(provider) = self.providers.iter().find(|provider| provider.name == model.provider) else {
            let names: Vec<_> = self.providers.iter().map(|provider| provider.name.as_str()).collect();
            let provider = model.provider.as_str();
            return Err(format!("there is no active provider {provider:?}; there are: {}", names.join(", ")));
        };
        if !provider.takes(&model.model) {
            let models: Vec<_> = provider.models.iter().map(|model| model.name.as_str()).collect();
            let provider = provider.name.as_str();
            return Err(format!("provider {provider:?} has the models {}", models.join(", ")));
        }
        Ok(model)
    }

    /// The models for a prompt whose caller names none, of different providers where there are several. Those of
    /// providers that are not called are passed over, unless there are no others: then their attempts say why they fail.
    ///
    /// A class in which a model has a weight is drawn from, each draw a number from 0 up to 1; others are taken in their
    /// order.
    pub(crate) fn select(
        &self,
        prompt: &str,
        is_called: impl Fn(&ModelRef) -> bool,
        draw: impl FnMut() -> f64,
    ) -> Vec<ModelRef> {
        let called = |rules: &[Rule]| -> Vec<Rule> {
            rules.iter().filter(|rule| is_called(&rule.model)).cloned().collect()
        };
        let class = self.class(prompt);
        let listed: Vec<_> = self.listed().into_iter().map(|model| Rule { model, weight: None }).collect();
        let mut candidates = called(class);
        if candidates.is_empty() && !class.is_empty() {
            candidates = called(&[class, &self.selection.default, &listed].concat());
        }
        if candidates.is_empty() {
            candidates = class.to_vec();
        }
        if candidates.is_empty() {
            candidates = called(&listed);
        }
        if candidates.is_empty() {
            candidates = listed;
        }
        let mut selected = of_different_providers_first(drawn(candidates, draw));
        selected.truncate(SELECTED);
        selected
    }

    /// A model of this provider that the configuration names, for a probe.
    pub(crate) fn any_model_of(&self, provider: &ProviderName) -> Option<String> {
        let ruled = self.selection.rules().map(|rule| &rule.model);
        let named = ruled.chain(self.aliases.values());
        let listed = self.listed().into_iter().chain(named.cloned());
        listed.into_iter().find(|model| model.provider == *provider).map(|model| model.model)
    }

    fn class(&self, prompt: &str) -> &[Rule] {
        let lower = prompt.to_lowercase();
        let has =
            |words: &[&str]| lower.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word));
        let rules = [
            (has(CODING_WORDS) || prompt.contains("```"), &self.selection.coding),
            (has(REASONING_WORDS), &self.selection.reasoning),
            (prompt.chars().count() > LONG_CHARS, &self.selection.long),
        ];
        let fitting = rules.into_iter().find(|(fits, models)| *fits && !models.is_empty());
        fitting.map_or(&self.selection.default, |(_, models)| models)
    }

    /// Without rules that fit an active provider: what the providers list, in their order.
    fn listed(&self) -> Vec<ModelRef> {
        let listed = self.providers.iter().flat_map(|provider| {
            provider.models.iter().filter_map(|model| ModelRef::new(provider.name.clone(), &model.name).ok())
        });
        listed.collect()
    }
}

/// The rules in the order in which they are drawn, where one has a weight: each next one with a chance in proportion to
/// its weight among those that are left. One without a weight counts 1.
fn drawn(mut rules: Vec<Rule>, mut draw: impl FnMut() -> f64) -> Vec<ModelRef> {
    if rules.iter().all(|rule| rule.weight.is_none()) {
        return rules.into_iter().map(|rule| rule.model).collect();
    }
    let weight = |rule: &Rule| rule.weight.unwrap_or(1.0);
    let mut models = Vec::with_capacity(rules.len());
    while !rules.is_empty() {
        let mut left = draw() * rules.iter().map(weight).sum::<f64>();
        let passes = |rule: &Rule| {
            left -= weight(rule);
            left < 0.0
        };
        let place = rules.iter().position(passes).unwrap_or(rules.len() - 1);
        models.push(rules.remove(place).model);
    }
    models
}

/// The first model of each provider, then the others, each in their order and none twice.
fn of_different_providers_first(models: Vec<ModelRef>) -> Vec<ModelRef> {
    let (mut firsts, mut others): (Vec<ModelRef>, Vec<ModelRef>) = (Vec::new(), Vec::new());
    for model in models {
        if firsts.iter().all(|first| first.provider != model.provider) {
            firsts.push(model);
        } else if !firsts.contains(&model) && !others.contains(&model) {
            others.push(model);
        }
    }
    firsts.extend(others);
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Overrides, load};

    fn catalogue(toml: &str) -> Catalogue {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, toml).unwrap();
        Catalogue::new(&load(Some(&path), &Environment::default(), &Overrides::default()).unwrap())
    }

    const TWO: &str = r#"
        [[providers]]
        name = "one"
        dialect = "openai"
        base_url = "https://one.example"
        models = [{ name = "a" }, { name = "b" }]
        [[providers]]
        name = "two"
        dialect = "openai"
        base_url = "https://two.example"
        [aliases]
        fast = "two:x"
        [selection]
        coding = ["one:a", "one:b", "two:x"]
        default = ["two:y"]
    "#;

    #[test]
    fn models_are_found_by_full_name_alias_or_bare_name() {
        let catalogue = catalogue(TWO);
        let resolve = |text: &str| catalogue.resolve(text).map(|model| model.to_string());
        assert_eq!(resolve("two:anything"), Ok("two:anything".into()));
        assert_eq!(resolve("fast"), Ok("two:x".into()));
        assert_eq!(resolve("a"), Ok("one:a".into()));
        assert!(resolve("zzz").unwrap_err().contains("no alias"));
        assert!(resolve("one:c").unwrap_err().contains("has the models a, b"));
        assert!(resolve("three:c").unwrap_err().contains("no active provider"));
    }

    #[test]
    fn selection_goes_by_content_and_prefers_different_providers() {
        let catalogue = catalogue(TWO);
        let select = |prompt: &str| {
            catalogue.select(prompt, |_| true, || 0.0).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(select("Fix this Rust function"), ["one:a", "two:x", "one:b"]);
        assert_eq!(select("rusty nails"), ["two:y"]);
        let demo = self::catalogue("").select("hello", |_| true, || 0.0);
        assert!(demo.len() == 3 && demo.iter().all(|model| model.provider.as_str() == "demo"), "{demo:?}");
    }

    #[test]
    fn disabled_providers_are_passed_over_unless_there_are_no_others() {
        let catalogue = catalogue(TWO);
        let select = |prompt: &str, disabled: &[&str]| {
            let selected =
                catalogue.select(prompt, |model| !disabled.contains(&model.provider.as_str()), || 0.0);
            selected.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(select("Fix this code", &["one"]), ["two:x"]);
        assert_eq!(select("Fix this code", &["two"]), ["one:a", "one:b"]);
        assert_eq!(select("hello", &["two"])[0], "one:a", "another class, or what is listed, before nobody");
        assert_eq!(select("Fix this code", &["one", "two", "demo"]), ["one:a", "two:x", "one:b"]);
        let one = ProviderName::new("one").unwrap();
        assert_eq!(catalogue.any_model_of(&one).as_deref(), Some("a"));
    }

    #[test]
    fn a_class_with_weights_is_drawn_from_in_proportion() {
        let weighted = TWO.replace(
            "default = [\"two:y\"]",
            "default = [{ model = \"one:a\", weight = 3 }, { model = \"one:b\", weight = 1 }]",
        );
        let catalogue = catalogue(&weighted);
        let first = |number: f64| catalogue.select("hello", |_| true, || number)[0].to_string();
        let share = (0..1_000).filter(|step| first(f64::from(*step) / 1_000.0) == "one:a").count();
        assert_eq!(share, 750);
        let both = catalogue.select("hello", |_| true, || 0.9);
        assert_eq!(both.iter().map(ToString::to_string).collect::<Vec<_>>(), ["one:b", "one:a"]);
    }
}
