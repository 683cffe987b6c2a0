use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{PathItem, RefOr, Schema};
use utoipa::{Modify, OpenApi};

use super::Surface;
use super::front::{AnthropicError, OpenAiError};
use super::problem::Problem;
use crate::selection::Catalogue;
use wordhoard_model::{ModelRef, ParameterKind, known_parameters};

/// A document with more models would be of nothing else.
const MAX_TOLD_MODELS: usize = 200;

/// The name of the one security scheme.
pub(super) const BEARER: &str = "bearer";

/// The document's head; its paths come from the routes themselves, so a route cannot be forgotten.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Wordhoard",
        description = "One prompt to many models, every token kept, any stream resumed.",
        license(name = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "prompts", description = "Submitting prompts"),
        (name = "requests", description = "Reading, following and stopping requests"),
        (name = "operation", description = "Health and readiness"),
        (name = "drop-in", description = "The APIs of OpenAI and Anthropic"),
        (name = "administration", description = "Keys, providers, requests, the log, maintenance"),
    ),
    components(schemas(Problem, OpenAiError, AnthropicError)),
    modifiers(&Bearer)
)]
pub(super) struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme(BEARER, scheme);
    }
}

/// The calls of a path, with their methods.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, options, head, patch, trace, query, .. } = item;
    [
        ("GET", get),
        ("PUT", put),
        ("POST", post),
        ("DELETE", delete),
        ("OPTIONS", options),
        ("HEAD", head),
        ("PATCH", patch),
        ("TRACE", trace),
        ("QUERY", query),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// A parameter that may be left out is not `null`: a URL and a header have no such value.
pub(super) fn take_null_from_parameters(document: &mut utoipa::openapi::OpenApi) {
    let calls = document.paths.paths.values_mut().flat_map(operations);
    for parameter in calls.flat_map(|(_, operation)| operation.parameters.iter_mut().flatten()) {
        if let RefOr::T(parameter) = parameter
            && let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
            && let SchemaType::Array(types) = &schema.schema_type
            && let Some(of_value) = types.iter().find(|of| **of != Type::Null)
        {
            schema.schema_type = SchemaType::Type(of_value.clone());
        }
    }
}

/// The models that this server knows, in the place of any text. Where a provider lists none, all names are models of it.
fn tell_models(document: &mut Value, catalogue: &Catalogue) {
    let names: Vec<(String, ModelRef)> = catalogue.names();
    if names.len() > MAX_TOLD_MODELS {
        return;
    }
    let texts: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    let open = catalogue.providers_of_any_model();
    let mut as_text = vec![json!({"enum": texts})];
    as_text.extend(
        (!open.is_empty())
            .then(|| json!({"type": "string", "pattern": format!("^({}):[!-~]{{1,200}}$", open.join("|"))})),
    );
    let listed = names.iter().map(|(_, model)| {
        json!({"properties": {"provider": {"const": model.provider.as_str()}, "model": {"const": model.model}}})
    });
    let any_of_it = open.iter().map(|provider| {
        json!({"properties": {"provider": {"const": provider}, "model": {"pattern": "^[!-~]{1,200}$"}}})
    });
    let as_parts: Vec<Value> = listed.chain(any_of_it).collect();
    for (name, narrower) in [("ModelName", as_text), ("ModelParts", as_parts)] {
        document["components"]["schemas"][name]["anyOf"] = narrower.into();
    }
}

/// The further parameters of a prompt, which stand in one table with the values they take.
fn tell_parameters(document: &mut Value) {
    let body = &mut document["components"]["schemas"]["PromptBody"];
    for (name, kind) in known_parameters() {
        let mut schema = schema_of(*kind);
        schema["description"] = format!("As OpenAI's chat dialect has it: {}.", kind.describe()).into();
        body["properties"][*name] = schema;
    }
    body["additionalProperties"] = false.into();
}

const TOOL_NAME: &str = "^[a-zA-Z0-9_-]{1,64}$";

fn schema_of(kind: ParameterKind) -> Value {
    match kind {
        ParameterKind::Number(low, high) => {
            json!({"type": ["number", "null"], "minimum": low, "maximum": high})
        }
        ParameterKind::Integer(low, high) => {
            json!({"type": ["integer", "null"], "minimum": low, "maximum": high})
        }
        ParameterKind::Boolean => json!({"type": ["boolean", "null"]}),
        ParameterKind::Text => json!({"type": ["string", "null"]}),
        ParameterKind::TextOrTexts => {
            json!({"type": ["string", "array", "null"], "items": {"type": "string"}})
        }
        ParameterKind::ToolChoice => json!({"anyOf": [
            {"enum": ["auto", "none", "required", null]},
            {"type": "object", "required": ["type", "function"], "properties": {
                "type": {"const": "function"},
                "function": {
                    "type": "object", "required": ["name"],
                    "properties": {"name": {"type": "string", "pattern": TOOL_NAME}},
                },
            }},
        ]}),
        ParameterKind::Object => json!({"type": ["object", "null"]}),
        ParameterKind::ResponseFormat => json!({"anyOf": [
            {"type": "null"},
            {"type": "object", "required": ["type"],
             "properties": {"type": {"enum": ["text", "json_object"]}}},
            {"type": "object", "required": ["type", "json_schema"],
             "properties": {"type": {"const": "json_schema"}, "json_schema": {
                 "type": "object", "required": ["name"], "properties": {"name": {"type": "string"}},
             }}},
        ]}),
        ParameterKind::Tools => json!({"type": ["array", "null"], "items": {
            "type": "object", "required": ["type", "function"],
            "properties": {
                "type": {"const": "function"},
                "function": {
                    "type": "object", "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "pattern": TOOL_NAME},
                        "description": {"type": ["string", "null"]},
                        "parameters": {"type": ["object", "null"]},
                    },
                },
            },
        }}),
    }
}

/// The document as it is served.
pub(crate) struct Served(Value);

impl Served {
    pub(super) fn of(document: &utoipa::openapi::OpenApi, catalogue: &Catalogue) -> Self {
        let mut document = json!(document);
        tell_models(&mut document, catalogue);
        tell_parameters(&mut document);
        Self(document)
    }
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "operation",
    responses(
        (status = 200, description = "OpenAPI 3.1", body = Object),
    )
)]
pub(super) async fn serve(State(surface): State<Surface>) -> Response {
    Json(surface.document.get().map(|document| &document.0)).into_response()
}
