use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};
use wordhoard_model::TokenKind;
use wordhoard_testkit::provider::{expected_deltas, expected_tokens};
use wordhoard_wire::{Delta, Dialect, Limits, ToolCallPiece};

use super::{DIALECTS, Front};
use crate::raw_http::{Raw, send};

const PROMPT: &str = "why do foxes jump";
const IMAGE: &str = "iVBORw0KGgo=";
/// A name that stands in the schema and nowhere else.
const PROPERTY: &str = "height_of_the_jump";

const FRONTS: [(&str, Dialect); 3] = [
    ("/v1/chat/completions", Dialect::OpenAiChat),
    ("/v1/responses", Dialect::OpenAiResponses),
    ("/v1/messages", Dialect::Anthropic),
];

const HEAD: &str = "\
# What stands in front of what

Made by `crates/wordhoard/tests/it/front/matrix.rs`, which tries each cell through the whole server against a provider that speaks the dialect behind; to accept a change, build with
`UPDATE_FIXTURES=1` and read the difference. *parallel tools*: two calls whose fragments alternate. *image*: inline, in base64. *error before*: the provider answers 500, the client gets 502. *error in
mid-stream*: seven tokens, then the connection breaks; the client gets the seven and an error, never an end.

| in front | behind | text | stream | parallel tools | image | schema | reasoning | error before | error in mid-stream |
|---|---|---|---|---|---|---|---|---|---|
";

/// What is asked in the dialect of a front, with what a feature needs.
fn body(front: Dialect, model: &str, feature: &str) -> Value {
    let schema = json!({"type": "object", "properties": {PROPERTY: {"type": "number"}}, "required": [PROPERTY],
        "additionalProperties": false});
    let url = format!("data:image/png;base64,{IMAGE}");
    let has_image = feature == "image";
    let mut body = match front {
        Dialect::OpenAiChat => {
            let mut content = vec![json!({"type": "text", "text": PROMPT})];
            content.extend(has_image.then(|| json!({"type": "image_url", "image_url": {"url": url}})));
            json!({"messages": [{"role": "user", "content": content}]})
        }
        Dialect::OpenAiResponses => {
            let mut content = vec![json!({"type": "input_text", "text": PROMPT})];
            content.extend(has_image.then(|| json!({"type": "input_image", "image_url": url})));
            json!({"input": [{"role": "user", "content": content}]})
        }
        _ => {
            let mut content = vec![json!({"type": "text", "text": PROMPT})];
            let source = json!({"type": "base64", "media_type": "image/png", "data": IMAGE});
            content.extend(has_image.then(|| json!({"type": "image", "source": source})));
            json!({"max_tokens": 500, "messages": [{"role": "user", "content": content}]})
        }
    };
    match (feature, front) {
        ("schema", Dialect::OpenAiChat) => {
            body["response_format"] =
                json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
        }
        ("schema", Dialect::OpenAiResponses) => {
            body["text"] = json!({"format": {"type": "json_schema", "name": "n", "schema": schema}});
        }
        ("schema", _) => body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}}),
        _ => {}
    }
    body["model"] = model.into();
    body["stream"] = matches!(feature, "stream" | "error in mid-stream").into();
    body
}

async fn post(front: &Front, path: &str, body: &Value) -> Raw {
    let client = front.server.client();
    let request = client.http().post(client.url(path)).header("content-type", "application/json");
    let mut response = request.body(body.to_string()).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut told = Vec::new();
    // Where the answer is not whole, the connection breaks behind what was told.
    while let Ok(Some(bytes)) = response.chunk().await {
        told.extend_from_slice(&bytes);
    }
    Raw { status, headers, body: String::from_utf8(told).unwrap() }
}

fn joined(deltas: &[Delta], kind: TokenKind) -> String {
    deltas.iter().filter(|delta| delta.kind == kind).map(|delta| delta.text.as_str()).collect()
}

fn expected(model: &str, kind: TokenKind) -> String {
    let deltas = expected_deltas(model, PROMPT).into_iter();
    deltas.filter(|(of, _)| *of == kind).map(|(_, text)| text).collect()
}

/// `yes`, or the field by whose name it is refused.
async fn cell(front: &Front, (path, dialect): (&str, Dialect), behind: &str, feature: &str) -> String {
    let behaviour = match feature {
        "parallel tools" => "tools",
        "reasoning" => "reasoning",
        "error before" => "status-500",
        "error in mid-stream" => "cut-after-7",
        _ => "ok-20",
    };
    let case = format!("{path} before {behind}: {feature}");
    let answer = post(front, path, &body(dialect, &format!("{behind}:{behaviour}"), feature)).await;
    if answer.status == 400 {
        let told = answer.json();
        let field = told["error"]["param"].as_str().or(told["error"]["message"].as_str());
        return format!("refused: {}", field.unwrap_or_else(|| panic!("{case}: {told}")));
    }
    let mut deltas = Vec::new();
    let end = if matches!(feature, "stream" | "error in mid-stream") {
        let mut decoder = dialect.stream_decoder(Limits::default());
        let pushed = decoder.push(answer.body.as_bytes(), &mut deltas);
        pushed.and_then(|()| decoder.end_of_body(&mut deltas)).and_then(|()| decoder.finish())
    } else {
        dialect.decode_answer(answer.body.as_bytes(), &mut deltas)
    };
    let asked = front.mock.calls().last().unwrap().body.to_string();
    let works = match feature {
        "error before" => answer.status == 502,
        "error in mid-stream" => {
            end.is_err() && joined(&deltas, TokenKind::Text) == expected_tokens("ok-7", PROMPT).concat()
        }
        "parallel tools" => {
            let pieces = deltas.iter().filter(|delta| delta.kind == TokenKind::ToolCall);
            let names: Vec<_> =
                pieces.filter_map(|delta| ToolCallPiece::from_text(&delta.text).name).collect();
            end.is_ok() && names == ["tool_0", "tool_1"]
        }
        "reasoning" => {
            let same = |kind| joined(&deltas, kind) == expected("reasoning", kind);
            end.is_ok() && same(TokenKind::Reasoning) && same(TokenKind::Text)
        }
        "image" => end.is_ok() && asked.contains(IMAGE),
        "schema" => end.is_ok() && asked.contains(PROPERTY),
        _ => end.is_ok() && joined(&deltas, TokenKind::Text) == expected("ok-20", TokenKind::Text),
    };
    assert!(works, "{case}: {} {}\nasked: {asked}", answer.status, answer.body);
    "yes".to_owned()
}

#[tokio::test]
async fn every_dialect_in_front_of_every_dialect_works_or_refuses_by_name() {
    let front = Front::open("");
    let mut table = HEAD.to_owned();
    for (path, dialect) in FRONTS {
        for behind in DIALECTS {
            write!(table, "| `{path}` | {behind} |").unwrap();
            for feature in [
                "text",
                "stream",
                "parallel tools",
                "image",
                "schema",
                "reasoning",
                "error before",
                "error in mid-stream",
            ] {
                let told = cell(&front, (path, dialect), behind, feature).await;
                write!(table, " {told} |").unwrap();
            }
            table.push('\n');
        }
    }
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compatibility.md");
    if option_env!("UPDATE_FIXTURES").is_some() {
        std::fs::write(&document, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(document).unwrap_or_default(), table);
    // Nothing else is taken for one of these.
    let client = front.server.client();
    let none = send(client.http().post(client.url("/v1/completions"))).await;
    assert_eq!(none.status, 404);
}
