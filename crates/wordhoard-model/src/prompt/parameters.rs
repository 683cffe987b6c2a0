//! Generation parameters: the two that every model has are typed, the others are those of the chat dialect.

use serde_json::{Map, Value};

use super::Invalid;

/// How the models shall answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// The most tokens an answer may have.
    pub max_tokens: Option<u32>,
    /// 0 to 2; higher is more varied.
    pub temperature: Option<f64>,
    /// Further parameters of the chat dialect, by their names there. Each was checked against [`known_parameters`].
    pub extra: Map<String, Value>,
}

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParameterKind {
    /// A number from the first to the second, both included.
    Number(f64, f64),
    /// A whole number from the first to the second, both included.
    Integer(i64, i64),
    /// `true` or `false`.
    Boolean,
    /// A string.
    Text,
    /// A string, or a list of strings.
    TextOrTexts,
    /// `auto`, `none`, `required`, or `{"type": "function", "function": {"name": "…"}}`.
    ToolChoice,
    /// An object.
    Object,
    /// `{"type": "text"}`, `{"type": "json_object"}`, or `{"type": "json_schema", "json_schema": {…}}`.
    ResponseFormat,
    /// A list of tools: `{"type": "function", "function": {"name": "…", …}}`.
    Tools,
}

/// The further parameters that a prompt may carry, with the values they take.
///
/// Source: OpenAI's reference of "Create chat completion". Left out on purpose: `n` (a second answer is a second
/// lane), `stream` and `stream_options` (always streamed), `store`, `logprobs` (not recorded yet), `modalities` and
/// `audio` (text only), and what is deprecated.
pub fn known_parameters() -> &'static [(&'static str, ParameterKind)] {
    use ParameterKind::{
        Boolean, Integer, Number, Object, ResponseFormat, Text, TextOrTexts, ToolChoice, Tools,
    };
    const KNOWN: &[(&str, ParameterKind)] = &[
        ("frequency_penalty", Number(-2.0, 2.0)),
        ("logit_bias", Object),
        ("max_completion_tokens", Integer(1, u32::MAX as i64)),
        ("metadata", Object),
        ("parallel_tool_calls", Boolean),
        ("prediction", Object),
        ("presence_penalty", Number(-2.0, 2.0)),
        ("reasoning_effort", Text),
        ("response_format", ResponseFormat),
        ("seed", Integer(i64::MIN, i64::MAX)),
        ("service_tier", Text),
        ("stop", TextOrTexts),
        ("tool_choice", ToolChoice),
        ("tools", Tools),
        ("top_p", Number(0.0, 1.0)),
        ("user", Text),
        ("verbosity", Text),
    ];
    KNOWN
}

impl Parameters {
    /// Takes one further parameter in, if the chat dialect knows it and the value is of its kind.
    ///
    /// # Errors
    /// The rule that it breaks, with the field's name.
    pub fn insert(&mut self, name: &str, value: Value) -> Result<(), Invalid> {
        let Some((_, kind)) = known_parameters().iter().find(|(known, _)| *known == name) else {
            return Err(Invalid::shape(name, "is not a field of this request"));
        };
        let value = match kind {
            ParameterKind::Integer(..) => whole_number(&value).map_or(value, Value::from),
            _ => value,
        };
        if !kind.takes(&value) {
            return Err(Invalid::shape(name, format!("must be {}", kind.describe())));
        }
        if let (ParameterKind::Tools, Some(tools)) = (kind, value.as_array())
            && let Some(wrong) = tools.iter().position(|tool| !is_tool(tool))
        {
            return Err(Invalid::shape(format!("{name}[{wrong}]"), format!("must be {TOOL}")));
        }
        self.extra.insert(name.to_owned(), value);
        Ok(())
    }
}

impl ParameterKind {
    /// Whether a value is of the kind. The tools in a list are not looked at.
    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Number(low, high) => value.as_f64().is_some_and(|n| (low..=high).contains(&n)),
            Self::Integer(low, high) => value.as_i64().is_some_and(|n| (low..=high).contains(&n)),
            Self::Boolean => value.is_boolean(),
            Self::Text => value.is_string(),
            Self::TextOrTexts => {
                value.is_string() || value.as_array().is_some_and(|all| all.iter().all(Value::is_string))
            }
            Self::ToolChoice => match value.as_str() {
                Some(choice) => ["auto", "none", "required"].contains(&choice),
                None => value["type"] == "function" && is_tool_name(&value["function"]["name"]),
            },
            Self::Object => value.is_object(),
            Self::ResponseFormat => match value["type"].as_str() {
                Some("json_schema") => value["json_schema"]["name"].is_string(),
                Some(kind) => ["text", "json_object"].contains(&kind),
                None => false,
            },
            Self::Tools => value.is_array(),
        }
    }

    /// What values it takes, for an error message.
    pub fn describe(self) -> String {
        match self {
            Self::Number(low, high) => format!("a number from {low} to {high}"),
            Self::Integer(i64::MIN, i64::MAX) => "a whole number".to_owned(),
            Self::Integer(low, high) => format!("a whole number from {low} to {high}"),
            Self::Boolean => "true or false".to_owned(),
            Self::Text => "a string".to_owned(),
            Self::TextOrTexts => "a string or a list of strings".to_owned(),
            Self::ToolChoice => {
                r#""auto", "none", "required" or {"type": "function", "function": {"name": "…"}}"#.to_owned()
            }
            Self::Object => "an object".to_owned(),
            Self::ResponseFormat => {
                r#"of type text or json_object, or {"type": "json_schema", "json_schema": {"name": "…", "schema": {…}}}"#.to_owned()
            }
            Self::Tools => "a list of tools".to_owned(),
        }
    }
}

/// The whole number that a JSON value is: `3.0` is one, too, for JSON knows no whole numbers.
pub fn whole_number(value: &Value) -> Option<i64> {
    const EXACT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
    let of_float = |n: f64| (n.fract() == 0.0 && n.abs() <= EXACT).then_some(n as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(of_float))
}

const TOOL: &str = r#"{"type": "function", "function": {"name": "1 to 64 letters, digits, _ or -", "description": a string, "parameters": an object}}"#;

fn is_tool(tool: &Value) -> bool {
    let function = &tool["function"];
    let (description, parameters) = (&function["description"], &function["parameters"]);
    tool["type"] == "function"
        && is_tool_name(&function["name"])
        && (description.is_null() || description.is_string())
        && (parameters.is_null() || parameters.is_object())
}

/// <https://platform.openai.com/docs/api-reference/chat/create>, tools.function.name.
fn is_tool_name(name: &Value) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.as_str().is_some_and(|name| (1..=64).contains(&name.len()) && name.chars().all(is_allowed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_known_parameter_is_taken_only_with_a_value_of_its_kind() {
        let mut parameters = Parameters::default();
        parameters.insert("top_p", json!(0.5)).unwrap();
        parameters.insert("stop", json!(["a", "b"])).unwrap();
        let wrong = parameters.insert("top_p", json!(1.5)).unwrap_err();
        assert_eq!((wrong.field.as_str(), wrong.detail.as_str()), ("top_p", "must be a number from 0 to 1"));
        parameters.insert("seed", json!(-3.0)).unwrap();
        assert_eq!(parameters.extra["seed"], json!(-3));
        let unknown = parameters.insert("promt", json!("x")).unwrap_err();
        assert_eq!(unknown.detail, "is not a field of this request");
        assert_eq!(parameters.extra.len(), 3);
    }
}
