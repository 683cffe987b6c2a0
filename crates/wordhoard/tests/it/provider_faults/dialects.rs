//! The same faults in every dialect: the parts that differ between them are the decoders and the requests.

use serde_json::Value;
use wordhoard_model::TokenKind;
use wordhoard_testkit::provider::{expected_deltas, expected_tokens};

use super::scene::{PROMPT, Scene, Told};

/// What becomes of a fault.
enum Outcome {
    /// The primary's own answer, after so many calls.
    Own(usize),
    /// The backup's answer, behind an attempt of that class.
    StoodIn(&'static str),
    /// What was said until the provider's filter stopped it.
    Filtered,
    /// A failure of that class, without a call to the backup.
    Refused(&'static str),
}
use Outcome::{Filtered, Own, Refused, StoodIn};

/// `?` stands for a class that the dialects tell differently.
const FAULTS: [(&str, Outcome); 14] = [
    ("ok-60", Own(1)),
    ("split-utf8", Own(1)),
    ("crlf", Own(1)),
    ("nul-token", Own(1)),
    ("status-429-retry-1", StoodIn("rate_limited")),
    ("seq:status-500|ok-60", Own(2)),
    ("status-503", StoodIn("provider_error")),
    ("cut-after-40", StoodIn("cut")),
    ("stall-after-40", StoodIn("stall_timeout")),
    ("bad-json-after-40", StoodIn("malformed")),
    ("error-after-40", StoodIn("?")),
    ("context-length", StoodIn("context_length")),
    ("filter-after-40", Filtered),
    ("filter-prompt", Refused("content_policy")),
];

async fn survives_the_faults(dialect: &str) {
    let scene = Scene::speaking(dialect, "");
    let mut calls_before = (0, 0);
    for (model, outcome) in FAULTS {
        let told = scene.ask(&format!("primary:{model}")).await;
        let calls = (scene.primary.calls().len(), scene.backup.calls().len());
        let (own, others) = (calls.0 - calls_before.0, calls.1 - calls_before.1);
        calls_before = calls;
        let attempts = told.attempts();
        let class = attempts[0].strip_prefix(&format!("primary:{model} ")).unwrap();
        let outcome = match (dialect, model) {
            // Google refuses a prompt with a status of success, which is how an answer ends.
            ("gemini", "filter-prompt") => Filtered,
            _ => outcome,
        };
        match outcome {
            Own(count) => {
                let last = model.strip_prefix("seq:").and_then(|all| all.rsplit('|').next()).unwrap_or(model);
                told.assert_complete_with(&expected_tokens(last, PROMPT).concat());
                assert_eq!((own, others), (count, 0), "{dialect} {model}: {attempts:?}");
            }
            StoodIn(expected) => {
                told.assert_complete();
                assert!(expected == "?" || class == expected, "{dialect} {model}: {attempts:?}");
                assert_eq!(others, 1, "{dialect} {model}: {attempts:?}");
                assert!(own <= 4, "{dialect} {model} was hammered: {attempts:?}");
            }
            Filtered => {
                assert_eq!(
                    (class, &told.attempt(0)["finish_reason"]),
                    ("completed", &"content_filter".into())
                );
                let text = told.attempt(0)["text"].as_str().unwrap_or_default();
                assert_eq!(text, expected_tokens(model, PROMPT).concat(), "{dialect}");
                assert_eq!((own, others), (1, 0), "{dialect} {model}: {attempts:?}");
            }
            Refused(expected) => {
                assert_eq!((class, &told.whole["status"]), (expected, &"failed".into()), "{dialect} {model}");
                assert_eq!((own, others), (1, 0), "{dialect} {model}: {attempts:?}");
            }
        }
    }
    tells_all_kinds(dialect, &scene).await;
}

/// Reasoning, calls of tools, usage and the model that answered, as the client gets them.
async fn tells_all_kinds(dialect: &str, scene: &Scene) {
    let told = scene.ask("primary:reasoning").await;
    let of_kind = |wanted: TokenKind| -> String {
        let deltas = expected_deltas("reasoning", PROMPT).into_iter();
        deltas.filter(|(kind, _)| *kind == wanted).map(|(_, text)| text).collect()
    };
    told.assert_complete_with(&of_kind(TokenKind::Text));
    assert_eq!(told.attempt(0)["reasoning"], of_kind(TokenKind::Reasoning), "{dialect}");
    let usage = &told.attempt(0)["usage"];
    let words = PROMPT.split_whitespace().count();
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&words.into(), &20.into()), "{dialect}");

