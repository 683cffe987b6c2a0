use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use wordhoard_wire::Limits;
use wordhoard_wire::openai_chat::stream_decoder;

/// Decodes a recorded stream in pieces of that many bytes, and tells what came of it, a line for each delta and one for
/// the end.
fn decode(stream: &[u8], piece_bytes: usize) -> String {
    let mut decoder = stream_decoder(Limits::default());
    let mut deltas = Vec::new();
    let mut result = Ok(());
    for piece in stream.chunks(piece_bytes) {
        result = result.and_then(|()| decoder.push(piece, &mut deltas));
    }
    let end = result.and_then(|()| decoder.end_of_body(&mut deltas)).and_then(|()| decoder.finish());
    let mut told = String::new();
    for delta in deltas {
        writeln!(told, "{} {:?}", delta.kind, delta.text).unwrap();
    }
    match end {
        Ok(completion) => {
            let reason = completion.finish_reason.map(|reason| reason.0).unwrap_or_default();
            let model = completion.answered_by.unwrap_or_default();
            writeln!(told, "completed {reason} by {model}").unwrap();
            if let Some(usage) = completion.usage {
                writeln!(
                    told,
                    "usage input={} output={} reasoning={:?} cached={:?}",
                    usage.input_tokens,
                    usage.output_tokens,
                    usage.reasoning_tokens,
                    usage.cached_input_tokens
                )
                .unwrap();
            }
        }
        Err(failure) => writeln!(told, "failed {}: {}", failure.class, failure.message).unwrap(),
    }
    told
}

/// Each `NAME.sse` names its source in a comment on its first line, and has its outcome in `NAME.out`.
/// To accept a change, run with `UPDATE_FIXTURES=1` and read the difference.
#[test]
fn recorded_streams_decode_to_their_recorded_outcome() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openai_chat");
    let mut names = [BTreeSet::new(), BTreeSet::new()];
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let is_outcome = path.extension().is_some_and(|extension| extension == "out");
        names[usize::from(is_outcome)].insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
    }
    let [streams, outcomes] = names;
    assert!(streams.len() >= 15, "fixtures are missing: {streams:?}");
    let update = option_env!("UPDATE_FIXTURES").is_some();
    for name in &streams {
        let stream = std::fs::read(folder.join(name).with_extension("sse")).unwrap();
        assert!(
            stream.starts_with(b": source: http") || stream.starts_with(b"\xef\xbb\xbf: source: http"),
            "{name}"
        );
        let whole = decode(&stream, usize::MAX);
        for piece_bytes in [1, 2, 3, 7, 64] {
            assert_eq!(decode(&stream, piece_bytes), whole, "{name} in pieces of {piece_bytes}");
        }
        let outcome = folder.join(name).with_extension("out");
        if update {
            std::fs::write(&outcome, &whole).unwrap();
        }
        let expected = std::fs::read_to_string(&outcome).unwrap_or_default();
        assert_eq!(whole, expected, "{name}");
    }
    assert!(outcomes.is_subset(&streams), "stale outcomes: {outcomes:?}");
}
