use std::path::Path;

use std::sync::Arc;
use wordhoard_model::ProviderName;

use wordhoard_providers::{
    ApiKey, Auth, Declared, Dialect, NamedKey, TimeLimits, Unsupported, UpstreamStream, demo,
};

use crate::config::file::{
    DialectText, ModelTable, ProviderTable, TimeoutsTable, UnsupportedText, UpstreamStreamText,
};
use crate::config::{Environment, Error, HttpProvider, ModelConfig, ProviderConfig, Reach};

/// Providers that are there without configuration once their key is in the environment: name, dialect, URL, variable.
const SEEDED: [(&str, Dialect, &str, &str); 5] = [
    ("openai", Dialect::OpenAiChat, "https://api.openai.com/v1", "OPENAI_API_KEY"),
    ("anthropic", Dialect::Anthropic, "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    ("google_ai", Dialect::Gemini, "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"),
    ("deepseek", Dialect::OpenAiChat, "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    ("cohere", Dialect::Cohere, "https://api.cohere.com/v2", "COHERE_API_KEY"),
];
/// Calls to a provider at the same time (SPEC FD 2).
const CONCURRENCY: [(&str, usize); 5] =
    [("openai", 5), ("anthropic", 3), ("google_ai", 3), ("deepseek", 3), ("cohere", 3)];
const OTHER_CONCURRENCY: usize = 64;
/// The same of the drop-in APIs.
const DROP_IN_CONCURRENCY: usize = 64;
/// The demo is in this process, so only the number of requests limits it; each has up to five lanes.
const DEMO_CONCURRENCY: usize = 1 << 20;

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
    for (name, dialect, base_url, variable) in SEEDED {
        let Some(key) = environment.get(variable) else { continue };
        if providers.iter().any(|provider| provider.name.as_str() == name) {
            continue;
        }
        let reach = Reach::Http(HttpProvider {
            dialect,
            base_url: base_url.to_owned(),
            auth: None,
            keys: vec![NamedKey { key: ApiKey::new(key.to_owned()), source: variable.to_owned() }],
            allow_private: false,
            unsupported: Unsupported::Refuse,
            upstream_stream: UpstreamStream::Always,
        });
        providers.push(ProviderConfig {
            name: ProviderName::new(name).map_err(|error| Error::setting("providers", error.to_string()))?,
            reach,
            limits: TimeLimits::default(),
            concurrency: concurrency(name, None, environment)?,
            drop_in_concurrency: DROP_IN_CONCURRENCY,
            models: Vec::new(),
        });
    }
    let has_demo = providers.iter().any(|provider| provider.name.as_str() == "demo");
    if demo.unwrap_or(true) && !has_demo {
        providers.push(demo_provider(TimeLimits::default(), None, environment)?);
    }
    if providers.is_empty() {
        return Err(Error::setting(
            "providers",
            "there is none: configure one, set a key, or leave `demo` on",
        ));
    }
    Ok(providers)
}

fn demo_provider(
    limits: TimeLimits,
    written: Option<usize>,
    environment: &Environment,
) -> Result<ProviderConfig, Error> {
    let name = ProviderName::new("demo").map_err(|error| Error::setting("demo", error.to_string()))?;
    let model =
        |model: &demo::DemoModel| ModelConfig { name: model.name.to_owned(), declared: Declared::default() };
    let concurrency = concurrency("demo", Some(written.unwrap_or(DEMO_CONCURRENCY)), environment)?;
    let models = demo::MODELS.iter().map(model).collect();
    let drop_in_concurrency = DEMO_CONCURRENCY;
    Ok(ProviderConfig { name, reach: Reach::Demo, limits, concurrency, drop_in_concurrency, models })
}

fn provider(table: ProviderTable, environment: &Environment) -> Result<ProviderConfig, Error> {
    let setting = setting(&table.name);
    let refuse = |problem: String| Error::setting(setting.clone(), problem);
    let name = ProviderName::new(&table.name).map_err(|error| refuse(error.to_string()))?;
    let limits = limits(table.timeouts);
    let dialect = match table.dialect {
        DialectText::Demo if name.as_str() != "demo" => {
            return Err(refuse("the dialect \"demo\" belongs to the provider named \"demo\"".into()));
        }
        DialectText::Demo => return demo_provider(limits, table.concurrency, environment),
        DialectText::OpenAi => Dialect::OpenAiChat,
        DialectText::OpenAiResponses => Dialect::OpenAiResponses,
        DialectText::Anthropic => Dialect::Anthropic,
        DialectText::Gemini => Dialect::Gemini,
        DialectText::Cohere => Dialect::Cohere,
    };
    let Some(base_url) = table.base_url.clone() else {
        return Err(refuse("needs a base_url, such as \"https://api.openai.com/v1\"".into()));
    };
    let auth = table.auth.as_deref().map(|text| auth(&setting, text)).transpose()?;
    let keys = keys(&setting, &table, environment)?;
    if auth == Some(Auth::Client) && !keys.is_empty() {
        return Err(refuse("has auth = \"client\", which takes no key of ours: leave it out".into()));
    }
    let reach = Reach::Http(HttpProvider {
        dialect,
        base_url,
        auth,
        keys,
        allow_private: table.allow_private,
        unsupported: match table.unsupported {
            None | Some(UnsupportedText::Refuse) => Unsupported::Refuse,
            Some(UnsupportedText::Drop) => Unsupported::Drop,
        },
        upstream_stream: match table.upstream_stream {
            None | Some(UpstreamStreamText::Always) => UpstreamStream::Always,
            Some(UpstreamStreamText::AsAsked) => UpstreamStream::AsAsked,
        },
    });
    let concurrency = concurrency(name.as_str(), table.concurrency, environment)?;
    let models: Vec<_> =
        table.models.into_iter().map(|model| model_config(&setting, model)).collect::<Result<_, _>>()?;
    if let Some(twice) =
        models.iter().find(|one| models.iter().filter(|other| other.name == one.name).count() > 1)
    {
        return Err(refuse(format!("lists the model {:?} twice", twice.name)));
    }
    let drop_in_concurrency = match table.drop_in_concurrency {
        Some(0) => return Err(refuse("drop_in_concurrency must be a whole number of at least 1".into())),
        count => count.unwrap_or(DROP_IN_CONCURRENCY),
    };
    Ok(ProviderConfig { name, reach, limits, concurrency, drop_in_concurrency, models })
}

fn auth(setting: &str, text: &str) -> Result<Auth, Error> {
    let known = Auth::ALL.into_iter().find(|(name, _)| *name == text);
    let names = Auth::ALL.map(|(name, _)| name).join(", ");
    known
        .map(|(_, auth)| auth)
        .ok_or_else(|| Error::setting(setting, format!("auth {text:?} is none of {names}")))
}

fn model_config(setting: &str, table: ModelTable) -> Result<ModelConfig, Error> {
    let price = table.price.map(|price| match price.is_sound() {
        true => Ok(Arc::new(price.into_price())),
        false => {
            let name = &table.name;
            let problem = format!("the price of {name:?} must be 0 or more dollars for a million tokens");
            Err(Error::setting(setting, problem))
        }
    });
    let declared = Declared {
        prefill: table.prefill.map(|text| text.0),
        tools: table.tools,
        images: table.images,
        json_schema: table.json_schema,
        stream: table.stream,
        context_window: table.context_window,
        max_output_tokens: table.max_output_tokens,
        price: price.transpose()?,
    };
    Ok(ModelConfig { name: table.name, declared })
}

/// What the environment says, the file, or the provider's name.
fn concurrency(name: &str, written: Option<usize>, environment: &Environment) -> Result<usize, Error> {
    let variable = format!("{}_CONCURRENCY", name.to_ascii_uppercase().replace('-', "_"));
    let refuse = |source: String| Err(Error::setting(source, "must be a whole number of at least 1"));
    if let Some(text) = environment.get(&variable) {
        return match text.trim().parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => refuse(variable),
        };
    }
    match written {
        Some(0) => refuse(format!("{}, concurrency", setting(name))),
        Some(count) => Ok(count),
        None => {
            let known = CONCURRENCY.iter().find(|(known, _)| *known == name);
            Ok(known.map_or(OTHER_CONCURRENCY, |(_, count)| *count))
        }
    }
}

