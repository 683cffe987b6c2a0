//! Which problems a call can end with, as the OpenAPI document tells it: the types that a handler fails with list their kinds
//! once, beside the place where they become problems.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use utoipa::IntoResponses;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use super::{Problem, ProblemKind};

/// Something that a handler can fail with.
pub(in crate::http) trait CanFail {
    /// The kinds of problem that become of it.
    fn kinds() -> Vec<ProblemKind>;
}

/// Lists the kinds of problem that a type can become.
macro_rules! can_fail {
    ($failing:ty: $($kind:ident),+ $(,)?) => {
        impl $crate::http::problem::CanFail for $failing {
            fn kinds() -> Vec<$crate::http::problem::ProblemKind> {
                vec![$($crate::http::problem::ProblemKind::$kind),+]
            }
        }
    };
}
pub(in crate::http) use can_fail;

macro_rules! any_of {
    ($($part:ident),+) => {
        impl<$($part: CanFail),+> CanFail for ($($part,)+) {
            fn kinds() -> Vec<ProblemKind> {
                [$($part::kinds()),+].concat()
            }
        }
    };
}
any_of!(A, B);
any_of!(A, B, C);
any_of!(A, B, C, D);
any_of!(A, B, C, D, E);

/// The problems of a call of the native API, for its `responses(…)`.
pub(in crate::http) struct Problems<T>(PhantomData<T>);

impl<T: CanFail> IntoResponses for Problems<T> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        told_of(&T::kinds(), "application/problem+json", "Problem", ProblemKind::status)
    }
}

/// The answers with these problems, by their statuses, in a shape that the document knows by the name `schema`.
pub(in crate::http) fn told_of(
    kinds: &[ProblemKind],
    content_type: &str,
    schema: &str,
    status_of: impl Fn(ProblemKind) -> StatusCode,
) -> BTreeMap<String, RefOr<Response>> {
    let mut meanings: BTreeMap<StatusCode, Vec<String>> = BTreeMap::new();
    for kind in kinds {
        let said = format!("`{}`: {}", kind.slug(), kind.meaning());
        let of_status = meanings.entry(status_of(*kind)).or_default();
        if !of_status.contains(&said) {
            of_status.push(said);
        }
    }
    let answer = |(status, meanings): (StatusCode, Vec<String>)| {
        let response = ResponseBuilder::new().description(meanings.join("\n"));
        let content = Content::new(Some(Ref::from_schema_name(schema)));
        let response = response.content(content_type, content).build();
        (status.as_u16().to_string(), response.into())
    };
    meanings.into_iter().map(answer).collect()
}

/// Ends the connection of an answer with a problem that the document does not have. Only in builds with debug assertions.
pub(in crate::http) async fn check_told(
    State(document): State<Arc<OpenApi>>,
    request: Request,
    next: Next,
) -> axum::response::Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let response = next.run(request).await;
    if let (Some(problem), Some(path)) = (response.extensions().get::<Problem>(), path)
        && let Some(operation) = operation(&document, &path, &method)
    {
        let slug = format!("`{}`", problem.kind.slug());
        let is_told = operation.responses.responses.values().any(|told| match told {
            RefOr::T(told) => told.description.contains(&slug),
            RefOr::Ref(_) => false,
        });
        assert!(is_told, "the document has no {slug} at {method} {path}: {}", problem.detail);
    }
    response
}

fn operation<'a>(document: &'a OpenApi, path: &str, method: &Method) -> Option<&'a Operation> {
    let item = document.paths.paths.get(path)?;
    match method.as_str() {
        "GET" => item.get.as_ref(),
        "PUT" => item.put.as_ref(),
        "POST" => item.post.as_ref(),
        "DELETE" => item.delete.as_ref(),
        _ => None,
    }
}
