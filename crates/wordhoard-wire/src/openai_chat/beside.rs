//! What this dialect says beside the pieces of an answer: log-probabilities of its tokens, and citations of pages. Both are
//! annotations: recorded as they came, and given back to clients of this dialect.

use serde_json::{Map, Value, json};
use wordhoard_model::TokenKind;

use crate::Delta;
use crate::logprobs::{self, LOGPROBS};

/// <https://platform.openai.com/docs/api-reference/chat/object>, message.annotations.
const URL_CITATION: &str = "url_citation";

/// What an annotation is in this dialect.
pub(super) enum Beside {
    /// Of a choice: `{"content": […], "refusal": […]}`.
    LogProbs(Value),
    /// Of a message.
    Citation(Value),
}

impl Beside {
    /// None for what other dialects say beside their answers.
    pub(super) fn of(delta: &Delta) -> Option<Self> {
        if delta.kind != TokenKind::Annotation {
            return None;
        }
        let mut said: Value = serde_json::from_str(&delta.text).ok()?;
        if said["type"] == URL_CITATION {
            return Some(Self::Citation(citation(said)));
        }
        said.get_mut(LOGPROBS).map(Value::take).map(Self::LogProbs)
    }
}

/// A citation in the form of this dialect; in that of responses its fields stand at the top.
fn citation(mut said: Value) -> Value {
    match said.get_mut(URL_CITATION).map(Value::take) {
        Some(fields) => json!({"type": URL_CITATION, URL_CITATION: fields}),
        None => {
            said.as_object_mut().map(|fields| fields.remove("type"));
            json!({"type": URL_CITATION, URL_CITATION: said})
        }
    }
}

/// The log-probabilities of a choice, where it has any.
pub(super) fn take_logprobs(said: Option<Value>, out: &mut Vec<Delta>) {
    let is_said =
        |logprobs: &Value| logprobs.as_object().is_some_and(|lists| lists.values().any(Value::is_array));
    if let Some(said) = said.filter(is_said) {
        out.push(logprobs::annotation(said));
    }
}

/// The citations of a message.
pub(super) fn take_citations(annotations: Option<Vec<Value>>, out: &mut Vec<Delta>) {
    let citations = annotations.into_iter().flatten().filter(|said| said["type"] == URL_CITATION);
    out.extend(citations.map(|said| Delta::new(TokenKind::Annotation, said.to_string())));
}

/// The log-probabilities of a whole answer: those of all its pieces, one list behind the other. Null where there are none.
pub(super) fn all_logprobs(deltas: &[Delta]) -> Value {
    let mut all = Map::new();
    for delta in deltas {
        let Some(Beside::LogProbs(Value::Object(lists))) = Beside::of(delta) else { continue };
        for (name, list) in lists {
            match (all.get_mut(&name), list) {
                (Some(Value::Array(so_far)), Value::Array(list)) => so_far.extend(list),
                (Some(Value::Null) | None, list) => drop(all.insert(name, list)),
                (Some(_), _) => {}
            }
        }
    }
    if all.is_empty() { Value::Null } else { all.into() }
}

/// The citations of a whole answer.
pub(super) fn all_citations(deltas: &[Delta]) -> Vec<Value> {
    let citation = |delta| match Beside::of(delta) {
        Some(Beside::Citation(said)) => Some(said),
        Some(Beside::LogProbs(_)) | None => None,
    };
    deltas.iter().filter_map(citation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai_chat::{decode_answer, encode_answer, stream_decoder, stream_encoder};
    use crate::{AnswerHead, Completion, Limits};
    use bytes::BytesMut;
    use wordhoard_model::FinishReason;

    /// Whatever a provider says beside its answer comes back to the client, in its stream as in one piece.
    #[test]
    fn log_probabilities_and_citations_come_through() {
        let token = |text: &str| json!({"token": text, "logprob": -0.25, "bytes": null, "top_logprobs": []});
        let of = |text: &str| json!({LOGPROBS: {"content": [token(text)], "refusal": null}}).to_string();
        let annotation = |text: String| Delta::new(TokenKind::Annotation, text);
        let cited =
            json!({"type": URL_CITATION, "url_citation": {"url": "https://a.example", "start_index": 0}});
        let deltas = [
            Delta::text("a"),
            annotation(of("a")),
            Delta::text("b"),
            annotation(of("b")),
            annotation(cited.to_string()),
            annotation(json!({"type": "signature_delta", "signature": "x"}).to_string()),
        ];
        let head = AnswerHead { id: "i".into(), created_s: 1, model: "m".into() };
        let completion = Completion {
            finish_reason: Some(FinishReason("stop".into())),
            answered_by: Some("m".into()),
            ..Completion::default()
        };
        let (mut encoder, mut stream) = (stream_encoder(head.clone(), false), BytesMut::new());
        deltas.iter().for_each(|delta| encoder.delta(&mut stream, delta));
        encoder.finish(&mut stream, &completion);
        let (mut decoder, mut told) = (stream_decoder(Limits::default()), Vec::new());
        decoder.push(&stream, &mut told).unwrap();
        assert_eq!((&told[..], decoder.finish().unwrap()), (&deltas[..5], completion.clone()));

        let whole = encode_answer(&head, &deltas, &completion);
        let body: Value = serde_json::from_slice(&whole).unwrap();
        let choice = &body["choices"][0];
        assert_eq!(choice[LOGPROBS], json!({"content": [token("a"), token("b")], "refusal": null}));
        assert_eq!(choice["message"]["annotations"], json!([cited]));
        let mut told = Vec::new();
        decode_answer(&whole, &mut told).unwrap();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            encode_answer(&head, &deltas[..1], &completion)
                .windows(15)
                .any(|part| part == b"\"logprobs\":null")
        );
    }
}
