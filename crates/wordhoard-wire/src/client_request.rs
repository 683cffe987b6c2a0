use serde_json::{Map, Value};
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

impl ClientRequest {
    /// A request that cannot be read, and that only a provider of its own dialect can be asked: it judges the body itself.
    pub(crate) fn unreadable(body: &Map<String, Value>, invalid: InvalidRequest) -> Self {
        let mut conversation = Conversation::default();
        let field = invalid.field.unwrap_or_else(|| "the body".to_owned());
        conversation.leave_unplaced(field, invalid.problem);
        let limits = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
        let limit = limits.iter().find_map(|name| body.get(*name)?.as_u64());
        conversation.max_tokens = limit.and_then(|limit| u32::try_from(limit).ok());
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let flag = |value: Option<&Value>| value.and_then(Value::as_bool);
        Self {
            model: text("model"),
            stream: flag(body.get("stream")),
            include_usage: flag(body.get("stream_options").and_then(|options| options.get("include_usage")))
                .unwrap_or(false),
            conversation,
        }
    }
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
