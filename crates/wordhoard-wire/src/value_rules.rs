//! What values the providers of each dialect refuse, and how a request of another dialect is made to keep to that: without
//! loss where that can be done, and listed; else it is refused by name. A request in the provider's own dialect is never
//! touched.

mod fitting;
mod schema;

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Value, json};
use wordhoard_model::{Conversation, Image, Message, Part, ToolCall, ToolChoice};

use self::fitting::{NameRule, digest};
use crate::{Ask, CannotHonour, Dialect};

/// The rules of one family of providers.
struct ValueRules {
    /// How the family is called in messages.
    family: &'static str,
    /// Of the ids of calls.
    call_id: NameRule,
    /// Of the names of tools.
    tool_name: NameRule,
    /// The most characters of an id of a user.
    max_user_chars: usize,
    /// The types of images that are taken.
    image_types: &'static [&'static str],
    /// Whether a text of white space alone is taken.
    takes_blank_texts: bool,
    /// Whether the last message of the assistant may end in white space.
    takes_trailing_blanks: bool,
    /// How many stop sequences are taken.
    max_stops: usize,
    /// Whether the arguments of calls have to be JSON objects.
    wants_objects: bool,
    /// The efforts that are known, and the one for all others.
    efforts: Option<(&'static [&'static str], &'static str)>,
    /// Whether the schema of a tool may be a choice of several at its top.
    takes_schema_choices: bool,
    /// Whether schemas of answers have to be closed, and may hold no bounds.
    wants_closed_schemas: bool,
    /// Whether `top_p` may be 1.
    takes_whole_top_p: bool,
}

const PHOTOS: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// <https://platform.openai.com/docs/api-reference/chat/create>: tools, user, stop, reasoning_effort;
/// <https://platform.openai.com/docs/guides/images-vision>.
const OPENAI: ValueRules = ValueRules {
    family: "OpenAI's dialect",
    call_id: NameRule::new(64, NameRule::ANY),
    tool_name: NameRule::new(64, NameRule::WORD_AND_DASH),
    max_user_chars: 64,
    image_types: &PHOTOS,
    takes_blank_texts: true,
    takes_trailing_blanks: true,
    max_stops: 4,
    wants_objects: false,
    efforts: Some((&["none", "minimal", "low", "medium", "high", "xhigh"], "high")),
    takes_schema_choices: true,
    wants_closed_schemas: false,
    takes_whole_top_p: true,
};

/// <https://platform.claude.com/docs/en/api/messages>, <https://platform.claude.com/docs/en/build-with-claude/vision>,
/// <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>, JSON Schema limitations.
const ANTHROPIC: ValueRules = ValueRules {
    family: "Anthropic's dialect",
    call_id: NameRule::new(64, NameRule::WORD_AND_DASH),
    tool_name: NameRule::new(64, NameRule::WORD_AND_DASH),
    max_user_chars: 256,
    image_types: &PHOTOS,
    takes_blank_texts: false,
    takes_trailing_blanks: false,
    max_stops: usize::MAX,
    wants_objects: true,
    efforts: None,
    takes_schema_choices: false,
    wants_closed_schemas: true,
    takes_whole_top_p: true,
};

/// <https://ai.google.dev/api/caching#FunctionDeclaration>, <https://ai.google.dev/gemini-api/docs/image-understanding>,
/// <https://ai.google.dev/api/generate-content#v1beta.GenerationConfig>, stopSequences.
const GEMINI: ValueRules = ValueRules {
    family: "Gemini's dialect",
    call_id: NameRule::new(usize::MAX, NameRule::ANY),
    tool_name: NameRule::new(64, NameRule::WORD_DOT_COLON_AND_DASH),
    max_user_chars: usize::MAX,
    image_types: &["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"],
    takes_blank_texts: false,
    takes_trailing_blanks: true,
    max_stops: 5,
    wants_objects: true,
    efforts: None,
    takes_schema_choices: true,
    wants_closed_schemas: false,
    takes_whole_top_p: true,
};

