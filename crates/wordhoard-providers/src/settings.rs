use std::sync::Arc;

use http::header::HeaderValue;
use reqwest::Url;
use wordhoard_model::ProviderName;

use crate::address_policy::{self, PolicyResolver, Refused};
use crate::chat::ChatProvider;
use crate::redaction::Redactor;
use crate::transport::{HttpOptions, HttpTransport, root_cause};
use crate::{ApiKey, Provider, TimeLimits};

/// Where and how a provider of OpenAI's chat dialect is called.
#[derive(Clone, Debug)]
pub struct OpenAiChatSettings {
    /// Its name in our configuration.
    pub name: ProviderName,
    /// The URL before `/chat/completions`, such as `https://api.openai.com/v1`. A query in it is kept.
    pub base_url: String,
    /// The key, sent as `Authorization: Bearer …`. Some local servers need none.
    pub api_key: Option<ApiKey>,
    /// Whether it may have a loopback or private address, and be called without TLS. It is then called directly, not
    /// through a proxy that the environment names.
    pub allow_private: bool,
    /// How long it may take.
    pub limits: TimeLimits,
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

/// A provider of OpenAI's chat dialect, over HTTP.
///
/// # Errors
/// What is wrong with the settings. Nothing is connected yet; a name that leads to a forbidden address is refused
/// when it is called, as `Connect`.
pub fn openai_chat(settings: OpenAiChatSettings) -> Result<Arc<dyn Provider>, SettingsError> {
    let url = chat_url(&settings)?;
    let host = url.host_str().unwrap_or_default();
    let transport = HttpTransport::new(HttpOptions {
        authorization: settings.api_key.as_ref().map(|key| authorization(&settings.name, key)).transpose()?,
        resolver: PolicyResolver::new(host, settings.allow_private),
        connect_timeout: settings.limits.connect,
        use_proxy: !settings.allow_private,
        url,
    })
    .map_err(|error| SettingsError::Client {
        provider: settings.name.clone(),
        problem: root_cause(&error),
    })?;
    Ok(Arc::new(ChatProvider::new(
        settings.name,
        Arc::new(transport),
        settings.limits,
        Redactor::new(settings.api_key),
    )))
}

fn chat_url(settings: &OpenAiChatSettings) -> Result<Url, SettingsError> {
    let mut url = Url::parse(settings.base_url.trim()).map_err(|error| SettingsError::Url {
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
    let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
    url.set_path(&path);
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

fn authorization(provider: &ProviderName, key: &ApiKey) -> Result<HeaderValue, SettingsError> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose()))
        .map_err(|_| SettingsError::Key(provider.clone()))?;
    value.set_sensitive(true);
    Ok(value)
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

    fn refusal(base_url: &str, allow_private: bool) -> String {
        openai_chat(settings(base_url, allow_private)).unwrap_err().to_string()
    }

    fn settings(base_url: &str, allow_private: bool) -> OpenAiChatSettings {
        OpenAiChatSettings {
            name: ProviderName::new("p").unwrap(),
            base_url: base_url.into(),
            api_key: Some(ApiKey::new("k".into())),
            allow_private,
            limits: TimeLimits::default(),
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
        bad_key.api_key = Some(ApiKey::new("a\nb".into()));
        assert!(matches!(openai_chat(bad_key), Err(SettingsError::Key(_))));
    }

    #[test]
    fn the_route_is_joined_to_the_path_and_the_query_stays() {
        let url = |base_url: &str| chat_url(&settings(base_url, false)).unwrap().to_string();
        assert_eq!(url("https://api.openai.com/v1"), "https://api.openai.com/v1/chat/completions");
        assert_eq!(
            url("https://x.example/v1/?api-version=1"),
            "https://x.example/v1/chat/completions?api-version=1"
        );
        assert_eq!(url("https://x.example"), "https://x.example/chat/completions");
    }
}
