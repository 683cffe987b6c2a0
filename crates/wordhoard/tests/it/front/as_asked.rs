//! Providers with `upstream_stream = "as_asked"`: who wants one document is answered with one document of the provider's.

use serde_json::{Value, json};
use wordhoard_testkit::provider::{MisbehavingProvider, expected_tokens};
use wordhoard_testkit::server::ServerHome;

use super::errors::post;
use super::{DIALECTS, Front, providers};
use crate::EXE;

/// Each client's dialect, its route, and a request without a model.
fn requests() -> [(&'static str, &'static str, Value); 3] {
    let messages = json!([{"role": "user", "content": "hi"}]);
    [
        ("openai", "/v1/chat/completions", json!({"messages": messages})),
        ("openai_responses", "/v1/responses", json!({"input": "hi"})),
        ("anthropic", "/v1/messages", json!({"messages": messages, "max_tokens": 100})),
    ]
}

fn front(further: &str) -> Front {
    let mock = MisbehavingProvider::start().unwrap();
    let tables = [&providers(&mock, "upstream_stream = \"as_asked\""), further].concat();
    let home = ServerHome::new(EXE, &tables).unwrap();
    let server = home.start().unwrap();
    Front { mock, home, server }
}

/// What the provider is asked last, and whether for a stream.
fn asked_last(front: &Front) -> (Value, bool) {
    let call = front.mock.calls().into_iter().next_back().unwrap();
    let is_stream = call.path.contains("streamGenerateContent") || call.body["stream"] == true;
    (call.body, is_stream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_client_gets_a_document_from_a_document_and_a_stream_from_a_stream() {
    let front = front("");
    let text = expected_tokens("ok-20", "hi").concat();
    for (dialect, path, request) in requests() {
        for provider in DIALECTS {
            let mut body = request.clone();
            body["model"] = json!(format!("{provider}:ok-20"));
            let whole = post(&front, path, &body.to_string(), &[]).await;
            assert_eq!(whole.status, 200, "{dialect} {provider}: {}", whole.body);
            let (asked, is_stream) = asked_last(&front);
            assert!(!is_stream, "{dialect} {provider}: {asked}");
            assert!(texts_of(&whole.json()).contains(&text), "{dialect} {provider}: {}", whole.body);
            if provider == dialect {
                assert_passed_on(&front, dialect, &asked, &whole.json()).await;
            }
            let id = whole.header("x-wordhoard-request-id").unwrap();
            let recorded = front.server.client().get(&format!("/api/llm/requests/{id}")).await.unwrap().body;
            assert_eq!(recorded["status"], "completed", "{recorded}");

            body["stream"] = true.into();
            let stream = post(&front, path, &body.to_string(), &[]).await;
            assert!(asked_last(&front).1, "{dialect} {provider}: {}", asked_last(&front).0);
            assert!(stream.body.matches("data: ").count() > 20, "{dialect} {provider}: {}", stream.body);
        }
    }
}

/// The document is the provider's own. Of responses the id is ours, and so is what was asked for and kept from the provider.
async fn assert_passed_on(front: &Front, dialect: &str, asked: &Value, told: &Value) {
    let route = match dialect {
        "openai" => "chat/completions",
        "anthropic" => "messages",
        _ => "responses",
    };
    let url = format!("{}/{route}", front.mock.base_url());
    let answer = front.server.client().http().post(url).body(asked.to_string()).send().await.unwrap();
    let mut own: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let mut told = told.clone();
    for document in [&mut own, &mut told] {
        for ours in ["id", "created", "created_at", "store"] {
            document.as_object_mut().unwrap().shift_remove(ours);
        }
    }
    if dialect == "openai_responses" {
        // What strict clients need and this provider leaves out is added.
        let is_own = |name: &String| own.get(name).is_some();
        told.as_object_mut().unwrap().retain(|name, _| is_own(name));
    }
    assert_eq!(told, own, "{dialect}");
}

fn texts_of(document: &Value) -> String {
    match document {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(texts_of).collect(),
        Value::Object(fields) => fields.values().map(texts_of).collect(),
        _ => String::new(),
    }
}

/// Of half a document nothing is kept: the next call asks for all of it, and the client sees one whole answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_was_cut_is_asked_for_again_from_the_start() {
    let front = front("[retry]\nmax = 1\n[fallback]\nqueue = []\njitter = [\"1ms\", \"2ms\"]\n");
    let text = expected_tokens("ok-20", "hi").concat();
    for (nth, (dialect, path, request)) in requests().into_iter().enumerate() {
        for broken in ["cut-after", "reset-after", "ends-after", "bad-json-after"] {
            let mut body = request.clone();
            // The mock counts the calls of a model, whichever dialect they come in.
            let model = format!("seq:{broken}-{}|ok-20", 20 + nth);
            body["model"] = json!(format!("{dialect}:{model}"));
            let before = front.mock.calls().len();
            let whole =
                post(&front, path, &body.to_string(), &[("idempotency-key", &format!("{dialect}{broken}"))])
                    .await;
            assert_eq!(whole.status, 200, "{dialect} {broken}: {}", whole.body);
            assert!(texts_of(&whole.json()).contains(&text), "{dialect} {broken}: {}", whole.body);
            let calls = front.mock.calls();
            let bodies: Vec<_> = calls[before..].iter().map(|call| &call.body).collect();
            assert!(bodies.len() == 2 && bodies[0] == bodies[1], "{dialect} {broken}: {bodies:#?}");
        }
    }
}
