use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Object, RefOr, Response, ResponseBuilder};

/// How each call that asks a model of a provider can be refused or fail, as the OpenAPI document has it.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let told = [
            ("403", "The key may not ask the model"),
            ("404", "No such model"),
            ("408", "The body came too slowly"),
            ("413", "The body is too long"),
            ("415", "Not application/json"),
            ("429", "The provider limits its rate, or the key has used what it may"),
            ("502", "The provider failed"),
            ("504", "The provider took too long"),
        ];
        let response = |(status, description): (&str, &str)| {
            let error = ContentBuilder::new().schema(Some(Object::new())).build();
            let response = ResponseBuilder::new().description(description).content("application/json", error);
            (status.to_owned(), response.build().into())
        };
        told.into_iter().map(response).collect()
    }
}
