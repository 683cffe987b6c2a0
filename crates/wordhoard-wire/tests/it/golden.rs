use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use wordhoard_model::Failure;
use wordhoard_wire::{Completion, Delta, Dialect, Limits};

/// Each folder, and how many recordings it has at least.
const FOLDERS: [(Dialect, &str, usize); 5] = [
    (Dialect::OpenAiChat, "openai_chat", 20),
    (Dialect::OpenAiResponses, "openai_responses", 16),
    (Dialect::Anthropic, "anthropic", 18),
    (Dialect::Gemini, "gemini", 18),
    (Dialect::Cohere, "cohere", 14),
];

/// What came of an answer, a line for each delta and one for the end.
fn told(deltas: &[Delta], end: Result<Completion, Failure>) -> String {
    let mut told = String::new();
    for delta in deltas {
        writeln!(told, "{} {:?}", delta.kind, delta.text).unwrap();
    }
    match end {
        Ok(completion) => {
            let mut reason = completion.finish_reason.map(|reason| reason.0).unwrap_or_default();
            if let Some(told) = completion.provider_finish_reason {
                write!(reason, " ({told})").unwrap();
            }
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
                if !usage.details.is_empty() {
                    writeln!(told, "details {}", serde_json::Value::Object(usage.details.to_json())).unwrap();
                }
            }
        }
        Err(failure) => writeln!(told, "failed {}: {}", failure.class, failure.message).unwrap(),
    }
    told
}

/// Decodes a recorded stream in pieces of that many bytes.
fn decode_stream(dialect: Dialect, stream: &[u8], piece_bytes: usize) -> String {
    let mut decoder = dialect.stream_decoder(Limits::default());
    let mut deltas = Vec::new();
    let mut result = Ok(());
    for piece in stream.chunks(piece_bytes) {
        result = result.and_then(|()| decoder.push(piece, &mut deltas));
    }
    let end = result.and_then(|()| decoder.end_of_body(&mut deltas)).and_then(|()| decoder.finish());
    told(&deltas, end)
}

fn outcome_of(dialect: Dialect, path: &Path) -> String {
    let recorded = std::fs::read(path).unwrap();
    if path.extension().unwrap() == "json" {
        assert!(String::from_utf8_lossy(&recorded).contains("\"_source\": \"http"), "{path:?} has no source");
        let mut deltas = Vec::new();
        let end = dialect.decode_answer(&recorded, &mut deltas);
        return told(&deltas, end);
    }
    let text = String::from_utf8_lossy(&recorded);
    assert!(text.trim_start_matches('\u{feff}').starts_with(": source: http"), "{path:?} has no source");
    let whole = decode_stream(dialect, &recorded, usize::MAX);
    for piece_bytes in [1, 2, 3, 7, 64] {
        assert_eq!(
            decode_stream(dialect, &recorded, piece_bytes),
            whole,
            "{path:?} in pieces of {piece_bytes}"
        );
    }
    whole
}

/// Each `NAME.sse` is a stream and names its source in a comment on its first line; each `NAME.json` is an answer that
/// came whole, with its source in the field `_source`. The outcome stands in `NAME.out`.
/// To accept a change, build with `UPDATE_FIXTURES=1` and read the difference.
#[test]
fn recorded_answers_decode_to_their_recorded_outcome() {
    let update = option_env!("UPDATE_FIXTURES").is_some();
    for (dialect, folder, at_least) in FOLDERS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
        let files: BTreeSet<PathBuf> =
            std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
        let (outcomes, recordings): (BTreeSet<_>, BTreeSet<_>) =
            files.into_iter().partition(|path| path.extension().is_some_and(|extension| extension == "out"));
        assert!(recordings.len() >= at_least, "recordings are missing in {folder:?}: {}", recordings.len());
        for path in &recordings {
            let outcome = outcome_of(dialect, path);
            if update {
                std::fs::write(path.with_extension("out"), &outcome).unwrap();
            }
            let expected = std::fs::read_to_string(path.with_extension("out")).unwrap_or_default();
            assert_eq!(outcome, expected, "{path:?}");
        }
        let expected: BTreeSet<_> = recordings.iter().map(|path| path.with_extension("out")).collect();
        assert_eq!(
            outcomes.difference(&expected).collect::<Vec<_>>(),
            Vec::<&PathBuf>::new(),
            "stale outcomes"
        );
    }
}
