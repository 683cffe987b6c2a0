//! What of a client's request beside its body goes to a provider of the client's dialect.

use axum::http::{HeaderMap, HeaderName, Uri};
use serde_json::{Map, Value};
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
    Recorded {
        headers: headers_of(headers).collect(),
        query: uri.query().filter(|query| !query.is_empty()).map(str::to_owned),
        ..Recorded::of_client(dialect)
    }
}

/// The headers of a client that are forwarded.
pub(super) fn headers_of(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    let forwarded = headers.iter().filter(|(name, _)| is_forwarded(name));
    forwarded.filter_map(|(name, value)| {
        let value = value.to_str().ok().filter(|value| value.len() <= MAX_VALUE_BYTES)?;
        Some((name.as_str().to_owned(), value.to_owned()))
    })
}

/// As [`recorded`], for a call whose answer its client gets when it asks the same again after it was cut off.
/// It is another question where it comes with another credential.
pub(super) fn recorded_question(
    dialect: Dialect,
    uri: &Uri,
    headers: &HeaderMap,
    (body, credential): (&Map<String, Value>, Option<&ClientCredential>),
) -> Recorded {
    let question_sha256 = Some(question(uri, body, 0, credential));
    Recorded { question_sha256, ..recorded(dialect, uri, headers) }
}

/// The digest of what is asked where, and with which credential; of the items of its input all but so many of the last. A path holds
/// no line break.
pub(super) fn question(
    uri: &Uri,
    body: &Map<String, Value>,
    without_last_items: usize,
    credential: Option<&ClientCredential>,
) -> String {
    let credential = credential.map(ClientCredential::sha256).unwrap_or_default();
    let mut digest = Sha256::new().chain_update(uri.path()).chain_update(b"\n").chain_update(credential);
    digest_fields(body, &mut digest, &|name, value, digest| match value {
        Value::Array(items) if name == "input" => {
            digest_values(&items[..items.len().saturating_sub(without_last_items)], digest);
        }
        value => digest_value(value, digest),
    });
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same for the same fields in another order: Codex writes some of its own anew, as its hash map has them, when it repeats a
/// request.
fn digest_fields(
    fields: &Map<String, Value>,
    digest: &mut Sha256,
    digest_field: &dyn Fn(&str, &Value, &mut Sha256),
) {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    digest.update(b"{");
    for (name, value) in sorted {
        digest.update(Value::from(name.as_str()).to_string());
        digest_field(name, value, digest);
    }
    digest.update(b"}");
}

fn digest_value(value: &Value, digest: &mut Sha256) {
    match value {
        Value::Object(fields) => {
            digest_fields(fields, digest, &|_, value, digest| digest_value(value, digest));
        }
        Value::Array(values) => digest_values(values, digest),
        other => digest.update(other.to_string()),
    }
}

fn digest_values(values: &[Value], digest: &mut Sha256) {
    digest.update(b"[");
    for value in values {
        digest_value(value, digest);
        digest.update(b",");
    }
    digest.update(b"]");
}

fn is_forwarded(name: &HeaderName) -> bool {
    let name = name.as_str();
    FORWARDED.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_question_is_the_same_whatever_the_order_of_its_fields() {
        let of = |path: &'static str, body: &str| {
            let body: Map<String, Value> = serde_json::from_str(body).unwrap();
            question(&Uri::from_static(path), &body, 0, None)
        };
        let asked = of("/a", r#"{"x": [{"b": 1, "c": "2"}], "y": null}"#);
        assert_eq!(asked, of("/a", r#"{"y":null,"x":[{"c":"2","b":1}]}"#));
        for other in [
            json!({"x": [{"b": 1, "c": 2}], "y": null}),
            json!({"x": [{"b": 1}, {"c": "2"}], "y": null}),
            json!({"x": [{"b": 1, "c": "2", "y": null}]}),
            json!({"x": [{"b": 1, "c": "2"}]}),
        ] {
            assert_ne!(asked, of("/a", &other.to_string()), "{other}");
        }
        assert_ne!(asked, of("/b", r#"{"x": [{"b": 1, "c": "2"}], "y": null}"#));
    }
}
