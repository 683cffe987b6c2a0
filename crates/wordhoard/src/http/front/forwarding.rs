//! What of a client's request beside its body goes to a provider of the client's dialect.

use axum::http::{HeaderMap, HeaderName, Uri};
use sha2::{Digest, Sha256};
use wordhoard_providers::{ClientCredential, Dialect, Recorded};

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

/// As [`recorded`], for a call whose answer its client gets when it asks the same again after it was cut off.
/// It is another question where it comes with another credential.
pub(super) fn recorded_question(
    dialect: Dialect,
    uri: &Uri,
    headers: &HeaderMap,
    (body, credential): (&[u8], Option<&ClientCredential>),
) -> Recorded {
    let question_sha256 = Some(question(uri, body, credential));
    Recorded { question_sha256, ..recorded(dialect, uri, headers) }
}

/// The digest of what is asked where, and with which credential. A path holds no line break.
fn question(uri: &Uri, body: &[u8], credential: Option<&ClientCredential>) -> String {
    let credential = credential.map(ClientCredential::sha256).unwrap_or_default();
    let digest = Sha256::new().chain_update(uri.path()).chain_update(b"\n");
    let digest = digest.chain_update(credential).chain_update(body).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_forwarded(name: &HeaderName) -> bool {
    let name = name.as_str();
    FORWARDED.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    })
}
