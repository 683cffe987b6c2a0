//! Embeddings: the provider's document is the answer, and is given in pieces that can be recorded.

use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use wordhoard_model::{Failure, FailureClass, Usage};
use wordhoard_wire::{Completion, Delta};

use crate::{AnswerPart, Broken, Pieces};

/// The longest piece, in bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// What is read of the document beside the vectors: <https://platform.openai.com/docs/api-reference/embeddings/object>.
#[derive(Deserialize)]
struct Told {
    model: Option<String>,
    usage: Option<ToldUsage>,
}

#[derive(Deserialize)]
struct ToldUsage {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

/// The parts of an answer, once its document is there.
pub(super) fn parts(
    document: impl Future<Output = Result<Vec<u8>, Failure>> + Send + 'static,
) -> impl Stream<Item = Result<AnswerPart, Broken>> + Send + 'static {
    let parts = async { document.await.and_then(|document| of_document(&document)) };
    stream::once(parts).flat_map(|parts| {
        let (parts, failure) = match parts {
            Ok(parts) => (parts, None),
            Err(failure) => (Vec::new(), Some(Err(failure.into()))),
        };
        stream::iter(parts.into_iter().map(Ok).chain(failure))
    })
}

fn of_document(document: &[u8]) -> Result<Vec<AnswerPart>, Failure> {
    let malformed = || Failure::new(FailureClass::Malformed, "the provider's embeddings are no JSON object");
    let text = std::str::from_utf8(document).map_err(|_| malformed())?;
    let told: Told = serde_json::from_str(text).map_err(|_| malformed())?;
    let usage = told.usage.and_then(|usage| usage.prompt_tokens.or(usage.total_tokens));
    let completion = Completion {
        usage: usage.map(|input_tokens| Usage { input_tokens, ..Usage::default() }),
        answered_by: told.model,
        ..Completion::default()
    };
    let deltas: Vec<_> = pieces(text).map(Delta::text).collect();
    Ok(vec![AnswerPart::Pieces(Pieces::from(deltas)), AnswerPart::Completed(Box::new(completion))])
}

fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE_BYTES));
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_back_from_its_pieces() {
        let filling = "☃".repeat(PIECE_BYTES);
        let document =
            format!(r#"{{"x":"{filling}","model":"m-1","usage":{{"prompt_tokens":7,"total_tokens":7}}}}"#);
        let parts = of_document(document.as_bytes()).unwrap();
        let mut whole = String::new();
        for part in &parts {
            match part {
                AnswerPart::Pieces(pieces) => {
                    assert_eq!(pieces.deltas.len(), 4);
                    for delta in &pieces.deltas {
                        assert!(delta.text.len() <= PIECE_BYTES);
                        whole += &delta.text;
                    }
                }
                AnswerPart::Usage(_) => {}
                AnswerPart::Completed(completion) => {
                    assert_eq!(completion.answered_by.as_deref(), Some("m-1"));
                    assert_eq!(completion.usage, Some(Usage { input_tokens: 7, ..Usage::default() }));
                }
            }
        }
        assert_eq!((whole, parts.len()), (document, 2));
        assert!(of_document(b"[1]").is_err() && of_document(b"\xff").is_err());
    }
}
