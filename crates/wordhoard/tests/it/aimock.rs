//! Against a mock of the providers that others wrote, through the whole server.

use futures_util::future::join_all;
use serde_json::{Value, json};
use wordhoard_testkit::Aimock;
use wordhoard_testkit::client::{Client, SeenEvent};
use wordhoard_testkit::server::ServerHome;

use crate::EXE;
use crate::front::sdks::carry_out;

const TEXT: &str = "The quick brown fox jumps over the lazy dog, as it always did.";

/// Name, dialect and path of each provider that it speaks.
const PROVIDERS: [(&str, &str, &str); 6] = [
    ("openai", "openai", "/v1"),
    ("responses", "openai_responses", "/v1"),
    ("anthropic", "anthropic", "/v1"),
    ("gemini", "gemini", "/v1beta"),
    ("cohere", "cohere", "/v2"),
    ("deepseek", "openai", "/v1"),
];

/// Which of its answers a prompt gets is told by the prompt; its own counters are per answer, so each provider has its
/// own where the order counts.
fn fixtures() -> Value {
    let error =
        |kind: &str, status: u16| json!({"error": {"message": "on purpose", "type": kind}, "status": status});
    let mut fixtures = vec![
        json!({"match": {"userMessage": "plain"}, "response": {
            "content": TEXT, "usage": {"prompt_tokens": 7, "completion_tokens": 13, "total_tokens": 20},
        }}),
        json!({"match": {"userMessage": "think"}, "response": {"reasoning": "Let me think.", "content": "It is so."}}),
        json!({"match": {"userMessage": "call"}, "response": {"toolCalls": [
            {"name": "get_weather", "arguments": {"city": "Oslo"}, "id": "call_1"},
            {"name": "get_time", "arguments": {"zone": "CET"}, "id": "call_2"},
        ]}}),
        json!({"match": {"userMessage": "cut"}, "response": {"content": TEXT}, "latency": 5, "truncateAfterChunks": 3}),
        json!({"match": {"userMessage": "down"}, "response": error("server_error", 500)}),
        json!({"match": {"userMessage": "overloaded"}, "response": error("overloaded_error", 529)}),
        json!({"match": {"userMessage": "slow"}, "response": {"content": TEXT}, "streamingProfile": {"ttft": 5000}}),
    ];
    for (name, ..) in PROVIDERS {
        let limited = format!("limited {name}");
        fixtures.push(json!({
            "match": {"userMessage": limited, "sequenceIndex": 0}, "response": error("rate_limit_error", 429),
        }));
        fixtures.push(json!({"match": {"userMessage": limited}, "response": {"content": TEXT}}));
    }
    json!({"fixtures": fixtures})
}

fn config(origin: &str) -> String {
    let provider = |(name, dialect, path): &(&str, &str, &str)| {
        format!(
            "[[providers]]\nname = {name:?}\ndialect = {dialect:?}\nbase_url = \"{origin}{path}\"\n\
             allow_private = true\ntimeouts = {{ first_token = \"2s\" }}\n"
        )
    };
    let providers: String = PROVIDERS.iter().map(provider).collect();
    format!("{providers}[breaker]\nfailures = 0\n[retry]\nmax = 1\n[fallback]\nqueue = []\n")
}

struct Told {
    whole: Value,
    events: Vec<SeenEvent>,
}

async fn ask(client: &Client, provider: &str, prompt: &str) -> Told {
    let id = client.submit(prompt, &[&format!("{provider}:some-model")]).await.unwrap();
    let events = client.read_to_end(&id, None).await.unwrap();
    Told { whole: client.wait_for_end(&id).await.unwrap(), events }
}

impl Told {
    fn attempt(&self) -> &Value {
        self.whole["lanes"][0]["attempts"].as_array().unwrap().last().unwrap()
    }

    fn text_of(&self, kind: &str) -> String {
        let of_kind = self.events.iter().filter(|event| event.data["kind"] == kind);
        of_kind.map(|event| event.data["text"].as_str().unwrap()).collect()
    }
}

#[tokio::test]
async fn the_clients_of_the_drop_in_apis_get_its_answers_and_its_faults() {
    let mock = Aimock::start(&fixtures()).unwrap();
    // Each fault is told at once.
    let config = config(mock.origin()).replace("max = 1", "max = 0");
    let home = ServerHome::new(EXE, &config).unwrap();
    let server = home.start().unwrap();
    let names = PROVIDERS.map(|(name, ..)| name);
    let plan = json!({ "url": server.base_url(), "providers": names, "expected": TEXT });
    let ids = carry_out("aimock_client.py", &plan);
    assert_eq!(ids.len(), PROVIDERS.len());
    for id in ids {
        assert_eq!(server.client().wait_for_end(&id).await.unwrap()["lanes"][0]["text"], TEXT);
    }
}

#[tokio::test]
async fn answers_of_an_independent_mock_come_whole_in_every_dialect() {
    let mock = Aimock::start(&fixtures()).unwrap();
    let home = ServerHome::new(EXE, &config(mock.origin())).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    for (name, ..) in PROVIDERS {
        let told = ask(&client, name, "plain").await;
        assert_eq!(
            (&told.whole["status"], told.text_of("text").as_str()),
            (&"completed".into(), TEXT),
            "{name}"
        );
        assert_eq!(told.attempt()["finish_reason"], "stop", "{name}");
        let usage = &told.attempt()["usage"];
        assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&7.into(), &13.into()), "{name}");

        let told = ask(&client, name, "think").await;
        // Of Cohere's reasoning it makes text.
        let (reasoning, text) = match name {
            "cohere" => ("", "Let me think.It is so."),
            _ => ("Let me think.", "It is so."),
        };
        assert_eq!(
            (told.text_of("reasoning").as_str(), told.text_of("text").as_str()),
            (reasoning, text),
            "{name}"
        );

        let told = ask(&client, name, "call").await;
        let calls = told.text_of("tool_call");
        for said in ["get_weather", "Oslo", "get_time", "CET"] {
            assert!(calls.contains(said), "{name}: {calls}");
        }
        assert_eq!(told.attempt()["finish_reason"], "tool_calls", "{name}");
    }
}

#[tokio::test]
async fn its_faults_are_told_apart_in_every_dialect_and_a_cut_answer_is_never_whole() {
    let mock = Aimock::start(&fixtures()).unwrap();
    let home = ServerHome::new(EXE, &config(mock.origin())).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let try_one = async |name: &str| {
        let told = ask(&client, name, &format!("limited {name}")).await;
        let attempts = told.whole["lanes"][0]["attempts"].as_array().unwrap();
        assert_eq!(
            (&told.whole["status"], attempts.len()),
            (&"completed".into(), 2),
            "{name}: {:#}",
            told.whole
        );
        assert_eq!(
            (&attempts[0]["error"]["class"], &attempts[1]["text"]),
            (&"rate_limited".into(), &TEXT.into())
        );
        for (prompt, class) in [
            ("down", "provider_error"),
            ("overloaded", "provider_overloaded"),
            ("cut", "cut"),
            ("slow", "first_token_timeout"),
            ("nothing of the kind", "not_found"),
        ] {
            let told = ask(&client, name, prompt).await;
            assert_eq!(told.whole["status"], "failed", "{name} {prompt}: {:#}", told.whole);
            assert_eq!(told.attempt()["error"]["class"], class, "{name} {prompt}");
        }
    };
    join_all(PROVIDERS.map(|(name, ..)| try_one(name))).await;
}
