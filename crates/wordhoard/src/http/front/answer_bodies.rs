//! The answers of the drop-in APIs, as the OpenAPI document has them: the fields that every answer made here has. Where the
//! provider speaks the client's dialect its answer comes as it is, with whatever else it holds, and nothing is required of it.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

/// Structs that only the document is made of.
macro_rules! described {
    ($($(#[$of_body:meta])* $body:ident { $($(#[doc = $doc:literal])+ $field:ident: $kind:ty,)+ })+) => {$(
        $(#[$of_body])*
        #[derive(ToSchema)]
        #[expect(dead_code, reason = "the document of the API is made of it; the bodies come from the dialects' encoders")]
        pub(super) struct $body {
            $($(#[doc = $doc])+ $field: $kind,)+
        }
    )+};
}

described! {
    /// As OpenAI's reference has a chat completion.
    ChatAnswer {
        /// Of this answer; the request's id of the native API stands in `x-wordhoard-request-id`.
        id: Option<String>,
        /// `chat.completion`.
        object: Option<String>,
        /// When it was asked, in seconds since 1970.
        created: Option<i64>,
        /// The model that answered, as `provider:model`.
        model: Option<String>,
        /// One for each lane: `index`, `message`, `finish_reason`.
        choices: Option<Vec<BTreeMap<String, Value>>>,
        /// What it used.
        usage: Option<BTreeMap<String, Value>>,
    }
    /// As OpenAI's reference has a response.
    ResponseAnswer {
        /// The request's id of the native API, with `resp_` before it.
        id: Option<String>,
        /// `response`.
        object: Option<String>,
        /// `queued`, `in_progress`, `completed`, `incomplete`, `failed` or `cancelled`.
        status: Option<String>,
        /// The model that answered, as `provider:model`.
        model: Option<String>,
        /// What was answered, item by item.
        output: Option<Vec<BTreeMap<String, Value>>>,
        /// What it used.
        usage: Option<BTreeMap<String, Value>>,
    }
    /// As OpenAI's reference has a compacted conversation.
    CompactedAnswer {
        /// `response.compaction`.
        object: Option<String>,
        /// The items that take the place of the conversation.
        output: Option<Vec<BTreeMap<String, Value>>>,
        /// What it used.
        usage: Option<BTreeMap<String, Value>>,
    }
    /// As OpenAI's reference has a response that is gone.
    DeletedResponse {
        /// Of the response.
        id: String,
        /// `response`.
        object: String,
        /// `true`.
        deleted: bool,
    }
    /// As OpenAI's reference has a page of input items.
    InputItems {
        /// `list`.
        object: String,
        /// The items.
        data: Vec<BTreeMap<String, Value>>,
        /// Whether there are more behind `last_id`.
        has_more: bool,
        /// The id of the first item of the page.
        first_id: Option<String>,
        /// The id of the last item of the page.
        last_id: Option<String>,
    }
    /// As OpenAI's reference has embeddings.
    EmbeddingsAnswer {
        /// `list`.
        object: Option<String>,
        /// One for each input: `index`, `embedding`.
        data: Option<Vec<BTreeMap<String, Value>>>,
        /// The model that answered.
        model: Option<String>,
        /// What it used.
        usage: Option<BTreeMap<String, Value>>,
    }
    /// As Anthropic's reference has a message.
    MessageAnswer {
        /// Of this answer; the request's id of the native API stands in `x-wordhoard-request-id`.
        id: Option<String>,
        /// `message`.
        r#type: Option<String>,
        /// `assistant`.
        role: Option<String>,
        /// The model that answered, as `provider:model`.
        model: Option<String>,
        /// What was answered, block by block.
        content: Option<Vec<BTreeMap<String, Value>>>,
        /// Why it ended.
        stop_reason: Option<String>,
        /// What it used.
        usage: Option<BTreeMap<String, Value>>,
    }
    /// As Anthropic's reference has a count of tokens.
    CountAnswer {
        /// Of the whole prompt; an estimate where the provider has no count.
        input_tokens: u64,
    }
    /// As OpenAI's reference has a list of models; with a header `anthropic-version`, as Anthropic's has it.
    ModelList {
        /// `list`, of OpenAI's API.
        object: Option<String>,
        /// The models that this key may ask.
        data: Vec<BTreeMap<String, Value>>,
        /// `false`, of Anthropic's API: all come at once.
        has_more: Option<bool>,
        /// The first name, of Anthropic's API.
        first_id: Option<String>,
        /// The last name, of Anthropic's API.
        last_id: Option<String>,
    }
    /// As OpenAI's reference has a model; with a header `anthropic-version`, as Anthropic's has it.
    ModelAnswer {
        /// `provider:model`, or an alias.
        id: String,
    }
}
