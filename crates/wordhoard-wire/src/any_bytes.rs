//! What holds of every dialect, whatever bytes come: for the fuzz targets, and for the tests that replay their seeds.

use wordhoard_model::{Capabilities, Failure};

use crate::{AnswerHead, Ask, Completion, Delta, Dialect, LeftOut, Limits, ProviderEvent, Unsupported};

fn decode<'a>(
    dialect: Dialect,
    limits: Limits,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Delta>, Result<Completion, Failure>) {
    let mut decoder = dialect.stream_decoder(limits);
    let mut deltas = Vec::new();
    let mut result = Ok(());
    for piece in pieces {
        result = result.and_then(|()| decoder.push(piece, &mut deltas));
    }
    let end = result.and_then(|()| decoder.end_of_body(&mut deltas)).and_then(|()| decoder.finish());
    (deltas, end)
}

/// All that is read of a stream, and how it ended.
type Read = (Vec<Delta>, Vec<ProviderEvent>, Result<(), Failure>, Completion);

fn read(dialect: Dialect, bytes: &[u8], parses_each: bool) -> Read {
    let mut decoder = dialect.stream_decoder(Limits::default());
    decoder.keep_events();
    if parses_each {
        decoder.parse_each();
    }
    let mut deltas = Vec::new();
    let pushed = decoder.push(bytes, &mut deltas);
    let end = pushed.and_then(|()| decoder.end_of_body(&mut deltas)).and_then(|()| decoder.finish());
    (deltas, decoder.take_events(), end.map(drop), decoder.so_far())
}

/// Reads `bytes` as a provider's stream with every short cut, and without any.
///
/// # Panics
///
/// Where that makes a difference.
pub fn check_short_cuts(dialect: Dialect, bytes: &[u8]) {
    let (quick, tolerant) = (read(dialect, bytes, false), read(dialect, bytes, true));
    assert_eq!(quick, tolerant, "{dialect:?} of {:?}", String::from_utf8_lossy(bytes));
}

/// Reads `bytes` as a provider's stream, a whole answer, an error and a client's request, and writes again what was
/// read.
///
/// # Panics
///
/// Where a promise is broken: the same bytes decode to the same deltas and the same end however they are split into
/// reads; no delta is empty; what was decoded encodes to a stream that can be read.
pub fn check(dialect: Dialect, bytes: &[u8]) {
    let small = Limits { max_event_bytes: 4096 };
    let (deltas, end) = decode(dialect, small, std::iter::once(bytes));
    for piece_bytes in [1, bytes.len() % 97 + 2] {
        let split = decode(dialect, small, bytes.chunks(piece_bytes));
        assert_eq!((&deltas, &end), (&split.0, &split.1), "in pieces of {piece_bytes}");
    }
    check_short_cuts(dialect, bytes);
    assert!(deltas.iter().all(|delta| !delta.text.is_empty()), "an empty delta");

    let head = AnswerHead { id: "fuzz".to_owned(), created_s: 0, model: "fuzz".to_owned() };
    let encoded = dialect.encode_stream(head, &deltas, &Completion::default(), true);
    // An encoded event may be longer than the limit above; the default one holds it.
    let (_, end) = decode(dialect, Limits::default(), std::iter::once(encoded.as_slice()));
    assert!(end.is_ok(), "what was encoded cannot be read: {end:?}");

    dialect.decode_answer(bytes, &mut Vec::new()).ok();
    dialect.classify_error_body(bytes);
    ask_everywhere(dialect, bytes);
}

/// Whatever can be asked in one dialect is asked in each of the others, or refused by name.
fn ask_everywhere(dialect: Dialect, bytes: &[u8]) {
    let Ok(request) = dialect.decode_request(bytes) else { return };
    let capabilities = Capabilities::default();
    for other in Dialect::ALL {
        let left_out = LeftOut::default();
        let ask = Ask {
            model: "fuzz",
            conversation: &request.conversation,
            answer_so_far: None,
            stream: true,
            capabilities: &capabilities,
            unsupported: Unsupported::Drop,
            left_out: Some(&left_out),
        };
        if let Ok(body) = other.encode_request(&ask) {
            other.decode_request(&body).ok();
        }
    }
}
