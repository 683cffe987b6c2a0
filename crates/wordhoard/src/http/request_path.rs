//! The id of a request or a response in a path. Taking it out checks whether its caller may see that request, so that no route
//! can forget to (SPEC FD 11).

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use wordhoard_model::RequestId;
use wordhoard_store::Owners;

use super::Surface;
use super::problem::{Problem, can_fail};
use crate::access::Caller;

/// What stands before a request's id where it is a response.
pub(super) const RESPONSE_PREFIX: &str = "resp_";

/// The id of a request that its caller sees. What is no id, whatever bytes it has, is an id that no request has.
pub(super) struct RequestPath(pub(super) RequestId);

/// The same of a response, which also is known by its request's id.
pub(super) struct ResponsePath(pub(super) RequestId);

/// Whose requests the caller sees.
pub(super) struct Seen(pub(super) Owners);

can_fail!(RequestPath: NoSuchRequest, HistoryUnavailable);

impl FromRequestParts<Surface> for RequestPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, surface: &Surface) -> Result<Self, Problem> {
        Ok(Self(seen_id(parts, surface, |text| text.parse().ok()).await?))
    }
}

impl FromRequestParts<Surface> for ResponsePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, surface: &Surface) -> Result<Self, Problem> {
        Ok(Self(seen_id(parts, surface, response_id).await?))
    }
}

impl FromRequestParts<Surface> for Seen {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, surface: &Surface) -> Result<Self, Infallible> {
        Ok(Self(owners(parts, surface)))
    }
}

/// The request that an id of a response stands for.
pub(super) fn response_id(text: &str) -> Option<RequestId> {
    text.strip_prefix(RESPONSE_PREFIX).unwrap_or(text).parse().ok()
}

fn owners(parts: &Parts, surface: &Surface) -> Owners {
    surface.access.owners(parts.extensions.get::<Caller>().copied())
}

async fn seen_id(
    parts: &mut Parts,
    surface: &Surface,
    read: impl Fn(&str) -> Option<RequestId>,
) -> Result<RequestId, Problem> {
    let text = Path::<String>::from_request_parts(parts, surface).await;
    let id = text.ok().and_then(|Path(text)| read(&text)).ok_or_else(Problem::no_such_request)?;
    check_seen(surface, &owners(parts, surface), id).await?;
    Ok(id)
}

/// Whether these owners' requests include that one.
///
/// # Errors
/// The same as where there is no such request; and where its owner cannot be known now.
pub(super) async fn check_seen(surface: &Surface, owners: &Owners, id: RequestId) -> Result<(), Problem> {
    if *owners == Owners::All {
        return Ok(());
    }
    let key = surface.engine.key_of(id).await?;
    match key.is_some_and(|key| owners.include(key)) {
        true => Ok(()),
        false => Err(Problem::no_such_request()),
    }
}