/// <https://docs.cohere.com/reference/chat>: stop_sequences, p; <https://docs.cohere.com/docs/tool-use-overview>, names of tools.
const COHERE: ValueRules = ValueRules {
    family: "Cohere's dialect",
    call_id: NameRule::new(usize::MAX, NameRule::ANY),
    tool_name: NameRule::new(64, NameRule::WORD),
    max_user_chars: usize::MAX,
    image_types: &PHOTOS,
    takes_blank_texts: false,
    takes_trailing_blanks: true,
    max_stops: 5,
    wants_objects: false,
    efforts: None,
    takes_schema_choices: true,
    wants_closed_schemas: false,
    takes_whole_top_p: false,
};

fn rules_of(dialect: Dialect) -> &'static ValueRules {
    match dialect {
        Dialect::OpenAiChat => &OPENAI,
        // It has no stop sequences at all.
        Dialect::OpenAiResponses => const { &ValueRules { max_stops: 0, ..OPENAI } },
        Dialect::Anthropic => &ANTHROPIC,
        Dialect::Gemini => &GEMINI,
        Dialect::Cohere => &COHERE,
    }
}

/// The texts at which the answer ends and that a provider of the dialect cannot be given; blank ones Anthropic refuses.
pub(crate) fn unsent_stops(dialect: Dialect, stops: &[String]) -> Vec<String> {
    let rules = rules_of(dialect);
    let is_sent =
        |stop: &String| rules.takes_blank_texts || dialect != Dialect::Anthropic || !stop.trim().is_empty();
    let (sent, mut unsent): (Vec<String>, Vec<String>) = stops.iter().cloned().partition(is_sent);
    unsent.extend(sent.into_iter().skip(rules.max_stops));
    unsent
}

/// The tools that a provider of the dialect knows by other names: what each is called there, and what it is called here.
pub(crate) fn renamed_tools(dialect: Dialect, conversation: &Conversation) -> HashMap<String, String> {
    let rule = &rules_of(dialect).tool_name;
    let names = conversation.tools.iter().map(|tool| &tool.name);
    names.filter(|name| !rule.fits(name)).map(|name| (rule.fitted(name), name.clone())).collect()
}

/// The conversation as a provider of the dialect takes it.
///
/// # Errors
/// A value that it takes in no form, where such are refused.
pub(crate) fn adapted<'a>(dialect: Dialect, ask: &Ask<'a>) -> Result<Cow<'a, Conversation>, CannotHonour> {
    let mut adapter = Adapter { rules: rules_of(dialect), ask, asked: Cow::Borrowed(ask.conversation) };
    adapter.names();
    adapter.calls();
    adapter.users();
    adapter.images()?;
    adapter.blanks()?;
    adapter.numbers()?;
    adapter.schemas();
    let unsent = unsent_stops(dialect, &ask.conversation.stop);
    if !unsent.is_empty() {
        adapter.change("stop").stop.retain(|stop| !unsent.contains(stop));
    }
    Ok(adapter.asked)
}

struct Adapter<'a, 'b> {
    rules: &'static ValueRules,
    ask: &'b Ask<'a>,
    asked: Cow<'a, Conversation>,
}

impl Adapter<'_, '_> {
    /// The conversation, to be changed; the field is listed.
    fn change(&mut self, field: &str) -> &mut Conversation {
        self.ask.list(field);
        self.asked.to_mut()
    }

