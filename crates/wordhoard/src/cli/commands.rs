use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use crate::config::{self, Config, Dialect};

/// Checks what only the parts themselves can: the URLs and keys of providers.
pub(super) fn check(config: &Config) -> anyhow::Result<ExitCode> {
    for provider in &config.providers {
        if let Dialect::OpenAi {
            base_url,
            api_key,
            allow_private,
        } = &provider.dialect
        {
            let settings = wordhoard_providers::OpenAiChatSettings {
                name: provider.name.clone(),
                base_url: base_url.clone(),
                api_key: api_key.clone(),
                allow_private: *allow_private,
                limits: provider.limits,
            };
            wordhoard_providers::openai_chat(settings)
                .with_context(|| format!("provider {}", provider.name))?;
        }
    }
    let names: Vec<_> = config
        .providers
        .iter()
        .map(|provider| provider.name.as_str())
        .collect();
    writeln!(
        std::io::stdout(),
        "the configuration is valid; providers: {}",
        names.join(", ")
    )?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(config: &Config) -> anyhow::Result<ExitCode> {
    write!(std::io::stdout(), "{}", config::show(config))?;
    Ok(ExitCode::SUCCESS)
}
