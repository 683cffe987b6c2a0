use std::collections::BTreeMap;

use serde_json::{Value, json};
use wordhoard_testkit::client::{Client, SeenEvent};
use wordhoard_testkit::provider::MisbehavingProvider;

use super::{mock_table, start};

/// The request as its events tell it, in the shape of `requests/{id}`; only what both say.
fn folded(events: &[SeenEvent]) -> Value {
    let created = &events[0].data;
    let end = &events[events.len() - 1].data;
    let mut attempts: BTreeMap<u64, Value> = BTreeMap::new();
    for SeenEvent { name, data, .. } in events {
        let Some(attempt_seq) = data["attempt_seq"].as_u64() else {
            continue;
        };
        let attempt = attempts.entry(attempt_seq).or_insert_with(|| json!({ "texts": {} }));
        match name.as_str() {
            "attempt.started" => {
                attempt["lane"] = data["lane"].clone();
                attempt["model"] = data["model"].clone();
                attempt["started_at"] = data["ts"].clone();
            }
            "token" => {
                let kind = data["kind"].as_str().unwrap();
                let so_far = attempt["texts"][kind].as_str().unwrap_or_default();
                attempt["texts"][kind] = format!("{so_far}{}", data["text"].as_str().unwrap()).into();
            }
            "attempt.finished" => {
                for field in ["status", "finish_reason", "usage", "token_count", "answered_by", "error"] {
                    attempt[field] = data[field].clone();
                }
                attempt["finished_at"] = data["ts"].clone();
            }
            other => panic!("{other}"),
        }
    }
    json!({
        "request_id": created["request_id"],
        "prompt": created["prompt"],
        "models": created["models"],
        "created_at": created["ts"],
        "finished_at": end["ts"],
        "status": end["status"],
        "token_count": end["token_count"],
        "usage": end["usage"],
        "event_count": events.len(),
        "attempts": attempts.into_values().collect::<Vec<_>>(),
    })
}

/// `requests/{id}`, brought into the same shape.
fn flattened(whole: &Value) -> Value {
    let mut attempts = Vec::new();
    let mut models = Vec::new();
    for lane in whole["lanes"].as_array().unwrap() {
        models.push(lane["model"].clone());
        for attempt in lane["attempts"].as_array().unwrap() {
            let mut texts = json!({});
            for (field, kind) in [("text", "text"), ("reasoning", "reasoning"), ("refusal", "refusal")] {
                if let Some(text) = attempt[field].as_str().filter(|text| !text.is_empty()) {
                    texts[kind] = text.into();
                }
            }
            if let Some(calls) = attempt["tool_calls"].as_array() {
                let calls: String = calls.iter().map(|call| call.as_str().unwrap()).collect();
                texts["tool_call"] = calls.into();
            }
            let mut flat = json!({ "texts": texts, "lane": lane["lane"] });
            for field in [
                "model",
                "started_at",
                "finished_at",
                "status",
                "finish_reason",
                "usage",
                "token_count",
                "answered_by",
                "error",
            ] {
                flat[field] = attempt[field].clone();
            }
            attempts.push((attempt["attempt_seq"].as_u64().unwrap(), flat));
        }
        let last = lane["attempts"].as_array().unwrap().last().unwrap();
        assert_eq!(lane["text"], last["text"]);
        assert_eq!(lane["status"], last["status"]);
    }
    attempts.sort_by_key(|(attempt_seq, _)| *attempt_seq);
    let mut flat = json!({
        "models": models,
        "attempts": attempts.into_iter().map(|(_, attempt)| attempt).collect::<Vec<_>>(),
    });
    for field in
        ["request_id", "prompt", "created_at", "finished_at", "status", "token_count", "usage", "event_count"]
    {
        flat[field] = whole[field].clone();
    }
    flat
}