    fn names(&mut self) {
        let rule = &self.rules.tool_name;
        let is_odd = |name: &str| !rule.fits(name);
        let odd: Vec<usize> =
            (0..).zip(&self.asked.tools).filter(|(_, tool)| is_odd(&tool.name)).map(|(at, _)| at).collect();
        for at in odd {
            let tool = &mut self.change(&format!("tools[{at}].name")).tools[at];
            tool.name = rule.fitted(&tool.name);
        }
        if let Some(ToolChoice::Function(name)) = &self.asked.tool_choice
            && is_odd(name)
        {
            let fitted = rule.fitted(name);
            self.change("tool_choice").tool_choice = Some(ToolChoice::Function(fitted));
        }
        let named_oddly = |message: &Message| match message {
            Message::Assistant { tool_calls, .. } => tool_calls.iter().any(|call| is_odd(&call.name)),
            Message::ToolResult { name: Some(name), .. } => is_odd(name),
            _ => false,
        };
        if self.asked.messages.iter().any(named_oddly) {
            for message in &mut self.change("messages.tool_calls").messages {
                match message {
                    Message::Assistant { tool_calls, .. } => {
                        tool_calls.iter_mut().for_each(|call| call.name = rule.fitted(&call.name));
                    }
                    Message::ToolResult { name: Some(name), .. } => *name = rule.fitted(name),
                    _ => {}
                }
            }
        }
    }

    /// Ids of calls, and what the calls were made with.
    fn calls(&mut self) {
        let (rule, wants_objects) = (&self.rules.call_id, self.rules.wants_objects);
        let has_odd_id = |message: &Message| match message {
            Message::Assistant { tool_calls, .. } => tool_calls.iter().any(|call| !rule.fits(&call.id)),
            Message::ToolResult { call_id, .. } => !rule.fits(call_id),
            _ => false,
        };
        if self.asked.messages.iter().any(has_odd_id) {
            for message in &mut self.change("messages.tool_call_id").messages {
                match message {
                    Message::Assistant { tool_calls, .. } => {
                        tool_calls.iter_mut().for_each(|call| call.id = rule.fitted(&call.id));
                    }
                    Message::ToolResult { call_id, .. } => *call_id = rule.fitted(call_id),
                    _ => {}
                }
            }
        }
        let argued = |call: &ToolCall| -> Option<String> {
            let arguments = call.arguments.trim();
            let is_object = || serde_json::from_str::<Value>(arguments).is_ok_and(|value| value.is_object());
            match arguments {
                "" => Some("{}".to_owned()),
                _ if wants_objects && !is_object() => Some(json!({"arguments": call.arguments}).to_string()),
                _ => None,
            }
        };
        let is_odd = |message: &Message| matches!(message, Message::Assistant { tool_calls, .. } if tool_calls.iter().any(|call| argued(call).is_some()));
        if self.asked.messages.iter().any(is_odd) {
            let is_more_than_blank = |message: &Message| {
                matches!(message, Message::Assistant { tool_calls, .. } if tool_calls.iter().any(|call| {
                    !call.arguments.trim().is_empty() && argued(call).is_some()
                }))
            };
            if self.asked.messages.iter().any(is_more_than_blank) {
                self.ask.list("messages.tool_calls.arguments");
            }
            for message in &mut self.asked.to_mut().messages {
                if let Message::Assistant { tool_calls, .. } = message {
                    for call in tool_calls {
                        if let Some(arguments) = argued(call) {
                            call.arguments = arguments;
                        }
                    }
                }
            }
        }
    }

    /// Ids of users, and keys of caches: what is too long becomes a digest, by which the same stays the same.
    fn users(&mut self) {
        for name in ["user", "safety_identifier", "prompt_cache_key"] {
            let id = self.asked.further.get(name).and_then(Value::as_str);
            let max_chars = self.rules.max_user_chars;
            if let Some(id) = id.filter(|id| id.chars().count() > max_chars) {
                let short = digest(id);
                self.change(name).further.insert(name.to_owned(), short.into());
            }
        }
    }

    fn images(&mut self) -> Result<(), CannotHonour> {
        let taken = self.rules.image_types;
        let odd_type = |part: &Part| match part {
            Part::Image(Image::Inline { media_type, .. }) if !taken.contains(&media_type.as_str()) => {
                Some(media_type.clone())
            }
            _ => None,
        };
        let odd = self.asked.messages.iter().flat_map(Message::parts).find_map(odd_type);
        let Some(odd) = odd else { return Ok(()) };
        let problem = format!("hold an image of type {odd}, which {} does not take", self.rules.family);
        self.ask.leave_out("messages", &problem)?;
        for message in &mut self.asked.to_mut().messages {
            message.parts_mut().retain(|part| odd_type(part).is_none());
        }
        Ok(())
    }

