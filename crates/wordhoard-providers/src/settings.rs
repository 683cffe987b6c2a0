use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::Url;
use wordhoard_model::ProviderName;
use wordhoard_wire::{Dialect, Unsupported};

use crate::address_policy::{self, PolicyResolver, Refused};
use crate::answering::{Account, DialectProvider, Speaker};
use crate::catalogue::{Catalogue, Declared};
use crate::key_ring::{KeyRing, NamedKey};
use crate::redaction::Redactor;
use crate::transport::{Credentials, GoogleTokens, HttpOptions, HttpTransport, Route, root_cause};
use crate::{Provider, TimeLimits};

/// Where and how a provider is called.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Its name in our configuration.
    pub name: ProviderName,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// The URL before the dialect's route, such as `https://api.openai.com/v1`. A query in it is kept.
    pub base_url: String,
    /// How it knows us; as its dialect has it if none.
    pub auth: Option<Auth>,
    /// The keys, in the order in which they are tried. Some local servers need none.
    pub keys: Vec<NamedKey>,
    /// Whether it may have a loopback or private address, and be called without TLS. It is then called directly, not
    /// through a proxy that the environment names.
    pub allow_private: bool,
    /// How long it may take.
    pub limits: TimeLimits,
    /// What is said of its models.
    pub models: Vec<(String, Declared)>,
    /// What happens to a field that it, or a model, cannot honour.
    pub unsupported: Unsupported,
    /// How it is asked for an answer that its client wants as one document.
    pub upstream_stream: UpstreamStream,
}

/// How a provider is asked for an answer that its client wants as one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamStream {
    /// For a stream: each token is recorded as it comes, so what came before a cut is not lost, and can be gone on from.
    #[default]
    Always,
    /// For one document, which costs less. One that is cut leaves nothing, and is asked for again from the start.
    AsAsked,
}

/// How a provider knows us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY` (Anthropic).
    XApiKey,
    /// `api-key: KEY` (Azure).
    ApiKey,
    /// `x-goog-api-key: KEY` (Gemini).
    XGoogApiKey,
    /// A token of Google's, by the credentials of the environment (Vertex AI).
    Google,
    /// The credential of whoever asks, which goes to this provider only.
    Client,
}

impl Auth {
    /// Every way, with its name in configurations.
    pub const ALL: [(&'static str, Self); 6] = [
        ("bearer", Self::Bearer),
        ("x-api-key", Self::XApiKey),
        ("api-key", Self::ApiKey),
        ("x-goog-api-key", Self::XGoogApiKey),
        ("google", Self::Google),
        ("client", Self::Client),
    ];

    /// The way of a dialect where nothing else is said.
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Cohere => Self::Bearer,
            Dialect::Anthropic => Self::XApiKey,
            Dialect::Gemini => Self::XGoogApiKey,
        }
    }
}

