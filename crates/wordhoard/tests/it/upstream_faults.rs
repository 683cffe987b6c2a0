//! Providers that misbehave, through the whole server: every token before the fault is kept, every attempt ends with
//! its reason and in time, and the server goes on.

mod demo;
mod flood;
mod secrets;
mod table;

use std::path::Path;

use serde_json::Value;
use wordhoard_testkit::client::SeenEvent;

/// Time limits that a test can wait for; each is another, so that one sees which it was.
const CONNECT_MS: u64 = 600;
const FIRST_TOKEN_MS: u64 = 1_500;
const BETWEEN_TOKENS_MS: u64 = 1_000;
/// What ends an answer that shows signs of life for ever.
const TOTAL_MS: u64 = 15_000;

/// The table of a provider with those limits.
fn provider_table(name: &str, base_url: &str) -> String {
    format!(
        "[[providers]]\nname = {name:?}\ndialect = \"openai\"\nbase_url = {base_url:?}\nallow_private = true\n\
         timeouts = {{ connect = \"{CONNECT_MS}ms\", first_token = \"{FIRST_TOKEN_MS}ms\", \
         between_bytes = \"{BETWEEN_TOKENS_MS}ms\", total = \"{TOTAL_MS}ms\" }}\n"
    )
}

/// Kind and text of every token, in the order of the stream.
fn tokens(events: &[SeenEvent]) -> Vec<(String, String)> {
    let tokens = events.iter().filter(|event| event.name == "token");
    let text = |token: &SeenEvent, field: &str| token.data[field].as_str().unwrap().to_owned();
    tokens.map(|token| (text(token, "kind"), text(token, "text"))).collect()
}

/// The only event of that name.
fn only<'a>(events: &'a [SeenEvent], name: &str) -> &'a Value {
    let mut found = events.iter().filter(|event| event.name == name);
    match (found.next(), found.next()) {
        (Some(event), None) => &event.data,
        other => panic!("{name}: {other:?}"),
    }
}

/// Milliseconds between two events, by their own times.
fn millis_between(earlier: &Value, later: &Value) -> i64 {
    let at = |data: &Value| data["ts"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    at(later).as_millisecond() - at(earlier).as_millisecond()
}

/// The tokens of a request as SQL has them, NUL no longer escaped.
fn stored_tokens(data_dir: &Path, id: &str) -> Vec<(String, String)> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(data_dir.join("wordhoard.db"), flags).unwrap();
    let mut statement = database
        .prepare(
            "SELECT kind, text FROM llm_token_log WHERE lower(hex(request_id)) = ?1
             ORDER BY attempt_seq, token_index",
        )
        .unwrap();
    let rows = statement
        .query_map([id.replace('-', "")], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?.replace("\u{fdd0}0", "\0")))
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}
