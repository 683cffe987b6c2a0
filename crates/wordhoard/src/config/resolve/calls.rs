//! How providers are called: retries, breakers, queues, and who stands in for whom.

use std::collections::BTreeMap;

use wordhoard_engine::{BreakerSettings, CallSettings, RetrySettings};
use wordhoard_model::ModelRef;

use crate::config::file::{BreakerTable, FallbackTable, QueueTable, RetryTable};
use crate::config::{Error, ProviderConfig, Reach};

pub(super) struct Tables {
    pub(super) fallback: FallbackTable,
    pub(super) breaker: BreakerTable,
    pub(super) retry: RetryTable,
    pub(super) queue: QueueTable,
}

/// The classes of SPEC FD 5: what a model of each has in its name, and the model of a provider that lists none.
const CLASSES: [(&[&[&str]], &str, &str); 4] = [
    (&[&["gpt-3.5-turbo"], &["gpt-4o-mini"], &["gpt-4.1-mini"], &["gpt-5-mini"]], "openai", "gpt-4o-mini"),
    (&[&["claude", "haiku"]], "anthropic", "claude-haiku-4-5"),
    (&[&["gemini", "flash"]], "google_ai", "gemini-2.5-flash"),
    (&[&["deepseek-chat"]], "deepseek", "deepseek-chat"),
];

pub(super) fn resolve(
    tables: Tables,
    providers: &[ProviderConfig],
    aliases: &BTreeMap<String, ModelRef>,
) -> Result<CallSettings, Error> {
    let defaults = CallSettings::default();
    let Tables { fallback, breaker, retry, queue } = tables;
    let budget_share = retry.budget_share.unwrap_or(defaults.retry.budget_share);
    if !(0.0..=1.0).contains(&budget_share) {
        return Err(Error::setting("retry.budget_share", "must be a number from 0 to 1"));
    }
    let fallback_jitter = fallback.jitter.map_or(defaults.fallback_jitter, |(least, most)| (least.0, most.0));
    if fallback_jitter.0 > fallback_jitter.1 {
        return Err(Error::setting(
            "fallback.jitter",
            "must have the shorter one first, such as [\"1s\", \"3s\"]",
        ));
    }
    Ok(CallSettings {
        concurrency: providers.iter().map(|provider| (provider.name.clone(), provider.concurrency)).collect(),
        drop_in_concurrency: providers
            .iter()
            .map(|provider| (provider.name.clone(), provider.drop_in_concurrency))
            .collect(),
        queue_limit: queue.waiting.unwrap_or(defaults.queue_limit),
        queue_patience: queue.patience.map_or(defaults.queue_patience, |text| text.0),
        breaker: BreakerSettings {
            failures: breaker.failures.unwrap_or(defaults.breaker.failures),
            open_for: breaker.open.map_or(defaults.breaker.open_for, |text| text.0),
        },
        without_breaker: providers
            .iter()
            .filter(|provider| matches!(provider.reach, Reach::Demo))
            .map(|provider| provider.name.clone())
            .collect(),
        retry: RetrySettings {
            max: retry.max.unwrap_or(defaults.retry.max),
            longest_wait: retry.longest_wait.map_or(defaults.retry.longest_wait, |text| text.0),
            budget_share,
            budget_floor: retry.budget_floor.unwrap_or(defaults.retry.budget_floor),
        },
        fallback: match fallback.queue {
            Some(models) => {
                models.iter().map(|model| named(model, providers, aliases)).collect::<Result<_, _>>()?
            }
            None => CLASSES.iter().filter_map(|class| of_class(*class, providers)).collect(),
        },
        fallback_jitter,
    })
}

fn named(
    text: &str,
    providers: &[ProviderConfig],
    aliases: &BTreeMap<String, ModelRef>,
) -> Result<ModelRef, Error> {
    match aliases.get(text) {
        Some(model) => Ok(model.clone()),
        None => super::model_ref("fallback.queue", text, providers),
    }
}

/// A model of the class: one that some provider lists, or the usual one of the provider that is known for it. Never the
/// demo: its answers are made up.
fn of_class(
    (names, usual_provider, usual_model): (&[&[&str]], &str, &str),
    providers: &[ProviderConfig],
) -> Option<ModelRef> {
    let real = || providers.iter().filter(|provider| matches!(provider.reach, Reach::Http(_)));
    let listed = names.iter().find_map(|parts| {
        real().find_map(|provider| {
            let fits = |name: &str| parts.iter().all(|part| name.contains(part));
            let model = provider.models.iter().find(|model| fits(&model.name))?;
            ModelRef::new(provider.name.clone(), &model.name).ok()
        })
    });
    let usual = || {
        let provider = real().find(|provider| provider.name.as_str() == usual_provider)?;
        provider.models.is_empty().then(|| ModelRef::new(provider.name.clone(), usual_model).ok())?
    };
    listed.or_else(usual)
}
