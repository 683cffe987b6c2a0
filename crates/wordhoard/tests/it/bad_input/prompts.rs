//! Bodies that are JSON objects and break a rule.

use serde_json::{Value, json};

use super::Gate;

/// A prompt that would be taken in, with one field set to another value.
fn with(field: &str, value: Value) -> Value {
    let mut body = json!({ "prompt": "hello", "models": ["demo:terse"] });
    body[field] = value;
    body
}

fn texts() -> Vec<(String, Value, u16, &'static str)> {
    let mut rows = Vec::new();
    for (field, limit) in [("prompt", 8_000), ("system_message", 2_000)] {
        let too_long = limit + 1;
        for text in [
            String::new(),
            " \t\r\n\u{a0}\u{3000}".into(),
            "x".repeat(too_long),
            "🦀".repeat(too_long),
            "a\0b".into(),
            "\0".into(),
            "a\u{1b}[31mred".into(),
            "\u{7f}".into(),
            "a\u{85}b".into(),
            "a\u{9b}b".into(),
        ] {
            let case = format!("{field} {:?}", text.chars().take(12).collect::<String>());
            rows.push((case, with(field, text.into()), 400, field));
        }
        for wrong in [json!(5), json!(true), json!(["x"]), json!({ "x": 1 })] {
            rows.push((format!("{field} {wrong}"), with(field, wrong), 422, field));
        }
    }
    rows
}

fn models() -> Vec<(String, Value, u16, &'static str)> {
    let object = |part: &str, value: Value| {
        let mut model = json!({ "provider": "demo", "model": "terse" });
        model[part] = value;
        json!([model])
    };
    let rows = [
        (json!([]), "models"),
        (json!(vec!["demo:terse"; 6]), "models"),
        (json!("demo:terse"), "models"),
        (json!({ "provider": "demo", "model": "terse" }), "models"),
        (json!(1), "models"),
        (json!([1]), "models[0]"),
        (json!([null]), "models[0]"),
        (json!([["demo:terse"]]), "models[0]"),
        (json!(["demo:terse", "nobody:gpt"]), "models[1]"),
        (json!(["openai:gpt-4o"]), "models[0]"),
        (json!(["demo:genius"]), "models[0]"),
        (json!(["genius"]), "models[0]"),
        (json!([""]), "models[0]"),
        (json!([":"]), "models[0]"),
        (json!(["demo:"]), "models[0]"),
        (json!(["demo:terse "]), "models[0]"),
        (json!(["Demo:terse"]), "models[0]"),
        (json!(["demo:te\0rse"]), "models[0]"),
        (json!([{ "provider": "demo" }]), "models[0].model"),
        (json!([{ "model": "terse" }]), "models[0].provider"),
        (json!([{}]), "models[0].provider"),
        (object("provider", json!(1)), "models[0].provider"),
        (object("provider", json!("De mo")), "models[0].provider"),
        (object("provider", json!("nobody")), "models[0]"),
        (object("model", json!(null)), "models[0].model"),
        (object("model", json!("x".repeat(201))), "models[0].model"),
        (object("model", json!("genius")), "models[0]"),
        (object("weight", json!(0)), "models[0].weight"),
        (object("weight", json!(-0.5)), "models[0].weight"),
        (object("weight", json!(1.01)), "models[0].weight"),
        (object("weight", json!(2)), "models[0].weight"),
        (object("weight", json!("1")), "models[0].weight"),
        (object("colour", json!("red")), "models[0]"),
    ];
    let row = |(models, field): (Value, _)| {
        let case: String = format!("models {models}").chars().take(80).collect();
        (case, with("models", models), 422, field)
    };
    rows.into_iter().map(row).collect()
}

