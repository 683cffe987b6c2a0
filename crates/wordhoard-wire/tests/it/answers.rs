//! Any answers, and what each dialect keeps of them.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::json;
use wordhoard_model::{FinishReason, TokenKind, Usage};
use wordhoard_wire::{AnswerHead, Completion, Delta, Dialect, ToolCallPiece};

/// An answer as a provider could give it in any dialect.
#[derive(Clone, Debug)]
pub struct Answer {
    pub deltas: Vec<Delta>,
    pub completion: Completion,
}

/// What is the same of an answer however its dialect orders and cuts it.
#[derive(Debug, PartialEq)]
pub struct Kept {
    /// All but the calls of tools, piece by piece.
    pub pieces: Vec<Delta>,
    /// The calls by their numbers, each whole.
    pub calls: BTreeMap<u64, (Option<String>, Option<String>, String)>,
}

pub fn head() -> AnswerHead {
    AnswerHead { id: "answer-1".into(), created_s: 1, model: "m".into() }
}

/// Any characters, and often those that matter to the formats around.
pub fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\PC\r\n\u{0}\u{2028}\u{feff}:\"\\\\]{1,8}",
        Just("data: [DONE]\n\n".to_owned()),
        Just("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_owned()),
    ]
    .prop_filter("a delta is never empty", |text| !text.is_empty())
}

/// The fragments of a call: its head, and its arguments in pieces of some characters.
fn any_call() -> impl Strategy<Value = Vec<ToolCallPiece>> {
    ("[a-z_]{1,8}", "[a-zA-Z0-9_]{1,8}", any_text(), 1..6_usize).prop_map(|(name, id, value, piece_chars)| {
        let arguments: Vec<char> = json!({"value": value}).to_string().chars().collect();
        let head = ToolCallPiece { id: Some(id), name: Some(name), ..ToolCallPiece::default() };
        let piece = |chars: &[char]| ToolCallPiece {
            arguments: Some(chars.iter().collect()),
            ..ToolCallPiece::default()
        };
        std::iter::once(head).chain(arguments.chunks(piece_chars * 4).map(piece)).collect()
    })
}

/// Text, reasoning, refusals and parallel calls, in any order.
pub fn any_deltas() -> impl Strategy<Value = Vec<Delta>> {
    let kind = prop_oneof![
        4 => Just(TokenKind::Text),
        1 => Just(TokenKind::Reasoning),
        1 => Just(TokenKind::Refusal),
    ];
    let plain = vec((kind, any_text()).prop_map(|(kind, text)| Delta::new(kind, text)), 0..12);
    let calls = vec(any_call(), 0..3);
    (plain, calls, vec(0..4_usize, 0..40)).prop_map(|(plain, calls, turns)| {
        let mut sources: Vec<std::vec::IntoIter<Delta>> = vec![plain.into_iter()];
        sources.extend((0..).zip(calls).map(|(place, fragments): (u64, Vec<ToolCallPiece>)| {
            // No two calls of an answer have the same id.
            let unique = move |piece: ToolCallPiece| ToolCallPiece {
                id: piece.id.map(|id| format!("{id}-{place}")),
                ..piece
            };
            let deltas = fragments
                .into_iter()
                .map(unique)
                .map(|piece| Delta::new(TokenKind::ToolCall, serde_json::to_string(&piece).unwrap()));
            deltas.collect::<Vec<_>>().into_iter()
        }));
        let mut deltas = Vec::new();
        // The number of each call is the place of its first fragment among the calls.
        let mut numbers = BTreeMap::new();
        let rest = (0..sources.len()).flat_map(|source| std::iter::repeat_n(source, 200));
        for source in turns.into_iter().chain(rest) {
            let Some(mut delta) = sources.get_mut(source).and_then(Iterator::next) else { continue };
            if source > 0 {
                let next = numbers.len() as u64;
                let index = *numbers.entry(source).or_insert(next);
                let piece = ToolCallPiece { index, ..ToolCallPiece::from_text(&delta.text) };
                delta.text = serde_json::to_string(&piece).unwrap();
            }
            deltas.push(delta);
        }
        deltas
    })
}