#[tokio::test]
async fn the_assembled_request_says_what_its_stream_says() {
    let mock = MisbehavingProvider::start().unwrap();
    let (_home, server) = start(&mock_table(&mock.base_url()));
    let client = server.client();
    for models in [
        &["demo:brisk", "demo:thoughtful", "demo:bard"][..],
        &["mock:tools", "mock:reasoning", "mock:cut-after-7", "mock:split-utf8", "mock:nul-token"],
        &["mock:status-429-retry-2"],
    ] {
        let id = client.submit("fold me [demo tokens=30 rate=0]", models).await.unwrap();
        let events = client.read_to_end(&id, None).await.unwrap();
        let whole = client.get(&format!("/api/llm/requests/{id}")).await.unwrap().body;
        assert_eq!(flattened(&whole), folded(&events), "{models:?}");
    }
}

#[tokio::test]
async fn a_running_request_can_be_read_as_far_as_it_has_come() {
    let (_home, server) = start("");
    let client = server.client();
    let id = client.submit("half way [demo tokens=100 rate=40]", &["demo:brisk"]).await.unwrap();
    let mut whole = Value::Null;
    while whole["token_count"].as_u64().unwrap_or(0) < 10 {
        whole = client.get(&format!("/api/llm/requests/{id}")).await.unwrap().body;
    }
    assert_eq!(whole["status"], "running");
    assert_eq!(whole["finished_at"], Value::Null);
    assert_eq!(whole["lanes"][0]["attempts"][0]["status"], "running");
    let so_far = whole["lanes"][0]["text"].as_str().unwrap().to_owned();
    let end = client.wait_for_end(&id).await.unwrap();
    let text = end["lanes"][0]["text"].as_str().unwrap();
    assert!(text.starts_with(&so_far) && text.len() > so_far.len(), "{so_far:?} {text:?}");
}

async fn pages(client: &Client, query: &str, limit: usize) -> Vec<Vec<Value>> {
    let (mut pages, mut before) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/llm/requests?limit={limit}{before}{query}")).await.unwrap();
        assert_eq!(page.status, 200, "{:?}", page.body);
        let requests = page.body["requests"].as_array().unwrap().clone();
        pages.push(requests);
        match page.body["next_before"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return pages,
        }
        assert!(pages.len() < 100, "the pages do not end");
    }
}

fn ids(pages: &[Vec<Value>]) -> Vec<String> {
    pages.iter().flatten().map(|line| line["request_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_list_has_every_request_once_newest_first_whatever_the_page() {
    let (home, server) = start("");
    let client = server.client();
    let mut submitted = Vec::new();
    for number in 0..6 {
        // Of every three, one fails; the last ones still run.
        let (prompt, model) = match number {
            0 | 3 => ("[flaky error-500]", "demo:flaky"),
            1 | 2 => ("[demo tokens=3 rate=0]", "demo:terse"),
            _ => ("[demo tokens=500 rate=5]", "demo:bard"),
        };
        let id = client.submit(prompt, &[model]).await.unwrap();
        if number < 4 {
            client.wait_for_end(&id).await.unwrap();
        }
        submitted.push(id);
    }
    let (failed, completed) = ([&submitted[0], &submitted[3]], [&submitted[1], &submitted[2]]);
    let newest_first = |ids: &[&String]| {
        let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids
    };
    let all = newest_first(&submitted.iter().collect::<Vec<_>>());
    for limit in [1, 2, 3, 4, 5, 6, 7, 500] {
        let pages = pages(&client, "", limit).await;
        assert_eq!(ids(&pages), all, "limit {limit}");
        let expected = all.len().div_ceil(limit);
        assert_eq!(pages.len(), expected, "limit {limit}: a page was announced that is empty");
    }
    let filtered = async |status: &str| ids(&pages(&client, &format!("&status={status}"), 2).await);
    assert_eq!(filtered("failed").await, newest_first(&failed));
    assert_eq!(filtered("completed").await, newest_first(&completed));
    assert_eq!(filtered("running").await, newest_first(&[&submitted[4], &submitted[5]]));
    assert_eq!(filtered("cancelled").await, Vec::<String>::new());
    let line = &pages(&client, "&status=completed", 500).await[0][0];
    assert_eq!(line["models"], json!(["demo:terse"]));
    assert_eq!(line["token_count"], 3);
    assert!(line["finished_at"].as_str() >= line["created_at"].as_str(), "{line}");
    // From SQL alone, after a crash, the same.
    server.kill_9().unwrap();
    let server = home.start().unwrap();
    assert_eq!(ids(&pages(&server.client(), "", 2).await), all);
}