fn parameters() -> Vec<(String, Value, u16, &'static str)> {
    let rows = [
        ("max_tokens", json!(0)),
        ("max_tokens", json!(-1)),
        ("max_tokens", json!(1.5)),
        ("max_tokens", json!("x")),
        ("max_tokens", json!("5")),
        ("max_tokens", json!(true)),
        ("max_tokens", json!(4_294_967_296_u64)),
        ("max_tokens", json!([1])),
        ("temperature", json!(2.1)),
        ("temperature", json!(-0.1)),
        ("temperature", json!("hot")),
        ("temperature", json!(false)),
        ("top_p", json!(1.5)),
        ("top_p", json!({})),
        ("frequency_penalty", json!(-3)),
        ("presence_penalty", json!("x")),
        ("max_completion_tokens", json!(0)),
        ("seed", json!(1.5)),
        ("stop", json!([1])),
        ("stop", json!(1)),
        ("tools", json!({})),
        ("tools[0]", json!(["x"])),
        ("tools[0]", json!([{ "type": "function" }])),
        ("tools[1]", json!([{ "type": "function", "function": { "name": "f" } }, { "type": "web_search" }])),
        ("tool_choice", json!(1)),
        ("tool_choice", json!("perhaps")),
        ("response_format", json!({ "type": "yaml" })),
        ("response_format", json!({ "type": "json_schema" })),
        ("parallel_tool_calls", json!("yes")),
        ("response_format", json!("json")),
        ("logit_bias", json!([])),
        ("metadata", json!("x")),
        ("user", json!(1)),
        ("reasoning_effort", json!(1)),
        ("verbosity", json!(1)),
        ("service_tier", json!(1)),
        ("prediction", json!("x")),
        // Not a field of this request, whatever its value.
        ("colour", json!("red")),
        ("Prompt", json!("hello")),
        ("stream", json!(true)),
        ("n", json!(2)),
        ("model", json!("demo:terse")),
        ("api_key", json!("x")),
        ("base_url", json!("http://127.0.0.1:1")),
        ("", json!(null)),
        ("__proto__", json!({})),
    ];
    let row = |(field, value): (&'static str, Value)| {
        let name = field.split('[').next().unwrap_or_default();
        (format!("{field:?} {value}"), with(name, value), 422, field)
    };
    rows.into_iter().map(row).collect()
}

fn fallbacks() -> Vec<(String, Value, u16, &'static str)> {
    let rows = [
        (json!([]), "fallback"),
        (json!(1), "fallback"),
        (json!("demo:terse"), "fallback"),
        (json!({ "models": ["demo:terse"] }), "fallback"),
        (json!(vec!["demo:terse"; 11]), "fallback"),
        (json!(["demo:terse", "nobody:gpt"]), "fallback[1]"),
        (json!([7]), "fallback[0]"),
        (json!([{ "provider": "demo" }]), "fallback[0].model"),
    ];
    let row = |(value, field): (Value, _)| {
        let case: String = format!("fallback {value}").chars().take(80).collect();
        (case, with("fallback", value), 422, field)
    };
    rows.into_iter().map(row).collect()
}

#[tokio::test]
async fn every_broken_rule_is_refused_by_the_name_of_its_field() {
    let gate = Gate::open();
    let missing = [
        ("nothing at all".to_owned(), json!({}), 422, "prompt"),
        ("no prompt".to_owned(), json!({ "models": ["demo:terse"] }), 422, "prompt"),
        ("prompt null".to_owned(), with("prompt", Value::Null), 422, "prompt"),
    ];
    let all = missing.into_iter().chain(texts()).chain(models()).chain(parameters()).chain(fallbacks());
    for (case, body, status, field) in all {
        gate.refuses(&case, "application/json", body.to_string(), status, Some(field)).await;
        let validation = gate.validates_as(&body).await;
        assert_eq!(validation["valid"], false, "{case}: {validation}");
        assert_eq!(validation["errors"][0]["field"], field, "{case}: {validation}");
    }
    gate.assert_nothing_stored().await;
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let gate = Gate::open();
    let body =
        json!({ "prompt": "a\0b", "system_message": " ", "models": ["x", 1], "max_tokens": 0, "colour": 1 });
    let answer = gate.client.post("/api/llm/prompt", &body).await.unwrap();
    assert_eq!((answer.status, answer.body["field"].as_str()), (400, Some("prompt")));
    let errors = answer.body["errors"].as_array().unwrap().iter();
    let mut fields: Vec<&str> = errors.map(|error| error["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["colour", "max_tokens", "models[0]", "models[1]", "prompt", "system_message"]);
    gate.assert_nothing_stored().await;
}

#[tokio::test]
async fn the_length_is_told_where_a_text_is_too_long() {
    let gate = Gate::open();
    let body = json!({ "prompt": "ä".repeat(8_001) });
    let answer = gate.client.post("/api/llm/prompt", &body).await.unwrap();
    assert_eq!(answer.body["detail"], "prompt has 8001 characters; at most 8000 are allowed");
    gate.assert_nothing_stored().await;
}
