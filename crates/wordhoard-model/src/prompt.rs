//! What a caller asks, and the rules that it must keep (SPEC FD 1).

mod parameters;
mod rules;

pub use parameters::{ParameterKind, Parameters, known_parameters, whole_number};
pub use rules::{Invalid, MAX_PROMPT_CHARS, MAX_SYSTEM_MESSAGE_CHARS, Rule};

/// A prompt that keeps the rules: it can only be made by [`Prompt::new`], or from a record of one that was.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// The user's message.
    pub text: String,
    /// The system message before it.
    pub system_message: Option<String>,
    /// How the models shall answer.
    pub parameters: Parameters,
}

/// What a caller gave against doubles: the same key and body within 24 h are the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The value of the `Idempotency-Key` header.
    pub key: String,
    /// SHA-256 of the body that came with it.
    pub body_sha256: [u8; 32],
}

impl Prompt {
    /// Checks the texts against the rules of the prompt endpoint.
    ///
    /// # Errors
    /// Every rule that is broken, not only the first.
    pub fn new(
        text: String,
        system_message: Option<String>,
        parameters: Parameters,
    ) -> Result<Self, Vec<Invalid>> {
        let mut broken = Vec::new();
        rules::check_text("prompt", &text, MAX_PROMPT_CHARS, &mut broken);
        if let Some(message) = &system_message {
            rules::check_text("system_message", message, MAX_SYSTEM_MESSAGE_CHARS, &mut broken);
        }
        if broken.is_empty() { Ok(Self { text, system_message, parameters }) } else { Err(broken) }
    }
}