fn keys(setting: &str, table: &ProviderTable, environment: &Environment) -> Result<Vec<NamedKey>, Error> {
    let from_environment = table.api_key_env.0.iter().map(|variable| match environment.get(variable) {
        Some(key) => Ok(NamedKey { key: ApiKey::new(key.to_owned()), source: variable.clone() }),
        None => Err(Error::setting(setting, format!("its key shall be in {variable}, which is not set"))),
    });
    let from_files = table.api_key_file.0.iter().map(|path| match std::fs::read_to_string(Path::new(path)) {
        Ok(key) if !key.trim().is_empty() => Ok(NamedKey { key: ApiKey::new(key), source: path.clone() }),
        Ok(_) => Err(Error::setting(setting, format!("its key file {path} is empty"))),
        Err(error) => Err(Error::setting(setting, format!("its key file {path} cannot be read: {error}"))),
    });
    from_environment.chain(from_files).collect()
}

fn limits(table: TimeoutsTable) -> TimeLimits {
    let defaults = TimeLimits::default();
    TimeLimits {
        connect: table.connect.map_or(defaults.connect, |text| text.0),
        first_token: table.first_token.map_or(defaults.first_token, |text| text.0),
        between_bytes: table.between_bytes.map_or(defaults.between_bytes, |text| text.0),
        total: table.total.map_or(defaults.total, |text| text.0),
    }
}

fn setting(name: &str) -> String {
    format!("providers ({name})")
}
