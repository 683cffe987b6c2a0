use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use wordhoard_model::RequestId;

use super::problem::Problem;

/// The id in a path. What is no id, whatever bytes it has, is an id that no request has.
pub(super) struct RequestPath(pub(super) RequestId);

impl<S: Send + Sync> FromRequestParts<S> for RequestPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let id = text.ok().and_then(|Path(text)| text.parse().ok());
        id.map(Self).ok_or_else(Problem::no_such_request)
    }
}