fn any_usage() -> impl Strategy<Value = Usage> {
    let count = || 0..1_000_000_u64;
    (count(), count(), option::of(count()), option::of(count())).prop_map(
        |(input, output, reasoning, cached)| Usage {
            input_tokens: input,
            output_tokens: output,
            reasoning_tokens: reasoning.map(|reasoning| reasoning.min(output)),
            cached_input_tokens: cached.map(|cached| cached.min(input)),
            ..Usage::default()
        },
    )
}

pub fn any_answer() -> impl Strategy<Value = Answer> {
    (any_deltas(), option::of(any_usage()), any::<bool>()).prop_map(|(deltas, usage, is_long)| {
        let has_called = deltas.iter().any(|delta| delta.kind == TokenKind::ToolCall);
        let reason = match (has_called, is_long) {
            (true, _) => "tool_calls",
            (false, true) => FinishReason::LENGTH,
            (false, false) => FinishReason::STOP,
        };
        let completion = Completion {
            finish_reason: Some(FinishReason(reason.to_owned())),
            usage,
            answered_by: Some("m".into()),
            ..Completion::default()
        };
        Answer { deltas, completion }
    })
}

/// What a dialect keeps of the pieces. Of a refusal, only OpenAI's have a notion.
pub fn kept(dialect: Dialect, deltas: &[Delta]) -> Kept {
    let knows_refusals = matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses);
    let mut kept = Kept { pieces: Vec::new(), calls: BTreeMap::new() };
    for delta in deltas {
        match delta.kind {
            TokenKind::ToolCall => {
                let piece = ToolCallPiece::from_text(&delta.text);
                let call = kept.calls.entry(piece.index).or_default();
                call.0 = call.0.take().or(piece.id);
                call.1 = call.1.take().or(piece.name);
                call.2.push_str(&piece.arguments.unwrap_or_default());
            }
            TokenKind::Refusal if !knows_refusals => kept.pieces.push(Delta::text(delta.text.as_str())),
            _ => kept.pieces.push(delta.clone()),
        }
    }
    kept
}

/// What a dialect keeps of the end.
pub fn kept_end(dialect: Dialect, completion: &Completion) -> Completion {
    let mut kept = completion.clone();
    let reason = completion.finish_reason.as_ref().map_or("", |reason| &reason.0);
    let told = match (dialect, reason) {
        (Dialect::Anthropic, FinishReason::STOP) => Some("end_turn"),
        (Dialect::Anthropic, FinishReason::TOOL_CALLS) => Some("tool_use"),
        (Dialect::Anthropic, _) => Some("max_tokens"),
        (Dialect::Gemini, FinishReason::LENGTH) => Some("MAX_TOKENS"),
        (Dialect::Gemini, _) => Some("STOP"),
        (Dialect::Cohere, FinishReason::STOP) => Some("COMPLETE"),
        (Dialect::Cohere, FinishReason::TOOL_CALLS) => Some("TOOL_CALL"),
        (Dialect::Cohere, _) => Some("MAX_TOKENS"),
        (Dialect::OpenAiResponses, FinishReason::LENGTH) => Some("max_output_tokens"),
        (Dialect::OpenAiChat | Dialect::OpenAiResponses, _) => None,
    };
    kept.provider_finish_reason = told.map(str::to_owned);
    match dialect {
        Dialect::OpenAiChat | Dialect::Gemini => {}
        Dialect::OpenAiResponses => {
            if let Some(usage) = &mut kept.usage {
                usage.reasoning_tokens = usage.reasoning_tokens.or(Some(0));
                usage.cached_input_tokens = usage.cached_input_tokens.or(Some(0));
            }
        }
        // Here they cannot be left out.
        Dialect::Anthropic => drop(kept.usage.get_or_insert_default()),
        Dialect::Cohere => {
            kept.answered_by = None;
            if let Some(usage) = &mut kept.usage {
                usage.reasoning_tokens = None;
            }
        }
    }
    kept
}

pub fn any_dialect() -> impl Strategy<Value = Dialect> {
    prop::sample::select(Dialect::ALL.to_vec())
}
