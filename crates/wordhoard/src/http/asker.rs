//! Who asks by a drop-in API: with which key of ours, and with which credential of its own.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use wordhoard_model::KeyId;
use wordhoard_providers::ClientCredential;

use super::Surface;
use super::authorisation::{OUR_KEY, is_our_key};
use crate::access::Caller;

/// The headers in which clients of the dialects show a credential.
const SECRETS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
/// Headers by which a provider that is asked with a subscription knows which program asks for which account (SPEC FD 12).
const BESIDE: [&str; 4] = ["user-agent", "originator", "chatgpt-account-id", "x-app"];

/// Who asks.
pub(super) struct Asker {
    /// Whose key of ours was shown, where one may be.
    pub(super) key: Option<KeyId>,
    /// The client's own credential, for providers that are asked with it.
    pub(super) credential: Option<ClientCredential>,
}

impl FromRequestParts<Surface> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Surface) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Caller>().copied();
        let key = caller.and_then(|caller| caller.key());
        Ok(Self { key, credential: credential(&parts.headers, caller.is_some()) })
    }
}

/// Where our key comes in a header of its own, every other credential is the client's. Where a key of ours came in one of the
/// headers of clients, all of these are ours: what opens our door goes to nobody.
fn credential(headers: &HeaderMap, is_known: bool) -> Option<ClientCredential> {
    if is_known && !headers.contains_key(OUR_KEY) {
        return None;
    }
    ClientCredential::new(named(headers, &SECRETS), named(headers, &BESIDE))
}

fn named(headers: &HeaderMap, names: &[&'static str]) -> Vec<(HeaderName, HeaderValue)> {
    let values = names.iter().filter_map(|name| {
        let value = headers.get(*name).filter(|value| !is_our_key(value))?;
        Some((HeaderName::from_static(name), value.clone()))
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(headers: &[(&'static str, &'static str)], is_known: bool) -> Option<[u8; 32]> {
        let headers = headers.iter();
        let headers =
            headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        credential(&headers.collect(), is_known).map(|credential| credential.sha256())
    }

    #[test]
    fn a_key_of_ours_is_no_credential_of_the_clients() {
        let own = sent(&[("authorization", "Bearer sub-1")], false);
        assert!(own.is_some());
        assert_ne!(own, sent(&[("authorization", "Bearer sub-2")], false));
        assert_eq!(own, sent(&[("authorization", "Bearer sub-1"), (OUR_KEY, "wh_1")], true));
        assert_eq!(sent(&[("authorization", "Bearer wh_1")], true), None);
        assert_eq!(sent(&[("authorization", "Bearer admin"), ("x-api-key", "sub")], true), None);
        assert_eq!(sent(&[("authorization", "Bearer wh_revoked")], false), None, "whatever became of it");
        assert_eq!(sent(&[("x-api-key", "wh_revoked"), ("user-agent", "a")], false), None);
    }
}
