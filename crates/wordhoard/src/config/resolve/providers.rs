use wordhoard_model::ProviderName;
use wordhoard_providers::{ApiKey, TimeLimits, demo};

use crate::config::file::{DialectText, ProviderTable, TimeoutsTable};
use crate::config::{Dialect, Environment, Error, ProviderConfig};

/// Providers that are there without configuration once their key is in the environment: name, URL, variable.
const SEEDED: [(&str, &str, &str); 2] = [
    ("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    ("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
];

pub(super) fn resolve(
    tables: Vec<ProviderTable>,
    demo: Option<bool>,
    environment: &Environment,
) -> Result<Vec<ProviderConfig>, Error> {
    let mut providers: Vec<ProviderConfig> = Vec::new();
    for table in tables {
        let provider = provider(table, environment)?;
        if providers.iter().any(|other| other.name == provider.name) {
            return Err(Error::setting(setting(provider.name.as_str()), "is configured twice"));
        }
        providers.push(provider);
    }
    for (name, base_url, variable) in SEEDED {
        let name = ProviderName::new(name).map_err(|error| Error::setting("providers", error.to_string()))?;
        let Some(key) = environment.get(variable) else {
            continue;
        };
        if providers.iter().all(|provider| provider.name != name) {
            let api_key = Some(ApiKey::new(key.to_owned()));
            let dialect = Dialect::OpenAi { base_url: base_url.to_owned(), api_key, allow_private: false };
            providers.push(ProviderConfig {
                name,
                dialect,
                limits: TimeLimits::default(),
                models: Vec::new(),
            });
        }
    }
    let has_demo = providers.iter().any(|provider| provider.name.as_str() == "demo");
    if demo.unwrap_or(true) && !has_demo {
        providers.push(demo_provider(TimeLimits::default())?);
    }
    if providers.is_empty() {
        return Err(Error::setting(
            "providers",
            "there is none: configure one, set a key, or leave `demo` on",
        ));
    }
    Ok(providers)
}

fn demo_provider(limits: TimeLimits) -> Result<ProviderConfig, Error> {
    let name = ProviderName::new("demo").map_err(|error| Error::setting("demo", error.to_string()))?;
    let models = demo::MODELS.iter().map(|model| model.name.to_owned()).collect();
    Ok(ProviderConfig { name, dialect: Dialect::Demo, limits, models })
}

fn provider(table: ProviderTable, environment: &Environment) -> Result<ProviderConfig, Error> {
    let setting = setting(&table.name);
    let refuse = |problem: String| Err(Error::setting(setting.clone(), problem));
    let name = match ProviderName::new(&table.name) {
        Ok(name) => name,
        Err(error) => return refuse(error.to_string()),
    };
    let limits = limits(table.timeouts);
    if table.dialect == DialectText::Demo {
        if name.as_str() != "demo" {
            return refuse("the dialect \"demo\" belongs to the provider named \"demo\"".into());
        }
        return demo_provider(limits);
    }
    let Some(base_url) = table.base_url.clone() else {
        return refuse("needs a base_url, such as \"https://api.openai.com/v1\"".into());
    };
    let api_key = api_key(&setting, &table, environment)?;
    Ok(ProviderConfig {
        name,
        dialect: Dialect::OpenAi { base_url, api_key, allow_private: table.allow_private },
        limits,
        models: table.models.into_iter().map(|model| model.name).collect(),
    })
}

fn api_key(setting: &str, table: &ProviderTable, environment: &Environment) -> Result<Option<ApiKey>, Error> {
    match (&table.api_key_env, &table.api_key_file) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(Error::setting(setting, "has both api_key_env and api_key_file: choose one"))
        }
        (Some(variable), None) => match environment.get(variable) {
            Some(key) => Ok(Some(ApiKey::new(key.trim().to_owned()))),
            None => Err(Error::setting(setting, format!("its key shall be in {variable}, which is not set"))),
        },
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(key) if !key.trim().is_empty() => Ok(Some(ApiKey::new(key.trim().to_owned()))),
            Ok(_) => Err(Error::setting(setting, format!("its key file {path} is empty"))),
            Err(error) => {
                Err(Error::setting(setting, format!("its key file {path} cannot be read: {error}")))
            }
        },
    }
}

fn limits(table: TimeoutsTable) -> TimeLimits {
    let defaults = TimeLimits::default();
    TimeLimits {
        connect: table.connect.map_or(defaults.connect, |text| text.0),
        first_token: table.first_token.map_or(defaults.first_token, |text| text.0),
        between_tokens: table.between_tokens.map_or(defaults.between_tokens, |text| text.0),
        total: table.total.map_or(defaults.total, |text| text.0),
    }
}

fn setting(name: &str) -> String {
    format!("providers ({name})")
}
