use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use wordhoard_model::{FailureClass, TokenKind, Usage};
use wordhoard_wire::openai_chat::{StreamEncoder, stream_decoder};
use wordhoard_wire::{AnswerHead, Completion, Delta, Limits, ToolCallPiece, sse};

fn any_text() -> impl Strategy<Value = String> {
    // Any characters, and often those that matter to the formats around.
    prop_oneof![
        any::<String>(),
        "[\\PC\r\n\u{0}\u{2028}\u{feff}:\"\\\\]{1,8}",
        Just("data: [DONE]\n\n".to_owned()),
    ]
    .prop_filter("a delta is never empty", |text| !text.is_empty())
}

fn any_delta() -> impl Strategy<Value = Delta> {
    let piece = (0..3_u64, option::of(any_text()), option::of(any_text()), any_text()).prop_map(
        |(index, id, name, arguments)| {
            let piece = ToolCallPiece { index, id, name, arguments: Some(arguments) };
            serde_json::to_string(&piece).unwrap()
        },
    );
    let plain = prop_oneof![Just(TokenKind::Text), Just(TokenKind::Reasoning), Just(TokenKind::Refusal)];
    prop_oneof![
        4 => (plain, any_text()).prop_map(|(kind, text)| Delta { kind, text }),
        1 => piece.prop_map(|text| Delta { kind: TokenKind::ToolCall, text }),
    ]
}

fn any_usage() -> impl Strategy<Value = Usage> {
    let count = 0..1_000_000_u64;
    (count.clone(), count.clone(), option::of(count.clone()), option::of(count)).prop_map(
        |(input_tokens, output_tokens, reasoning_tokens, cached_input_tokens)| Usage {
            input_tokens,
            output_tokens,
            reasoning_tokens,
            cached_input_tokens,
        },
    )
}

/// The stream of an answer, and where in it each event ends.
struct Encoded {
    bytes: Vec<u8>,
    finish_ends_at: usize,
}

fn encode(deltas: &[Delta], usage: Option<&Usage>, comment_every: usize) -> Encoded {
    let mut encoder =
        StreamEncoder::new(AnswerHead { id: "chatcmpl-1".into(), created_s: 1, model: "m".into() });
    let mut bytes = Vec::new();
    for (place, delta) in deltas.iter().enumerate() {
        if place % comment_every == 0 {
            sse::write_keep_alive(&mut bytes);
            sse::write_comment(&mut bytes, "data: {\"error\":\n\"not data\"}");
        }
        encoder.delta(&mut bytes, delta);
    }
    encoder.finish(&mut bytes, "stop", None, false);
    let finish_ends_at = bytes.len();
    // The finish chunk was just written; only usage and the end follow.
    if usage.is_some() {
        let mut with_usage = Vec::new();
        encoder.finish(&mut with_usage, "stop", usage, true);
        let mut plain = Vec::new();
        encoder.finish(&mut plain, "stop", None, false);
        bytes.extend_from_slice(&with_usage[plain.len()..]);
    }
    encoder.done(&mut bytes);
    Encoded { bytes, finish_ends_at }
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Delta>, Result<Completion, FailureClass>) {
    let mut decoder = stream_decoder(Limits::default());
    let mut deltas = Vec::new();
    let mut result = Ok(());
    for piece in pieces {
        result = result.and_then(|()| decoder.push(piece, &mut deltas));
    }
    let end = result
        .and_then(|()| decoder.end_of_body(&mut deltas))
        .and_then(|()| decoder.finish())
        .map_err(|failure| failure.class);
    (deltas, end)
}

fn split_at<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same_however_it_is_split_and_framed(
        deltas in vec(any_delta(), 0..20),
        usage in option::of(any_usage()),
        comment_every in 1..5_usize,
        cuts in vec(any::<prop::sample::Index>(), 0..40),
        line_end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        byte_order_mark in any::<bool>(),
    ) {
        let encoded = encode(&deltas, usage.as_ref(), comment_every);
        let text = String::from_utf8(encoded.bytes).unwrap().replace('\n', line_end);
        let text = if byte_order_mark { format!("\u{feff}{text}") } else { text };
        let (decoded, end) = decode(split_at(text.as_bytes(), &cuts).into_iter());
        prop_assert_eq!(decoded, deltas);
        let end = end.unwrap();
        prop_assert_eq!(end.usage, usage);
        prop_assert_eq!(end.finish_reason.unwrap().0, "stop");
        prop_assert_eq!(end.answered_by.as_deref(), Some("m"));
    }

    #[test]
    fn a_stream_cut_anywhere_gives_a_prefix_and_completes_only_after_its_finish_reason(
        deltas in vec(any_delta(), 0..10),
        cut in any::<prop::sample::Index>(),
    ) {
        let encoded = encode(&deltas, None, 3);
        let cut = cut.index(encoded.bytes.len() + 1);
        let (decoded, end) = decode(std::iter::once(&encoded.bytes[..cut]));
        prop_assert!(deltas.starts_with(&decoded));
        // The finish chunk counts once its JSON is whole, with or without the two line ends after it.
        if cut >= encoded.finish_ends_at - 2 {
            prop_assert!(end.is_ok());
            prop_assert_eq!(decoded.len(), deltas.len());
        } else {
            prop_assert_eq!(end.unwrap_err(), FailureClass::Cut);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_split_or_not_mean_the_same(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..400),
            "((data|event|id|: ka|)(:| |: )?(\\{\"choices\":\\[\\]\\}|x|\\[DONE\\])?(\r|\n|\r\n)){0,20}".prop_map(String::into_bytes),
        ],
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let whole = decode(std::iter::once(bytes.as_slice()));
        prop_assert_eq!(decode(split_at(&bytes, &cuts).into_iter()), whole);
    }
}
