//! What a provider says reaches a client of its dialect as it was said, by the events that are kept with its pieces.

use std::path::Path;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use wordhoard_model::TokenKind;
use wordhoard_wire::{
    AnswerHead, AnswerRest, Asked, Completion, Delta, Dialect, EncodeStream, Limits, ProviderEvent, sse,
};

use crate::answers::{any_answer, head};

/// Those that a client can speak.
const DIALECTS: [(Dialect, &str, usize); 3] = [
    (Dialect::OpenAiChat, "openai_chat", 16),
    (Dialect::OpenAiResponses, "openai_responses", 12),
    (Dialect::Anthropic, "anthropic", 14),
];

/// Streams of what is no event of the dialect: no client of it could read that, so it gets events of ours.
const NO_EVENTS: [&str; 3] =
    ["message_in_the_stream", "message_where_a_stream_was_due", "whole_where_a_stream_was_due"];

fn text_of(deltas: &[Delta]) -> String {
    deltas.iter().filter(|delta| delta.kind == TokenKind::Text).map(|delta| delta.text.as_str()).collect()
}

/// The text that a client reads out of the events.
fn texts(dialect: Dialect, events: &[sse::Event]) -> String {
    let mut out = BytesMut::new();
    for event in events {
        sse::write_event(&mut out, event.event.as_deref(), None, None, &event.data);
    }
    text_of(&recorded(dialect, &out, usize::MAX).unwrap().deltas)
}

/// What is kept of a stream.
struct Kept {
    events: Vec<ProviderEvent>,
    deltas: Vec<Delta>,
    completion: Completion,
}

/// What is kept of a stream, where it is whole.
fn recorded(dialect: Dialect, stream: &[u8], piece_bytes: usize) -> Option<Kept> {
    let mut decoder = dialect.stream_decoder(Limits::default());
    decoder.keep_events();
    let (mut deltas, mut events) = (Vec::new(), Vec::new());
    for piece in stream.chunks(piece_bytes) {
        decoder.push(piece, &mut deltas).ok()?;
        events.append(&mut decoder.take_events());
    }
    decoder.end_of_body(&mut deltas).ok()?;
    events.append(&mut decoder.take_events());
    let mut completion = decoder.finish().ok()?;
    // Events behind the last delta belong to the end.
    let last = events.iter().rposition(|event| event.delta_count > 0).map_or(0, |place| place + 1);
    if let AnswerRest::Events(rest) = &mut completion.rest {
        *rest = events.split_off(last);
    }
    Some(Kept { events, deltas, completion })
}

/// What a client gets of it.
fn told(dialect: Dialect, head: AnswerHead, kept: &Kept) -> Vec<sse::Event> {
    let mut encoder = dialect.passing_encoder(head, true, Asked::default());
    let mut out = BytesMut::new();
    encoder.open(&mut out);
    tell(&mut *encoder, &mut out, kept);
    encoder.finish(&mut out, &kept.completion);
    events(&out)
}

/// Tells all but the end.
fn tell(encoder: &mut dyn EncodeStream, out: &mut BytesMut, kept: &Kept) {
    let mut deltas = kept.deltas.as_slice();
    for event in &kept.events {
        let (own, rest) = deltas.split_at(event.delta_count);
        encoder.told(out, event.clone(), own);
        deltas = rest;
    }
    deltas.iter().for_each(|delta| encoder.delta(out, delta));
}

fn events(stream: &[u8]) -> Vec<sse::Event> {
    let mut parser = sse::Parser::new(1 << 20);
    parser.feed(stream);
    let mut events: Vec<sse::Event> = std::iter::from_fn(|| parser.next_event().unwrap()).collect();
    events.extend(parser.take_unfinished().unwrap());
    events
}

