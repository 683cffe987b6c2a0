use wordhoard_model::Conversation;

/// What a client asks in some dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientRequest {
    /// The model that is asked for; none where the dialect has it in the URL.
    pub model: Option<String>,
    /// Whether the answer shall come as a stream; none where the dialect has that in the URL.
    pub stream: Option<bool>,
    /// Whether the stream shall tell the usage, in dialects that ask.
    pub include_usage: bool,
    /// What is asked. Where the last message is one of the assistant, the answer shall go on from it.
    pub conversation: Conversation,
}

/// A body that is no request of its dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", field.as_ref().map(|field| format!("{field} ")).unwrap_or_default())]
pub struct InvalidRequest {
    /// The field that is wrong, as a path such as `messages[2].content`; none where it is the body as a whole.
    pub field: Option<String>,
    /// What is wrong with it.
    pub problem: String,
}

impl InvalidRequest {
    /// That field has that problem.
    pub fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: Some(field.into()), problem: problem.into() }
    }

    /// The body as a whole has it.
    pub fn body(problem: impl Into<String>) -> Self {
        Self { field: None, problem: problem.into() }
    }
}