/// Settings with which no provider can be called.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The text is no URL.
    #[error("base_url {base_url:?} is no URL: {problem}")]
    Url {
        /// The text, without its user part.
        base_url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The URL has a part that it may not have.
    #[error("base_url {0}")]
    UrlPart(&'static str),
    /// The URL leads to a forbidden address.
    #[error("base_url leads where a provider may not be: {0}")]
    Address(#[from] Refused),
    /// The key has characters that no header can carry.
    #[error("the key of provider {0} has characters that no header can carry")]
    Key(ProviderName),
    /// The HTTP client could not be made, most often for want of root certificates.
    #[error("no HTTP client for provider {provider}: {problem}")]
    Client {
        /// Which provider.
        provider: ProviderName,
        /// What failed.
        problem: String,
    },
}

/// The version of Anthropic's API that we speak: <https://docs.anthropic.com/en/api/versioning>.
static ANTHROPIC_HEADERS: [(HeaderName, HeaderValue); 1] =
    [(HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"))];

/// A provider over HTTP.
///
/// # Errors
/// What is wrong with the settings. Nothing is connected yet; a name that leads to a forbidden address is refused
/// when it is called, as `Connect`.
pub fn over_http(settings: HttpSettings) -> Result<Arc<dyn Provider>, SettingsError> {
    let base = checked_url(&settings)?;
    let host = base.host_str().unwrap_or_default();
    // `…/projects/P/locations/L/publishers/google`
    let is_vertex = base.path().contains("/publishers/");
    let transport = HttpTransport::new(HttpOptions {
        credentials: credentials(&settings)?,
        headers: if settings.dialect == Dialect::Anthropic { &ANTHROPIC_HEADERS } else { &[] },
        resolver: PolicyResolver::new(host, settings.allow_private),
        connect_timeout: settings.limits.connect,
        use_proxy: !settings.allow_private,
        route: Route::new(settings.dialect, base),
    })
    .map_err(|error| SettingsError::Client {
        provider: settings.name.clone(),
        problem: root_cause(&error),
    })?;
    Ok(Arc::new(DialectProvider::new(Speaker {
        dialect: settings.dialect,
        is_vertex,
        transport: Arc::new(transport),
        limits: settings.limits,
        redactor: Redactor::new(settings.keys.iter().map(|named| named.key.clone())),
        catalogue: Catalogue::new(settings.dialect, &settings.models),
        unsupported: settings.unsupported,
        upstream_stream: settings.upstream_stream,
        account: match settings.auth {
            Some(Auth::Client) => Account::of_clients(),
            _ => Account::Ours(Arc::new(KeyRing::new(settings.name.clone(), settings.keys))),
        },
        name: settings.name,
    })))
}

fn credentials(settings: &HttpSettings) -> Result<Credentials, SettingsError> {
    let name = match settings.auth.unwrap_or_else(|| Auth::of(settings.dialect)) {
        Auth::Google => return Ok(Credentials::Tokens(Arc::new(GoogleTokens::default()))),
        Auth::Client => return Ok(Credentials::Client),
        Auth::Bearer => AUTHORIZATION,
        Auth::XApiKey => HeaderName::from_static("x-api-key"),
        Auth::ApiKey => HeaderName::from_static("api-key"),
        Auth::XGoogApiKey => HeaderName::from_static("x-goog-api-key"),
    };
    let value = |named: &NamedKey| {
        let key = named.key.expose();
        let text = if name == AUTHORIZATION { format!("Bearer {key}") } else { key.to_owned() };
        let mut value = HeaderValue::try_from(text).map_err(|_| SettingsError::Key(settings.name.clone()))?;
        value.set_sensitive(true);
        Ok(value)
    };
    let keys = settings.keys.iter().map(value).collect::<Result<_, SettingsError>>()?;
    Ok(Credentials::Keys(name, keys))
}

fn checked_url(settings: &HttpSettings) -> Result<Url, SettingsError> {
    let url = Url::parse(settings.base_url.trim()).map_err(|error| SettingsError::Url {
        base_url: without_user(&settings.base_url),
        problem: error.to_string(),
    })?;
    let part = |wrong: bool, problem| {
        if wrong { Err(SettingsError::UrlPart(problem)) } else { Ok(()) }
    };
    let plain = url.scheme() == "http";
    part(!plain && url.scheme() != "https", "must begin with https:// or http://")?;
    part(
        !url.username().is_empty() || url.password().is_some(),
        "has a user or password: give a key instead",
    )?;
    part(url.fragment().is_some(), "has a fragment (#…)")?;
    part(
        plain && !settings.allow_private,
        "is plain http, which would send the prompt and the key in the clear: use https, or allow_private = true \
         for a server of your own",
    )?;
    check_host(&url, settings.allow_private)?;
    Ok(url)
}

/// Checks an address that stands in the URL itself; a name is checked when it is resolved.
fn check_host(url: &Url, allow_private: bool) -> Result<(), SettingsError> {
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = literal.parse() {
        return Ok(address_policy::check(address, allow_private)?);
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if !allow_private && (name == "localhost" || name.ends_with(".localhost")) {
        return Err(SettingsError::UrlPart("is on this machine, which needs allow_private = true"));
    }
    Ok(())
}

/// The text without what stands before an `@`: it may be a password.
fn without_user(base_url: &str) -> String {
    match base_url.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => base_url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ApiKey;

    fn refusal(base_url: &str, allow_private: bool) -> String {
        over_http(settings(base_url, allow_private)).unwrap_err().to_string()
    }

    fn named(key: &str) -> NamedKey {
        NamedKey { key: ApiKey::new(key.into()), source: "KEY".into() }
    }

    fn settings(base_url: &str, allow_private: bool) -> HttpSettings {
        HttpSettings {
            name: ProviderName::new("p").unwrap(),
            base_url: base_url.into(),
            dialect: Dialect::OpenAiChat,
            auth: None,
            keys: vec![named("k")],
            allow_private,
            limits: TimeLimits::default(),
            models: Vec::new(),
            unsupported: Unsupported::Refuse,
            upstream_stream: UpstreamStream::Always,
        }
    }

    #[test]
    fn a_url_that_could_leak_or_lead_inside_is_refused() {
        for (base_url, allow_private, word) in [
            ("no url", false, "is no URL"),
            ("ftp://x.example", true, "https://"),
            ("https://u:secret@x.example", true, "user or password"),
            ("https://x.example/v1#a", true, "fragment"),
            ("http://x.example/v1", false, "plain http"),
            ("https://127.0.0.1/v1", false, "loopback"),
            ("https://2130706433/v1", false, "loopback"),
            ("https://[::1]/v1", false, "loopback"),
            ("https://localhost/v1", false, "on this machine"),
            ("https://10.0.0.8/v1", false, "private"),
            ("http://169.254.169.254/latest", true, "never allowed"),
            ("http://[fd00:ec2::254]/", true, "never allowed"),
            ("http://0.0.0.0:8000/", true, "never allowed"),
        ] {
            let told = refusal(base_url, allow_private);
            assert!(told.contains(word) && !told.contains("secret"), "{base_url}: {told}");
        }
        assert!(!refusal("https://u:secret@", true).contains("secret"));
        let mut bad_key = settings("https://x.example", false);
        bad_key.keys = vec![named("a\nb")];
        assert!(matches!(over_http(bad_key), Err(SettingsError::Key(_))));
    }
}
