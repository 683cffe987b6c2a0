//! What of a client's request beside its body goes to a provider of the client's dialect.

use axum::http::{HeaderMap, HeaderName, Uri};
use wordhoard_providers::{Dialect, Recorded};

/// Names of headers that are forwarded (DESIGN, wire rules); one that ends in `*` stands for all that begin so.
const FORWARDED: [&str; 12] = [
    "anthropic-beta",
    "anthropic-version",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "x-codex-*",
    "session-id",
    "thread-id",
    "x-client-request-id",
    "x-claude-code-*",
    "http-referer",
    "x-title",
];
/// The longest header that is forwarded, in bytes.
const MAX_VALUE_BYTES: usize = 8 * 1024;

/// What is recorded of the request of a client of that dialect beside its body.
pub(super) fn recorded(dialect: Dialect, uri: &Uri, headers: &HeaderMap) -> Recorded {
    let forwarded = headers.iter().filter(|(name, _)| is_forwarded(name));
    let forwarded = forwarded.filter_map(|(name, value)| {
        let value = value.to_str().ok().filter(|value| value.len() <= MAX_VALUE_BYTES)?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    Recorded {
        headers: forwarded.collect(),
        query: uri.query().filter(|query| !query.is_empty()).map(str::to_owned),
        ..Recorded::of_client(dialect)
    }
}

fn is_forwarded(name: &HeaderName) -> bool {
    let name = name.as_str();
    FORWARDED.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    })
}
