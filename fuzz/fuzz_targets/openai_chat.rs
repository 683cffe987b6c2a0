//! Any bytes as a provider's stream, split anywhere, decode to the same deltas and the same end, without a panic; what
//! was decoded encodes again to a stream that decodes to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wordhoard_model::FailureClass;
use wordhoard_wire::openai_chat::{StreamEncoder, stream_decoder};
use wordhoard_wire::{AnswerHead, Completion, Delta, Limits};

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Delta>, Result<Completion, FailureClass>) {
    let mut decoder = stream_decoder(Limits { max_event_bytes: 4096 });
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

fuzz_target!(|input: (u8, &[u8])| {
    let (piece_bytes, stream) = input;
    let (deltas, end) = decode(std::iter::once(stream));
    let split = decode(stream.chunks(usize::from(piece_bytes) + 1));
    assert_eq!((&deltas, &end), (&split.0, &split.1));
    assert!(deltas.iter().all(|delta| !delta.text.is_empty()));

    let mut encoder = StreamEncoder::new(AnswerHead {
        id: "fuzz".to_owned(),
        created_s: 0,
        model: "fuzz".to_owned(),
    });
    let mut out = Vec::new();
    for delta in &deltas {
        encoder.delta(&mut out, delta);
    }
    encoder.finish(&mut out, "stop", None, false);
    encoder.done(&mut out);
    // An encoded chunk may be longer than the limit for an event above; the default one holds it.
    let mut decoder = stream_decoder(Limits::default());
    let mut again = Vec::new();
    decoder.push(&out, &mut again).expect("what we encode can be read");
    assert_eq!(deltas, again);
});
