use proptest::collection::vec;
use proptest::prelude::*;
use wordhoard_model::TokenKind;
use wordhoard_wire::{Delta, Dialect};

use crate::answers::{any_answer, any_dialect, head, kept, kept_end};

/// The texts of one kind, joined: a whole answer does not tell the pieces apart, nor all orders.
fn joined(dialect: Dialect, deltas: &[Delta], kind: TokenKind) -> String {
    let pieces = kept(dialect, deltas).pieces.into_iter();
    pieces.filter(|delta| delta.kind == kind).map(|delta| delta.text).collect()
}

proptest! {
    #[test]
    fn a_whole_answer_reads_back(dialect in any_dialect(), answer in any_answer()) {
        let body = dialect.encode_answer(&head(), &answer.deltas, &answer.completion);
        let mut decoded = Vec::new();
        let end = dialect.decode_answer(&body, &mut decoded);
        for kind in [TokenKind::Text, TokenKind::Reasoning, TokenKind::Refusal] {
            prop_assert_eq!(joined(dialect, &decoded, kind), joined(dialect, &answer.deltas, kind));
        }
        prop_assert_eq!(kept(dialect, &decoded).calls, kept(dialect, &answer.deltas).calls);
        prop_assert_eq!(end, Ok(kept_end(dialect, &answer.completion)));
        prop_assert_eq!(dialect.classify_error_body(&body), None);
    }

    #[test]
    fn any_bytes_as_a_whole_answer_or_an_error_are_read_without_a_panic(
        dialect in any_dialect(),
        answer in any_answer(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        noise in vec(any::<u8>(), 0..100),
    ) {
        let mut body = dialect.encode_answer(&head(), &answer.deltas, &answer.completion);
        for (place, byte) in damage {
            let place = place.index(body.len());
            body[place] = byte;
        }
        for body in [body, noise] {
            let mut decoded = Vec::new();
            dialect.decode_answer(&body, &mut decoded).ok();
            dialect.classify_error_body(&body);
            let failure = dialect.classify_error(500, &wordhoard_wire::retry_hint::RetryHint::default(), &body);
            prop_assert!(!failure.message.is_empty());
            prop_assert!(decoded.iter().all(|delta| !delta.text.is_empty()));
        }
    }
}
