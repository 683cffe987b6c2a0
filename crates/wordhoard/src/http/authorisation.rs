//! Who may use which route. Every route is in one group, and the group's layer stands before all of it: a route cannot
//! be added without a group, nor a method to a route without its layer.

use std::convert::Infallible;
use std::time::Instant;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::OpenApiRouter;
use wordhoard_model::KeyId;
use wordhoard_store::Scope;

use super::problem::{Problem, ProblemKind};
use super::{Surface, openapi};
use crate::access::{Access, Caller, FailedTries, KEY_PREFIX};
use crate::server::Peer;

/// The door before a group of routes.
#[derive(Clone, Debug)]
struct Door {
    access: Access,
    failed_tries: FailedTries,
    needed: Scope,
    /// Whether those without a key may pass too.
    open: bool,
}

/// Routes that anyone may use.
pub(super) fn public(group: OpenApiRouter<Surface>, document: &mut OpenApi) -> Router<Surface> {
    let (router, paths) = group.split_for_parts();
    document.merge(paths);
    router.method_not_allowed_fallback(method_not_allowed)
}

/// Routes that need a key of this scope.
pub(super) fn keyed(
    group: OpenApiRouter<Surface>,
    needed: Scope,
    surface: &Surface,
    document: &mut OpenApi,
) -> Router<Surface> {
    let open = needed != Scope::Admin && !surface.config.require_keys;
    let (router, mut paths) = group.split_for_parts();
    for (_, operation) in paths.paths.paths.values_mut().flat_map(openapi::operations) {
        let with_key = SecurityRequirement::new(openapi::BEARER, [needed.as_str()]);
        let without = open.then(SecurityRequirement::default);
        operation.security = Some(without.into_iter().chain([with_key]).collect());
    }
    document.merge(paths);
    let door =
        Door { access: surface.access.clone(), failed_tries: surface.failed_tries.clone(), needed, open };
    // The fallback first, so that the layer stands before it too.
    router
        .method_not_allowed_fallback(method_not_allowed)
        .route_layer(middleware::from_fn_with_state(door, authorise))
}

/// A client that asks for a WebSocket is told at once that there are none, so that it takes the HTTP API instead (SPEC FD 12).
async fn method_not_allowed(headers: HeaderMap) -> Problem {
    if headers.contains_key(header::UPGRADE) {
        let detail = "WebSockets are not served here: POST the request, with \"stream\": true for a stream";
        return Problem::new(ProblemKind::WebSocketNotServed, detail);
    }
    Problem::new(ProblemKind::MethodNotAllowed, "this path does not take that method")
}

async fn authorise(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    match door.check(&request) {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            let mut answer = next.run(request).await;
            // What was shown to one key is nobody else's.
            answer.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
            answer
        }
        Err(problem) => problem.into_response(),
    }
}

impl Door {
    fn check(&self, request: &Request) -> Result<Option<Caller>, Problem> {
        let key = key_of(request);
        let caller = key.and_then(|key| self.access.caller(key));
        match caller {
            // Clients of an open server often send a key of some kind, because their library wants one.
            _ if self.open => Ok(caller),
            Some(caller) if caller.scope().covers(self.needed) => Ok(Some(caller)),
            Some(_) => {
                let detail = format!("this needs a key of the scope {:?}", self.needed.as_str());
                Err(Problem::new(ProblemKind::WrongScope, detail))
            }
            None => {
                if let (Some(_), Some(Peer(peer))) = (key, request.extensions().get::<Peer>()) {
                    self.failed_tries.note(*peer, Instant::now());
                }
                let what =
                    if key.is_some() { "the key is not known, or was revoked" } else { "a key is needed" };
                let detail = format!(
                    "{what}: this takes Authorization: Bearer … with a key of the scope {:?}",
                    self.needed.as_str()
                );
                Err(Problem::unauthorized(&detail))
            }
        }
    }
}

/// Whether an administrator asks, on a route that anyone may use.
pub(super) fn is_administrator(surface: &Surface, headers: &HeaderMap) -> bool {
    let caller = bearer(headers).and_then(|key| surface.access.caller(key));
    caller.is_some_and(|caller| caller.scope().covers(Scope::Admin))
}

/// The header in which our key comes where the others hold the client's own credential.
pub(super) const OUR_KEY: &str = "x-wordhoard-key";

/// Whether a header holds a key of ours, whatever became of it.
pub(super) fn is_our_key(value: &HeaderValue) -> bool {
    let shown = value.to_str().ok().and_then(|text| text.split_whitespace().last());
    shown.is_some_and(|key| key.starts_with(KEY_PREFIX))
}

/// The key of a request: in a header of its own, or a bearer or, on the drop-in APIs and where there is none, `x-api-key`, as
/// Anthropic's clients give it.
fn key_of(request: &Request) -> Option<&str> {
    let headers = request.headers();
    if headers.contains_key(OUR_KEY) {
        return only(headers, OUR_KEY);
    }
    if headers.contains_key(header::AUTHORIZATION) || !request.uri().path().starts_with("/v1/") {
        return bearer(headers);
    }
    only(headers, "x-api-key")
}

/// The one value of a header. Two are none: they would be read in two ways.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let (value, None) = (all.next()?, all.next()) else { return None };
    value.to_str().ok().map(str::trim).filter(|key| !key.is_empty())
}

/// The bearer of a request. Two are none: they would be read in two ways.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (all.next()?, all.next()) else { return None };
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim()).filter(|key| !key.is_empty())
}

/// The caller has shown an administrator's key. Only routes behind the administrators' door give it, so a handler that
/// asks for it cannot be reached by another way.
pub(super) struct Administrator(pub(super) Caller);

impl FromRequestParts<Surface> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Surface) -> Result<Self, Problem> {
        match parts.extensions.get::<Caller>() {
            Some(caller) if caller.scope().covers(Scope::Admin) => Ok(Self(*caller)),
            _ => Err(Problem::unauthorized("this needs an administrator's key: Authorization: Bearer …")),
        }
    }
}

/// Whose key was shown, on a route where one may be.
pub(super) struct Calling(pub(super) Option<KeyId>);

impl FromRequestParts<Surface> for Calling {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Surface) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Caller>().and_then(|caller| caller.key())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_bearer_and_nothing_else() {
        let headers = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(headers(&["Bearer wh_1"]).as_deref(), Some("wh_1"));
        assert_eq!(headers(&["bEARER   wh_1 "]).as_deref(), Some("wh_1"));
        for none in
            [&[][..], &["wh_1"], &["Bearer"], &["Bearer "], &["Basic wh_1"], &["Bearer a", "Bearer b"]]
        {
            assert_eq!(headers(none), None, "{none:?}");
        }
    }
}
