//! A request that is asked again with what of its answer had come: Codex puts each item that came whole behind the items of its
//! request, and asks for the rest (seen with Codex 0.171.0).

use axum::http::Uri;
use serde_json::{Map, Value};
use wordhoard_engine::EarlierQuestion;
use wordhoard_providers::ClientCredential;

use crate::http::front::forwarding;

/// Items of an answer that are looked at.
const MAX_ITEMS: usize = 16;

/// The items of an answer with which a request ends that asks for a stream; hardly any has some.
pub(super) fn of_request(fields: &Map<String, Value>) -> Vec<Value> {
    let is_stream = fields.get("stream").is_some_and(|stream| *stream == true);
    let Some(items) = fields.get("input").and_then(Value::as_array).filter(|_| is_stream) else {
        return Vec::new();
    };
    let count = items.iter().rev().take(MAX_ITEMS).take_while(|item| is_of_an_answer(item)).count();
    items[items.len() - count..].to_vec()
}

/// What may have been asked before, with the fewest of the items of an answer first.
pub(super) fn earlier_questions(
    shown: &[Value],
    uri: &Uri,
    fields: &Map<String, Value>,
    credential: Option<&ClientCredential>,
) -> Vec<EarlierQuestion> {
    let question = |shown_items: usize| {
        let items = &shown[shown.len() - shown_items..];
        EarlierQuestion {
            sha256: forwarding::question(uri, fields, shown_items, credential),
            shown_items,
            text: texts_of(items, "message"),
            reasoning: texts_of(items, "reasoning"),
        }
    };
    (1..=shown.len()).map(question).collect()
}

/// The results of calls are the client's own, and end with them.
fn is_of_an_answer(item: &Value) -> bool {
    match item.get("type").and_then(Value::as_str) {
        None | Some("message") => item.get("role").is_some_and(|role| *role == "assistant"),
        Some(kind) => kind == "reasoning" || kind.ends_with("_call"),
    }
}

fn texts_of(items: &[Value], kind: &str) -> String {
    let of_kind = items.iter().filter(|item| item.get("type").is_some_and(|of| *of == kind));
    let parts = of_kind.flat_map(|item| {
        let lists = ["summary", "content"].into_iter().filter_map(|list| item.get(list)?.as_array());
        lists.flatten().filter_map(|part| part.get("text")?.as_str())
    });
    parts.collect()
}
