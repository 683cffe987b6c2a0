use serde_json::{Value, json};

use super::collector::Collector;
use super::home;
use crate::raw_http;

const SERVER: i64 = 2;
const CLIENT: i64 = 3;
const INTERNAL: i64 = 1;
const STATUS_ERROR: i64 = 2;

fn named<'a>(spans: &'a [Value], name: &str) -> &'a Value {
    spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no {name}: {spans:#?}"))
}

#[tokio::test]
async fn a_prompt_is_one_trace_of_its_caller() {
    let (trace_id, caller) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let collector = Collector::start();
    let home = home(&collector.endpoint());
    let mut server = home.start().unwrap();
    let client = server.client();
    let body = json!({
        "prompt": "canary-of-a-prompt [demo tokens=40 rate=40] [flaky error-500]",
        "models": ["demo:brisk", "demo:flaky"],
        "max_tokens": 500,
        "temperature": 0.5,
    });
    let request = client.http().post(client.url("/api/llm/prompt"));
    let request = request.header("traceparent", format!("00-{trace_id}-{caller}-01"));
    let request = request.header("content-type", "application/json").body(body.to_string());
    let accepted = raw_http::send(request).await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    let id = accepted.json()["request_id"].as_str().unwrap().to_owned();
    server.terminate().unwrap();
    assert!(server.wait(std::time::Duration::from_secs(30)).unwrap().success());
    // The last ones are sent when the server stops, so all of them are there.
    let spans = collector.spans(4);
    let (http, request) = (named(&spans, "POST /api/llm/prompt"), named(&spans, "request"));
    let (brisk, flaky) = (named(&spans, "chat brisk"), named(&spans, "chat flaky"));
    for span in [http, request, brisk, flaky] {
        assert_eq!(span["trace_id"], trace_id, "{span}");
        assert_eq!(span["resource"]["service.name"], "wordhoard");
        assert_eq!(span["events"], 0);
    }
    let parents = [http, request, brisk, flaky].map(|span| &span["parent_span_id"]);
    assert_eq!(parents, [&json!(caller), &http["span_id"], &request["span_id"], &request["span_id"]]);
    let kinds = [http, request, brisk, flaky].map(|span| span["kind"].as_i64().unwrap());
    assert_eq!(kinds, [SERVER, INTERNAL, CLIENT, CLIENT]);
    assert_eq!(http["attributes"]["http.response.status_code"], 202);
    assert_eq!(http["attributes"]["http.route"], "/api/llm/prompt");
    let nanos = |span: &Value, end: &str| span[end].as_u64().unwrap();
    let tail = nanos(request, "end") - nanos(http, "end");
    assert!(tail > 500_000_000, "the call's span ends with its answer, {tail} ns before the request");
    assert_eq!(request["attributes"]["wordhoard.request_id"], id.as_str());

    let whole = &brisk["attributes"];
    for (name, value) in [
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("demo")),
        ("gen_ai.request.model", json!("brisk")),
        ("gen_ai.request.stream", json!(true)),
        ("gen_ai.request.max_tokens", json!(500)),
        ("gen_ai.request.temperature", json!(0.5)),
        ("gen_ai.response.finish_reasons", json!(["stop"])),
        ("gen_ai.usage.output_tokens", json!(40)),
        ("wordhoard.attempt_seq", json!(1)),
    ] {
        assert_eq!(whole[name], value, "{name}: {whole}");
    }
    assert!(whole["gen_ai.response.model"].is_string(), "{whole}");
    assert!(whole["gen_ai.usage.input_tokens"].as_i64() > Some(0), "{whole}");
    assert!(whole["gen_ai.response.time_to_first_chunk"].as_f64() > Some(0.0), "{whole}");
    assert!(whole.get("error.type").is_none());
    let broken = &flaky["attributes"];
    assert_eq!((&flaky["status"], &broken["error.type"]), (&json!(STATUS_ERROR), &json!("provider_error")));
    assert_eq!(broken["http.response.status_code"], 500);

    let document = json!(spans).to_string();
    assert!(!document.contains("canary"), "a text is in a span: {document}");
    let log = server.output().unwrap();
    let line = log.lines().find(|line| line.contains("\"request finished\"")).unwrap();
    assert!(line.contains(trace_id), "{line}");
}

#[tokio::test]
async fn a_caller_that_does_not_want_its_trace_kept_is_heard() {
    let collector = Collector::start();
    let home = home(&collector.endpoint());
    let mut server = home.start().unwrap();
    let client = server.client();
    let submit = async |flags: &str| {
        let request = client.http().post(client.url("/api/llm/prompt"));
        let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let request = request.header("traceparent", parent).header("content-type", "application/json");
        let answer = raw_http::send(request.body(r#"{"prompt":"[demo tokens=3 rate=0]"}"#)).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        client.wait_for_end(answer.json()["request_id"].as_str().unwrap()).await.unwrap();
    };
    submit("00").await;
    // A header that is none makes a trace of our own.
    submit("nonsense").await;
    server.terminate().unwrap();
    assert!(server.wait(std::time::Duration::from_secs(30)).unwrap().success());
    for span in collector.spans(3) {
        assert_ne!(span["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736", "{span}");
    }
}
