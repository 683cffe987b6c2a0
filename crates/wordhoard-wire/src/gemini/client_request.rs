use serde_json::{Map, Value, json};
use wordhoard_model::{Conversation, ResponseFormat, Tool, ToolChoice};

use super::client_content::{take_content, text_of};
use super::request::REASONING_TOKENS;
use crate::fields::{count, integer, list, number, object, text, texts};
use crate::{ClientRequest, InvalidRequest, field_kind};

/// Reads a client's request. As Google does, it takes every name in `camelCase` and in `snake_case`.
///
/// # Errors
/// Where it is no JSON object, or the field that is wrong.
pub fn decode_request(body: &[u8]) -> Result<ClientRequest, InvalidRequest> {
    let mut fields = camel_case(object(body)?);
    let mut asked = Conversation::default();
    let contents = list(&mut fields, "contents")?.unwrap_or_default();
    for (place, content) in contents.into_iter().enumerate() {
        take_content(&format!("contents[{place}]"), content, &mut asked.messages)?;
    }
    if asked.messages.is_empty() {
        return Err(InvalidRequest::field("contents", "must be a list that is not empty"));
    }
    if let Some(system) = fields.remove("systemInstruction").filter(|system| !system.is_null()) {
        asked.system = Some(
            text_of(&system)
                .ok_or_else(|| InvalidRequest::field("systemInstruction", "must have parts of text"))?,
        );
    }
    for (place, written) in list(&mut fields, "tools")?.unwrap_or_default().into_iter().enumerate() {
        take_tools(place, written, &mut asked)?;
    }
    asked.tool_choice = tool_choice(fields.remove("toolConfig"))?;
    match fields.remove("generationConfig") {
        None | Some(Value::Null) => {}
        Some(Value::Object(config)) => take_config(camel_case(config), &mut asked)?,
        Some(_) => return Err(InvalidRequest::field("generationConfig", "must be an object")),
    }
    for (name, value) in fields {
        field_kind::leave(&name, &value, "other dialects", &mut asked);
    }
    Ok(ClientRequest { model: None, stream: None, include_usage: true, conversation: asked })
}

/// The fields of one object under their names in `camelCase`.
pub(super) fn camel_case(fields: Map<String, Value>) -> Map<String, Value> {
    let renamed = |name: String| {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |so_far, word| {
            let mut letters = word.chars();
            let start = letters.next().map(|letter| letter.to_ascii_uppercase());
            so_far + &start.into_iter().chain(letters).collect::<String>()
        })
    };
    fields.into_iter().map(|(name, value)| (renamed(name), value)).collect()
}

fn take_config(mut config: Map<String, Value>, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let named = |wrong: InvalidRequest| InvalidRequest {
        field: wrong.field.map(|field| format!("generationConfig.{field}")),
        ..wrong
    };
    asked.max_tokens = count(&mut config, "maxOutputTokens").map_err(named)?;
    asked.temperature = number(&mut config, "temperature").map_err(named)?;
    asked.top_p = number(&mut config, "topP").map_err(named)?;
    asked.stop = texts(&mut config, "stopSequences").map_err(named)?;
    asked.seed = integer(&mut config, "seed").map_err(named)?;
    asked.frequency_penalty = number(&mut config, "frequencyPenalty").map_err(named)?;
    asked.presence_penalty = number(&mut config, "presencePenalty").map_err(named)?;
    if let Some(top_k) = config.remove("topK") {
        asked.further.insert("top_k".to_owned(), top_k);
    }
    if let Some(Value::Object(thinking)) = config.remove("thinkingConfig") {
        asked.reasoning_effort = effort(&camel_case(thinking));
    }
    let schema = config.remove("responseJsonSchema").or_else(|| config.remove("responseSchema"));
    asked.response_format = match (text(&mut config, "responseMimeType").map_err(named)?.as_deref(), schema) {
        (_, Some(schema)) => Some(ResponseFormat::JsonSchema {
            name: "answer".to_owned(),
            description: None,
            schema,
            strict: None,
        }),
        (Some("application/json"), None) => Some(ResponseFormat::JsonObject),
        _ => None,
    };
    for (name, value) in config {
        field_kind::leave(&name, &value, "other dialects", asked);
    }
    Ok(())
}

/// The lowest effort that is as much.
fn effort(thinking: &Map<String, Value>) -> Option<String> {
    if let Some(level) = thinking.get("thinkingLevel").and_then(Value::as_str) {
        return Some(level.to_ascii_lowercase());
    }
    let budget = thinking.get("thinkingBudget")?.as_i64()?;
    // Below zero, the model chooses.
    let budget = u64::try_from(budget).ok()?;
    let as_much = REASONING_TOKENS.iter().find(|(_, tokens)| budget <= *tokens);
    Some(as_much.map_or("high", |(name, _)| name).to_owned())
}

/// Tools that Google runs itself are listed and left out.
fn take_tools(place: usize, written: Value, asked: &mut Conversation) -> Result<(), InvalidRequest> {
    let wrong = || InvalidRequest::field(format!("tools[{place}]"), "must be an object");
    let Value::Object(written) = written else { return Err(wrong()) };
    let mut written = camel_case(written);
    let declarations = list(&mut written, "functionDeclarations")?.unwrap_or_default();
    if !written.is_empty() {
        asked.leave_hint(format!("tools[{place}]"));
    }
    for (at, declaration) in declarations.into_iter().enumerate() {
        let wrong = || {
            let field = format!("tools[{place}].functionDeclarations[{at}]");
            InvalidRequest::field(field, "must have a name")
        };
        let Value::Object(declaration) = declaration else { return Err(wrong()) };
        let mut declaration = camel_case(declaration);
        let schema = declaration.remove("parametersJsonSchema").or_else(|| declaration.remove("parameters"));
        asked.tools.push(Tool {
            name: text(&mut declaration, "name")?.ok_or_else(wrong)?,
            description: text(&mut declaration, "description")?,
            parameters: schema.filter(|schema| !schema.is_null()),
            strict: None,
        });
    }
    Ok(())
}

fn tool_choice(written: Option<Value>) -> Result<Option<ToolChoice>, InvalidRequest> {
    let Some(Value::Object(written)) = written else { return Ok(None) };
    let Some(Value::Object(config)) = camel_case(written).remove("functionCallingConfig") else {
        return Ok(None);
    };
    let config = json!(camel_case(config));
    let only = match config.get("allowedFunctionNames").and_then(Value::as_array).map(Vec::as_slice) {
        Some([one]) => one.as_str(),
        _ => None,
    };
    Ok(Some(match (config.get("mode").and_then(Value::as_str), only) {
        (None | Some("AUTO" | "VALIDATED" | "MODE_UNSPECIFIED"), _) => ToolChoice::Auto,
        (Some("NONE"), _) => ToolChoice::None,
        (Some("ANY"), Some(name)) => ToolChoice::Function(name.to_owned()),
        (Some("ANY"), None) => ToolChoice::Required,
        _ => {
            let field = "toolConfig.functionCallingConfig.mode";
            return Err(InvalidRequest::field(field, "must be AUTO, ANY, VALIDATED or NONE"));
        }
    }))
}
