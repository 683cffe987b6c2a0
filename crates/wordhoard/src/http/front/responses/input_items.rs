use axum::extract::{RawQuery, State};
use axum::response::Json;
use serde_json::{Value, json};
use wordhoard_engine::ReadError;

use super::stored::Stored;
use crate::http::Surface;
use crate::http::front::answer_bodies::InputItems;
use crate::http::front::told_problems::OpenAiProblems;
use crate::http::problem::Problem;
use crate::http::query::{Query, invalid};
use crate::http::request_path::{RequestPath, ResponsePath};

/// Items of a page where nothing is said, and at most:
/// <https://platform.openai.com/docs/api-reference/responses/input-items>.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

const LIMIT: &str = "a whole number from 1 to 100";
const ORDER: &str = "asc or desc";
const AFTER: &str = "the id of an item of this response";

/// List the items that a response was asked with, those of earlier responses included.
#[utoipa::path(
    get,
    path = "/v1/responses/{response_id}/input_items",
    operation_id = "list_input_items",
    tag = "drop-in",
    params(
        ("response_id" = String, Path, description = "As the response has it"),
        ("after" = Option<String>, Query, description = "Begin after the item with this id"),
        ("limit" = Option<usize>, Query, description = "Items of the page; 20 if left out", minimum = 1, maximum = 100),
        ("order" = Option<String>, Query, description = "`desc` (newest first, the default) or `asc`", pattern = "^(asc|desc)$"),
    ),
    responses(
        (status = 200, description = "A page of the items", body = InputItems),
        OpenAiProblems<(RequestPath, Query, ReadError)>,
    )
)]
pub(in crate::http::front) async fn input_items(
    State(surface): State<Surface>,
    ResponsePath(id): ResponsePath,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let query = Query::parse(query.as_deref(), &["after", "limit", "order", "include", "include[]"])?;
    let limit = query.get::<usize>("limit", LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid("limit", &limit.to_string(), LIMIT));
    }
    let order = query.get::<String>("order", ORDER)?.unwrap_or_else(|| "desc".to_owned());
    let mut items: Vec<Value> =
        Stored::find(&surface, id).await?.items()?.into_iter().enumerate().map(with_id).collect();
    match order.as_str() {
        "asc" => {}
        "desc" => items.reverse(),
        other => return Err(invalid("order", other, ORDER)),
    }
    if let Some(after) = query.get::<String>("after", AFTER)? {
        let Some(place) = items.iter().position(|item| item["id"] == after.as_str()) else {
            return Err(invalid("after", &after, AFTER));
        };
        items.drain(..=place);
    }
    let has_more = items.len() > limit;
    items.truncate(limit);
    let id_of = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    Ok(Json(json!({
        "object": "list",
        "first_id": id_of(items.first()),
        "last_id": id_of(items.last()),
        "has_more": has_more,
        "data": items,
    })))
}

/// An item that came without an id is known by its place.
fn with_id((place, mut item): (usize, Value)) -> Value {
    if let Some(fields) = item.as_object_mut()
        && !fields.get("id").is_some_and(Value::is_string)
    {
        fields.insert("id".to_owned(), format!("item_{place}").into());
    }
    item
}