/// The events that a client of the dialect is due: the provider's, and the end where it sent none. Of responses, our own
/// opening in the place of the provider's, our numbers, and our id.
fn due(dialect: Dialect, provider: Vec<sse::Event>, told: &[sse::Event]) -> Vec<sse::Event> {
    let plain = |event: sse::Event| sse::Event { id: None, ..event };
    let mut due: Vec<sse::Event> = provider.into_iter().map(plain).collect();
    let mark = |name: Option<&str>, data: &str| sse::Event {
        event: name.map(str::to_owned),
        data: data.to_owned(),
        ..sse::Event::default()
    };
    match dialect {
        Dialect::OpenAiChat if due.last().is_none_or(|last| last.data != "[DONE]") => {
            due.push(mark(None, "[DONE]"));
        }
        Dialect::Anthropic if due.last().is_none_or(|last| last.event.as_deref() != Some("message_stop")) => {
            due.push(mark(Some("message_stop"), r#"{"type":"message_stop"}"#));
        }
        Dialect::OpenAiResponses => {
            due.retain(|event| {
                let kind = event.event.as_deref();
                event.data != "[DONE]"
                    && kind != Some("response.created")
                    && kind != Some("response.in_progress")
            });
            due.splice(0..0, told[..2].iter().cloned());
            for (number, event) in due.iter_mut().enumerate().skip(2) {
                let mut data: Value = serde_json::from_str(&event.data).unwrap();
                if data.get("sequence_number").is_some() {
                    data["sequence_number"] = json!(number);
                }
                if let Some(response) = data.get_mut("response") {
                    let told: Value = serde_json::from_str(&told[number].data).unwrap();
                    own(response, &told["response"]);
                }
                event.data = data.to_string();
            }
        }
        _ => {}
    }
    due
}

/// What is ours in a response: its id, that it is kept, and what clients need of it and the provider did not say.
fn own(provider: &mut Value, told: &Value) {
    provider["id"] = head().id.into();
    provider["store"] = true.into();
    for (name, value) in told.as_object().unwrap() {
        let is_empty = name == "output" && provider["output"].as_array().is_none_or(Vec::is_empty);
        if provider.get(name).is_none() || is_empty {
            provider[name] = value.clone();
        }
    }
}

/// Of responses, events are compared as JSON: those that hold a whole response are written anew.
fn comparable(dialect: Dialect, events: Vec<sse::Event>) -> Vec<sse::Event> {
    let value = |data: &str| serde_json::from_str::<Value>(data).unwrap().to_string();
    let same = |event: sse::Event| match dialect {
        Dialect::OpenAiResponses => sse::Event { data: value(&event.data), ..event },
        _ => event,
    };
    events.into_iter().map(same).collect()
}

#[test]
fn every_recorded_stream_reaches_its_client_event_by_event() {
    for (dialect, folder, at_least) in DIALECTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
        let mut whole = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            if path.extension().unwrap() == "json" {
                let mut deltas = Vec::new();
                let Ok(mut completion) = dialect.decode_answer(&bytes, &mut deltas) else { continue };
                completion.rest = AnswerRest::Document(String::from_utf8(bytes.clone()).unwrap().into());
                let (head, asked) = (head(), Asked::default());
                let passed =
                    dialect.passed_answer(&head, &asked, None, Vec::new(), &deltas, &completion).unwrap();
                let mut due: Value = serde_json::from_slice(&bytes).unwrap();
                let passed: Value = serde_json::from_slice(&passed).unwrap();
                if dialect == Dialect::OpenAiResponses {
                    own(&mut due, &passed);
                }
                assert_eq!(passed, due, "{path:?}");
                whole += 1;
            } else if path.extension().unwrap() == "sse" {
                for piece_bytes in [1, 7, usize::MAX] {
                    let Some(kept) = recorded(dialect, &bytes, piece_bytes) else { continue };
                    let told = told(dialect, head(), &kept);
                    if NO_EVENTS.iter().any(|name| path.file_stem().unwrap() == *name) {
                        assert_eq!(texts(dialect, &told), text_of(&kept.deltas), "{path:?}");
                        continue;
                    }
                    let provider = events(&bytes);
                    let due = due(dialect, provider, &told);
                    assert_eq!(comparable(dialect, told), comparable(dialect, due), "{path:?}");
                    whole += 1;
                }
            }
        }
        assert!(whole >= at_least, "only {whole} whole answers in {folder:?}");
    }
}

