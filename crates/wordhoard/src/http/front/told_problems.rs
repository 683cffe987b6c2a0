//! The problems of the drop-in APIs, as the OpenAPI document tells them: in the shapes of their dialects.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use utoipa::openapi::{RefOr, Response};
use utoipa::{IntoResponses, ToSchema};

use super::errors::Shape;
use crate::http::problem::{CanFail, ProblemKind, told_of};

/// The problems of a call of OpenAI's API.
pub(super) struct OpenAiProblems<T>(PhantomData<T>);

/// The problems of a call of Anthropic's API.
pub(super) struct AnthropicProblems<T>(PhantomData<T>);

impl<T: CanFail> IntoResponses for OpenAiProblems<T> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        told(Shape::OpenAi, &T::kinds())
    }
}

impl<T: CanFail> IntoResponses for AnthropicProblems<T> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        told(Shape::Anthropic, &T::kinds())
    }
}

pub(in crate::http) fn told(shape: Shape, kinds: &[ProblemKind]) -> BTreeMap<String, RefOr<Response>> {
    let schema = match shape {
        Shape::OpenAi => "OpenAiError",
        Shape::Anthropic => "AnthropicError",
    };
    told_of(kinds, "application/json", schema, |kind| shape.status_of(kind, kind.status()))
}

/// An error as OpenAI's clients read it: <https://platform.openai.com/docs/guides/error-codes>.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the document of the API is made of it; the errors are made of problems")]
pub(in crate::http) struct OpenAiError {
    error: OpenAiErrorDetails,
}

/// What is wrong.
#[derive(ToSchema)]
#[expect(dead_code, reason = "as above")]
pub(in crate::http) struct OpenAiErrorDetails {
    /// What is wrong with this very request, for people.
    message: String,
    /// `invalid_request_error`, `rate_limit_error`, `insufficient_quota`, `server_error`, or a provider's own.
    r#type: Option<String>,
    /// The field at fault, where one is.
    param: Option<String>,
    /// The kind, such as `context_length_exceeded`.
    code: Option<String>,
}

/// An error as Anthropic's clients read it: <https://docs.anthropic.com/en/api/errors>.
#[derive(ToSchema)]
#[expect(dead_code, reason = "as above")]
pub(in crate::http) struct AnthropicError {
    /// `error`.
    r#type: String,
    error: AnthropicErrorDetails,
}

/// What is wrong.
#[derive(ToSchema)]
#[expect(dead_code, reason = "as above")]
pub(in crate::http) struct AnthropicErrorDetails {
    /// Such as `invalid_request_error`, `not_found_error` or `overloaded_error`.
    r#type: String,
    /// What is wrong with this very request, for people.
    message: String,
}