    let told = scene.ask("primary:tools").await;
    assert_eq!(told.whole["status"], "completed", "{dialect}: {:#}", told.whole);
    assert_eq!(told.attempt(0)["finish_reason"], "tool_calls", "{dialect}");
    let expected = calls_of(expected_deltas("tools", PROMPT).into_iter().map(|(_, text)| text));
    assert_eq!(calls_of(tool_call_texts(&told).into_iter()), expected, "{dialect}");
}

fn tool_call_texts(told: &Told) -> Vec<String> {
    let tokens = told.events.iter().filter(|event| event.data["kind"] == "tool_call");
    tokens.map(|event| event.data["text"].as_str().unwrap().to_owned()).collect()
}

/// Name, id and arguments of each call; the arguments as JSON, for some dialects have them so.
fn calls_of(fragments: impl Iterator<Item = String>) -> Vec<(String, String, Value)> {
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for fragment in fragments {
        let piece: Value = serde_json::from_str(&fragment).unwrap();
        let text = |field: &str| piece[field].as_str().unwrap_or_default();
        let index = piece["index"].as_u64().unwrap() as usize;
        if calls.len() <= index {
            calls.resize_with(index + 1, Default::default);
        }
        let call = &mut calls[index];
        call.0.push_str(text("name"));
        call.1.push_str(text("id"));
        call.2.push_str(text("arguments"));
    }
    calls
        .into_iter()
        .map(|(name, id, arguments)| (name, id, serde_json::from_str(&arguments).unwrap()))
        .collect()
}

/// A model that cannot stream is asked for the whole, and its faults are those of a stream.
async fn takes_whole_answers(dialect: &str) {
    let names = ["ok-60", "reasoning", "tools", "cut-after-40", "filter-after-40", "bad-json-after-40"];
    let models: Vec<String> =
        names.iter().map(|name| format!("{{ name = {name:?}, stream = false }}")).collect();
    let scene = Scene::speaking(dialect, &models.join(", "));
    let told = scene.ask("primary:ok-60").await;
    told.assert_complete();
    assert_eq!(told.attempt(0)["token_count"], 1, "{dialect}: what comes whole is one token");
    assert_eq!(told.attempts(), ["primary:ok-60 completed"]);
    tells_all_kinds(dialect, &scene).await;
    assert_eq!(scene.backup.calls().len(), 0);
    for (model, class) in [("cut-after-40", "cut"), ("bad-json-after-40", "malformed")] {
        let told = scene.ask(&format!("primary:{model}")).await;
        told.assert_complete();
        assert_eq!(told.attempts()[0], format!("primary:{model} {class}"), "{dialect}");
    }
    let told = scene.ask("primary:filter-after-40").await;
    assert_eq!(told.attempts(), ["primary:filter-after-40 completed"], "{dialect}");
    assert_eq!(told.attempt(0)["finish_reason"], "content_filter", "{dialect}");
}

/// A cut answer goes on at the token where it was cut.
async fn goes_on(dialect: &str) {
    let model = "seq:cut-after-40|prefill-60";
    let scene = Scene::speaking(dialect, &format!("{{ name = {model:?}, prefill = true }}"));
    let told = scene.ask(&format!("primary:{model}")).await;
    told.assert_complete();
    assert_eq!((scene.primary.calls().len(), scene.backup.calls().len()), (2, 0), "{:?}", told.attempts());
    assert_eq!(told.attempt(1)["continues"]["token_index"], 39);
    assert_eq!((&told.attempt(0)["token_count"], &told.attempt(1)["token_count"]), (&40.into(), &20.into()));
}

macro_rules! for_each_dialect {
    ($($name:ident => $dialect:literal),+) => {$(
        mod $name {
            #[tokio::test]
            async fn survives_the_faults() {
                super::survives_the_faults($dialect).await;
            }

            #[tokio::test]
            async fn takes_whole_answers() {
                super::takes_whole_answers($dialect).await;
            }

            #[tokio::test]
            async fn goes_on() {
                super::goes_on($dialect).await;
            }
        }
    )+};
}

for_each_dialect! {
    openai => "openai", openai_responses => "openai_responses", anthropic => "anthropic", gemini => "gemini",
    cohere => "cohere"
}