proptest! {
    #[test]
    fn any_answer_in_the_clients_dialect_comes_through_byte_for_byte(
        (dialect, ..) in prop::sample::select(DIALECTS.to_vec()),
        answer in any_answer(),
        piece_bytes in 1..400_usize,
    ) {
        let provider = dialect.encode_stream(head(), &answer.deltas, &answer.completion, true);
        let kept = recorded(dialect, &provider, piece_bytes).unwrap();
        let mut encoder = dialect.passing_encoder(head(), true, Asked::default());
        let mut out = BytesMut::new();
        tell(&mut *encoder, &mut out, &kept);
        encoder.finish(&mut out, &kept.completion);
        match dialect {
            Dialect::OpenAiResponses => {
                let (told, due) = (comparable(dialect, events(&out)), comparable(dialect, events(&provider)));
                prop_assert_eq!(told, due);
            }
            _ => prop_assert_eq!(String::from_utf8(out.to_vec()), String::from_utf8(provider)),
        }
    }

    /// Where another call goes on, the events still make one answer.
    #[test]
    fn another_call_goes_on_in_the_same_answer(
        (dialect, ..) in prop::sample::select(DIALECTS.to_vec()),
        before in vec("[a-zé \"]{1,6}", 1..6),
        after in vec("[a-z ]{1,6}", 1..6),
    ) {
        let text = |pieces: &[String]| pieces.iter().map(Delta::text).collect::<Vec<_>>();
        let provider_head = AnswerHead { id: "theirs".into(), ..head() };
        let provider = dialect.encode_stream(provider_head, &text(&before), &Completion::default(), true);
        let kept = recorded(dialect, &provider, usize::MAX).unwrap();
        let mut encoder = dialect.passing_encoder(head(), true, Asked::default());
        let mut out = BytesMut::new();
        tell(&mut *encoder, &mut out, &kept);
        encoder.another_call(&mut out);
        text(&after).iter().for_each(|delta| encoder.delta(&mut out, delta));
        encoder.finish(&mut out, &Completion { rest: AnswerRest::Nothing, ..kept.completion });
        let all = recorded(dialect, &out, usize::MAX).unwrap().deltas;
        let said: String = all.iter().map(|delta| delta.text.as_str()).collect();
        prop_assert_eq!(said, before.concat() + &after.concat());
        let ids: Vec<Value> = events(&out)
            .iter()
            .filter_map(|event| serde_json::from_str::<Value>(&event.data).ok()?.get("id").cloned())
            .collect();
        prop_assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        if dialect == Dialect::OpenAiResponses {
            let numbers: Vec<Value> = events(&out)
                .iter()
                .map(|event| serde_json::from_str::<Value>(&event.data).unwrap()["sequence_number"].clone())
                .collect();
            prop_assert_eq!(numbers, (0..events(&out).len()).map(|number| json!(number)).collect::<Vec<_>>());
        }
    }
}

