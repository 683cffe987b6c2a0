//! Why answers end, in the words of every provider.

use wordhoard_model::{Failure, FailureClass, FinishReason};

use crate::Completion;

/// What was seen of an answer as its end is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Whether a tool was called.
    pub(crate) has_called: bool,
    /// Whether anything was said at all.
    pub(crate) has_said: bool,
}

impl Seen {
    /// Takes the next pieces in.
    pub(crate) fn note(&mut self, pieces: &[crate::Delta]) {
        use wordhoard_model::TokenKind;
        self.has_said |= pieces.iter().any(|piece| piece.kind != TokenKind::Annotation);
        self.has_called |= pieces.iter().any(|piece| piece.kind == TokenKind::ToolCall);
    }
}

/// Words for an answer that came to its end.
const STOP: [&str; 12] = [
    "stop",
    "end_turn",
    "stop_sequence",
    "complete",
    "completed",
    "eos",
    "eos_token",
    "end",
    "done",
    "finished",
    "pause_turn",
    "compaction",
];
/// Words for an answer that is cut at its limit. `model_length` is Mistral's.
const LENGTH: [&str; 8] = [
    "length",
    "max_tokens",
    "max_output_tokens",
    "max_length",
    "model_length",
    "model_context_window_exceeded",
    "context_length",
    "token_limit",
];
/// Words for an answer that calls tools.
const TOOL_CALLS: [&str; 4] = ["tool_calls", "tool_call", "tool_use", "function_call"];
/// Words for an answer that was refused or held back by a filter; Google's are at
/// <https://ai.google.dev/api/generate-content#FinishReason>, `guardrail_intervened` is Bedrock's, `sensitive` Zhipu's.
const CONTENT_FILTER: [&str; 18] = [
    "content_filter",
    "content_filtered",
    "refusal",
    "safety",
    "recitation",
    "language",
    "blocklist",
    "prohibited_content",
    "spii",
    "model_armor",
    "image_safety",
    "image_prohibited_content",
    "image_recitation",
    "no_image",
    "guardrail_intervened",
    "sensitive",
    "error_toxic",
    "blocked",
];

/// The failure that a provider tells by its reason to stop, where that is no way to complete.
pub(crate) fn failure_of(told: &str) -> Option<Failure> {
    let (class, message) = match told.to_ascii_lowercase().as_str() {
        // OpenRouter: <https://openrouter.ai/docs/api/reference/errors-and-debugging>; Cohere's is ERROR; Google's others.
        "error" => (FailureClass::StreamError, "the provider stopped for an error of its own".to_owned()),
        "timeout" => (FailureClass::StreamError, "the provider stopped because it took too long".to_owned()),
        // DeepSeek: <https://api-docs.deepseek.com/api/create-chat-completion>, finish_reason.
        "insufficient_system_resource" => {
            (FailureClass::StreamError, "the provider stopped because it ran out of resources".to_owned())
        }
        // vLLM: the request was aborted on the server.
        "abort" => (FailureClass::Cut, "the provider aborted the answer".to_owned()),
        // <https://ai.google.dev/api/generate-content#FinishReason>
        "other"
        | "image_other"
        | "malformed_function_call"
        | "unexpected_tool_call"
        | "too_many_tool_calls"
        | "malformed_response"
        | "missing_thought_signature" => {
            let told = crate::one_line(told, 64);
            (FailureClass::StreamError, format!("the provider stopped for an error of its own ({told})"))
        }
        _ => return None,
    };
    Some(Failure::new(class, message))
}

/// The reason in the words of the chat dialect, which all encoders know. A call that was made counts more than the reason
/// beside it; a word that nobody knows is a filter's where nothing was said.
pub(crate) fn reason_of(told: &str, seen: Seen) -> &'static str {
    let lower = told.to_ascii_lowercase();
    let is_one_of = |words: &[&str]| words.contains(&lower.as_str());
    if is_one_of(&LENGTH) {
        FinishReason::LENGTH
    } else if is_one_of(&CONTENT_FILTER) {
        FinishReason::CONTENT_FILTER
    } else if seen.has_called {
        FinishReason::TOOL_CALLS
    } else if is_one_of(&STOP) || is_one_of(&TOOL_CALLS) || seen.has_said {
        FinishReason::STOP
    } else {
        FinishReason::CONTENT_FILTER
    }
}

impl Completion {
    /// The end of an answer with that reason, as its provider told it.
    ///
    /// # Errors
    /// Where it is no way to complete.
    pub(crate) fn told(told: &str, seen: Seen) -> Result<Self, Failure> {
        match failure_of(told) {
            Some(failure) => Err(failure),
            None => Ok(Self::ended(told, seen)),
        }
    }

    /// As [`Completion::told`], whatever the reason is.
    pub(crate) fn ended(told: &str, seen: Seen) -> Self {
        let reason = reason_of(told, seen);
        Self {
            finish_reason: Some(FinishReason(reason.to_owned())),
            provider_finish_reason: (told != reason).then(|| crate::one_line(told, 64)),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_nearest_and_is_kept() {
        let said = Seen { has_called: false, has_said: true };
        let called = Seen { has_called: true, has_said: true };
        for (told, seen, expected) in [
            ("stop", said, FinishReason::STOP),
            ("STOP", called, FinishReason::TOOL_CALLS),
            ("end_turn", called, FinishReason::TOOL_CALLS),
            ("tool_calls", said, FinishReason::STOP),
            ("MAX_TOKENS", called, FinishReason::LENGTH),
            ("NO_IMAGE", said, FinishReason::CONTENT_FILTER),
            ("something_new", said, FinishReason::STOP),
            ("something_new", Seen::default(), FinishReason::CONTENT_FILTER),
        ] {
            let completion = Completion::told(told, seen).unwrap();
            assert_eq!(completion.finish_reason, Some(FinishReason(expected.into())), "{told} {seen:?}");
            let kept = (told != expected).then(|| told.to_owned());
            assert_eq!(completion.provider_finish_reason, kept);
        }
        assert_eq!(
            Completion::told("MALFORMED_FUNCTION_CALL", called).unwrap_err().class,
            FailureClass::StreamError
        );
    }
}
