use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use wordhoard_model::{Failure, FailureClass};
use wordhoard_wire::{Completion, Delta, Dialect, Limits, sse};

use crate::answers::{Answer, any_answer, any_deltas, any_dialect, head, kept, kept_end};

/// The stream of an answer, with comments between its events.
fn encode(dialect: Dialect, answer: &Answer, comment_every: usize) -> Vec<u8> {
    let mut encoder = dialect.stream_encoder(head(), true);
    let mut bytes = BytesMut::new();
    for (place, delta) in answer.deltas.iter().enumerate() {
        if place % comment_every == 0 {
            sse::write_keep_alive(&mut bytes);
            sse::write_comment(&mut bytes, "data: {\"error\":\n\"not data\"}");
        }
        encoder.delta(&mut bytes, delta);
    }
    encoder.finish(&mut bytes, &answer.completion);
    bytes.to_vec()
}

fn decode<'a>(
    dialect: Dialect,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Delta>, Result<Completion, Failure>) {
    let mut decoder = dialect.stream_decoder(Limits::default());
    let mut deltas = Vec::new();
    let mut result = Ok(());
    for piece in pieces {
        result = result.and_then(|()| decoder.push(piece, &mut deltas));
    }
    let end = result.and_then(|()| decoder.end_of_body(&mut deltas)).and_then(|()| decoder.finish());
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
        dialect in any_dialect(),
        answer in any_answer(),
        comment_every in 1..5_usize,
        cuts in vec(any::<prop::sample::Index>(), 0..40),
        line_end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        byte_order_mark in any::<bool>(),
    ) {
        let text = String::from_utf8(encode(dialect, &answer, comment_every)).unwrap().replace('\n', line_end);
        let text = if byte_order_mark { format!("\u{feff}{text}") } else { text };
        let (decoded, end) = decode(dialect, split_at(text.as_bytes(), &cuts).into_iter());
        prop_assert_eq!(kept(dialect, &decoded), kept(dialect, &answer.deltas));
        prop_assert_eq!(end, Ok(kept_end(dialect, &answer.completion)));
    }

    #[test]
    fn a_stream_cut_anywhere_gives_a_prefix_and_never_passes_for_a_whole_answer(
        dialect in any_dialect(),
        answer in any_answer(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = encode(dialect, &answer, 3);
        let (all, end) = decode(dialect, std::iter::once(bytes.as_slice()));
        prop_assert!(end.is_ok());
        let (decoded, end) = decode(dialect, std::iter::once(&bytes[..cut.index(bytes.len())]));
        prop_assert!(all.starts_with(&decoded));
        match end {
            Ok(_) => prop_assert_eq!(decoded, all),
            Err(failure) => prop_assert_eq!(failure.class, FailureClass::Cut),
        }
    }

    #[test]
    fn a_failure_in_mid_stream_is_never_taken_for_an_end(
        dialect in any_dialect(),
        deltas in any_deltas(),
        class in prop::sample::select(FailureClass::ALL.to_vec()),
    ) {
        let mut encoder = dialect.stream_encoder(head(), true);
        let mut bytes = BytesMut::new();
        for delta in &deltas {
            encoder.delta(&mut bytes, delta);
        }
        encoder.fail(&mut bytes, &Failure::new(class, "it went wrong"));
        let (_, end) = decode(dialect, std::iter::once(&bytes[..]));
        prop_assert!(end.unwrap_err().message.contains("it went wrong"));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_split_or_not_mean_the_same(
        dialect in any_dialect(),
        answer in any_answer(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        noise in vec(any::<u8>(), 0..200),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut bytes = encode(dialect, &answer, 4);
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        for bytes in [bytes, noise] {
            let whole = decode(dialect, std::iter::once(bytes.as_slice()));
            prop_assert_eq!(decode(dialect, split_at(&bytes, &cuts).into_iter()), whole);
        }
    }
}