    /// Texts of white space alone, messages of nothing, and what stands behind the end of an answer's beginning.
    fn blanks(&mut self) -> Result<(), CannotHonour> {
        let is_blank = |part: &Part| matches!(part, Part::Text(text) if text.trim().is_empty());
        if !self.rules.takes_blank_texts && self.asked.messages.iter().flat_map(Message::parts).any(is_blank)
        {
            let is_empty = |message: &Message| match message {
                Message::Assistant { parts, tool_calls } => parts.is_empty() && tool_calls.is_empty(),
                Message::ToolResult { .. } => false,
                Message::System(parts) | Message::User(parts) => parts.is_empty(),
            };
            let messages = &mut self.change("messages.content").messages;
            for message in messages.iter_mut() {
                message.parts_mut().retain(|part| !is_blank(part));
            }
            messages.retain(|message| !is_empty(message));
            if messages.is_empty() {
                let problem =
                    format!("hold nothing but white space, which {} does not take", self.rules.family);
                return Err(CannotHonour { field: "messages".to_owned(), problem });
            }
        }
        let ends_in_blanks = match self.asked.messages.last() {
            Some(Message::Assistant { parts, tool_calls }) if tool_calls.is_empty() => {
                matches!(parts.last(), Some(Part::Text(text)) if text.trim_end().len() < text.len())
            }
            _ => false,
        };
        if ends_in_blanks && !self.rules.takes_trailing_blanks {
            let last = self.change("messages.content").messages.last_mut();
            if let Some(Part::Text(text)) = last.and_then(|message| message.parts_mut().last_mut()) {
                text.truncate(text.trim_end().len());
            }
        }
        Ok(())
    }

    fn numbers(&mut self) -> Result<(), CannotHonour> {
        let limit = self.ask.capabilities.max_output_tokens;
        if let (Some(asked), Some(limit)) = (self.asked.max_tokens, limit)
            && asked > limit
        {
            self.change("max_tokens").max_tokens = Some(limit);
        }
        if !self.rules.takes_whole_top_p && self.asked.top_p == Some(1.0) {
            self.asked.to_mut().top_p = None;
        }
        if self.ask.capabilities.one_of_temperature_and_top_p
            && let (Some(temperature), Some(top_p)) = (self.asked.temperature, self.asked.top_p)
        {
            match (temperature, top_p) {
                (_, 1.0) => self.asked.to_mut().top_p = None,
                (1.0, _) => self.asked.to_mut().temperature = None,
                _ => {
                    self.ask.leave_out("top_p", "cannot stand beside temperature with this model")?;
                    self.asked.to_mut().top_p = None;
                }
            }
        }
        if let (Some((known, other)), Some(effort)) = (self.rules.efforts, &self.asked.reasoning_effort)
            && !known.contains(&effort.as_str())
        {
            self.change("reasoning_effort").reasoning_effort = Some(other.to_owned());
        }
        Ok(())
    }

    fn schemas(&mut self) {
        for at in 0..self.asked.tools.len() {
            let Some(written) = &self.asked.tools[at].parameters else { continue };
            if let Some(fitted) = schema::of_tool(written, self.rules.takes_schema_choices) {
                self.change(&format!("tools[{at}].parameters")).tools[at].parameters = Some(fitted);
            }
        }
        if self.rules.wants_closed_schemas
            && let Some(wordhoard_model::ResponseFormat::JsonSchema { schema, .. }) =
                &self.asked.response_format
            && let Some(closed) = schema::closed(schema)
        {
            let format = &mut self.change("response_format").response_format;
            if let Some(wordhoard_model::ResponseFormat::JsonSchema { schema, .. }) = format {
                *schema = closed;
            }
        }
    }
}

#[cfg(test)]
mod tests;