/// What is not ours to know, in all places, and all the ways to write a text.
#[test]
fn unknown_fields_come_through() {
    let chunk = |delta: Value, more: Value| {
        let mut chunk = json!({
            "id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "gpt-9-2030", "service_tier": "flex",
            "system_fingerprint": "fp_1", "choices": [{"index": 0, "delta": delta, "finish_reason": null, "odd": [1.50]}],
        });
        more.as_object().unwrap().iter().for_each(|(name, value)| chunk[name] = value.clone());
        format!("data: {chunk}\n\n")
    };
    let word =
        |text: &str| chunk(json!({"content": text, "provider_says": null}), json!({"obfuscation": "abc"}));
    let mut stream = chunk(json!({"role": "assistant", "content": ""}), json!({}));
    (0..500).for_each(|number| stream.push_str(&word(&format!("w{number} "))));
    stream.push_str(&word("é\n\u{1f600}").replace("é\\n\u{1f600}", "\\u00e9\\n\\ud83d\\ude00"));
    stream.push_str(&chunk(json!({"content": "x", "hint": "a"}), json!({})));
    stream.push_str(&chunk(json!({"content": "y", "hint": "b"}), json!({})));
    stream.push_str(
        &chunk(json!({}), json!({})).replace("\"finish_reason\":null", "\"finish_reason\":\"stop\""),
    );
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "queue_time": 0.25});
    stream.push_str(&chunk(json!({}), json!({"choices": [], "usage": usage})));
    stream.push_str("data: [DONE]\n\n");
    let kept = recorded(Dialect::OpenAiChat, stream.as_bytes(), 100).unwrap();
    let plain = |events: Vec<sse::Event>| events.into_iter().map(|event| event.data).collect::<Vec<_>>();
    assert_eq!(plain(told(Dialect::OpenAiChat, head(), &kept)), plain(events(stream.as_bytes())));

    let whole = whole_of(Dialect::OpenAiChat, &kept);
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    let message = &whole["choices"][0]["message"];
    assert!(message["content"].as_str().unwrap().ends_with("w499 é\n\u{1f600}xy"));
    assert_eq!((&message["role"], &message["hint"]), (&json!("assistant"), &json!("ab")));
    for (name, value) in [("id", json!("c1")), ("service_tier", json!("flex")), ("usage", usage)] {
        assert_eq!(whole[name], value, "{name}");
    }
    assert_eq!(whole["choices"][0]["odd"], json!([1.5]));
    assert_eq!(whole["object"], "chat.completion");

    // Who did not ask for the usage gets no chunk without a choice.
    let mut encoder = Dialect::OpenAiChat.passing_encoder(head(), false, Asked::default());
    let mut out = BytesMut::new();
    tell(&mut *encoder, &mut out, &kept);
    encoder.finish(&mut out, &kept.completion);
    assert!(!String::from_utf8_lossy(&out).contains("queue_time"));
}

/// A message that is put together from its events is the one that the provider gives whole.
#[test]
fn a_message_is_whole_with_all_that_its_events_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/anthropic/server_tool.sse");
    let kept = recorded(Dialect::Anthropic, &std::fs::read(path).unwrap(), usize::MAX).unwrap();
    assert!(kept.deltas.iter().any(|delta| delta.kind == TokenKind::Annotation));
    let whole = whole_of(Dialect::Anthropic, &kept);
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    let kinds: Vec<&str> =
        whole["content"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"server_tool_use"), "{whole}");
    let input = whole["content"].as_array().unwrap().iter().find(|block| block["type"] == "server_tool_use");
    assert!(!input.unwrap()["input"].as_object().unwrap().is_empty(), "{whole}");
    assert!(whole["id"].as_str().unwrap().starts_with("msg_"), "{whole}");
    assert_eq!(whole["stop_reason"], "end_turn");
}

/// Also where a server writes an event in a way that only a tolerant reader takes.
#[test]
fn a_whole_answer_has_all_the_text_that_its_events_told() {
    let mut compared = 0;
    for (dialect, folder, _) in DIALECTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
        for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let stream = std::fs::read(&file).unwrap();
            let Some(kept) = recorded(dialect, &stream, usize::MAX) else { continue };
            if !matches!(kept.completion.rest, AnswerRest::Events(_)) || kept.events.is_empty() {
                continue;
            }
            let mut deltas = Vec::new();
            dialect.decode_answer(&whole_of(dialect, &kept), &mut deltas).unwrap();
            assert_eq!(text_of(&deltas), text_of(&kept.deltas), "{file:?}");
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}

fn whole_of(dialect: Dialect, kept: &Kept) -> Vec<u8> {
    let Kept { events, deltas, completion } = kept;
    dialect.passed_answer(&head(), &Asked::default(), None, events.clone(), deltas, completion).unwrap()
}
