//! A real language model behind the server. Not in the daily run: its download is large. `make acceptance`.

use std::time::Duration;

use serde_json::{Value, json};
use wordhoard_testkit::LanguageModel;
use wordhoard_testkit::client::{Client, Next};
use wordhoard_testkit::server::ServerHome;

use crate::EXE;
use crate::ledger::Ledger;

const DIALECTS: [&str; 3] = ["openai", "openai_responses", "anthropic"];

fn config(origin: &str) -> String {
    let provider = |dialect: &&str| {
        format!(
            "[[providers]]\nname = \"{dialect}\"\ndialect = {dialect:?}\nbase_url = \"{origin}/v1\"\n\
             allow_private = true\nconcurrency = 4\nmodels = [{{ name = \"smollm2\", prefill = {} }}]\n",
            // It goes on from a last message of the assistant in its chat.
            **dialect == *"openai",
        )
    };
    DIALECTS.iter().map(provider).collect()
}

async fn submit(client: &Client, models: &[&str], max_tokens: u32) -> String {
    let body =
        json!({"prompt": "Tell me a long story about a fox.", "models": models, "max_tokens": max_tokens});
    let accepted = client.post("/api/llm/prompt", &body).await.unwrap().body;
    accepted["request_id"].as_str().unwrap_or_else(|| panic!("{accepted}")).to_owned()
}

fn lane(whole: &Value, place: usize) -> &Value {
    &whole["lanes"][place]
}

#[tokio::test]
#[ignore = "needs a language model: make acceptance"]
async fn a_real_model_is_streamed_and_fanned_out_in_three_dialects() {
    let model = LanguageModel::start().unwrap();
    let home = ServerHome::new(EXE, &config(model.origin())).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let names = DIALECTS.map(|dialect| format!("{dialect}:smollm2"));
    let models = names.each_ref().map(String::as_str);
    let id = submit(&client, &models, 40).await;
    let whole = client.wait_for_end(&id).await.unwrap();
    assert_eq!(whole["status"], "completed", "{whole:#}");
    for (place, name) in names.iter().enumerate() {
        let lane = lane(&whole, place);
        let attempt = &lane["attempts"][0];
        println!("{name}: {} tokens, {}: {}", attempt["token_count"], attempt["finish_reason"], lane["text"]);
        assert!(attempt["token_count"].as_u64().unwrap() > 10, "{lane:#}");
        assert!(attempt["usage"]["output_tokens"].as_u64().unwrap() > 10, "{lane:#}");
        assert!(lane["text"].as_str().unwrap().len() > 40, "{lane:#}");
    }
}

#[tokio::test]
#[ignore = "needs a language model: make acceptance"]
async fn its_stream_resumes_behind_any_event() {
    let model = LanguageModel::start().unwrap();
    let home = ServerHome::new(EXE, &config(model.origin())).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let id = submit(&client, &["openai:smollm2"], 60).await;
    let mut stream = client.follow(&id, None).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 12 {
        let Next::Event(event) = stream.next().await.unwrap() else {
            panic!("the stream ended after {seen:?}")
        };
        seen.push(event);
    }
    drop(stream);
    seen.extend(client.read_to_end(&id, Some(seen.last().unwrap().seq)).await.unwrap());
    assert_eq!(seen, client.read_to_end(&id, None).await.unwrap());
    println!("{} events, resumed behind the 12th", seen.len());
}

#[tokio::test]
#[ignore = "needs a language model: make acceptance"]
async fn a_killed_server_loses_nothing_of_it_and_its_answer_goes_on() {
    let model = LanguageModel::start().unwrap();
    let home = ServerHome::new(EXE, &config(model.origin())).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let id = submit(&client, &["openai:smollm2"], 200).await;
    let mut ledger = Ledger::default();
    let (ended, ()) = tokio::join!(ledger.follow(&client, &id), async {
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        server.kill_9().unwrap();
    });
    assert!(!ended, "it was killed too late");
    let seen: String = ledger.seen.iter().filter_map(|event| event.data["text"].as_str()).collect();
    assert!(!seen.is_empty());
    let server = home.start().unwrap();
    let client = server.client();
    assert!(ledger.follow(&client, &id).await);
    let whole = client.wait_for_end(&id).await.unwrap();
    assert_eq!(whole["status"], "completed", "{whole:#}");
    let attempts = lane(&whole, 0)["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[1]["continues"]["attempt_seq"]), (2, &1.into()), "{whole:#}");
    let text = lane(&whole, 0)["text"].as_str().unwrap();
    assert!(text.starts_with(&seen), "{seen:?} was shown, {text:?} is there");
    let tokens: u64 = attempts.iter().map(|attempt| attempt["token_count"].as_u64().unwrap()).sum();
    assert!(tokens <= 200, "{tokens} are more than were asked for");
    println!(
        "{} tokens before the kill, {} after it",
        attempts[0]["token_count"], attempts[1]["token_count"]
    );
}
