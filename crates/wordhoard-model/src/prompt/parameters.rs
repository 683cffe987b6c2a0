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
    /// A string, or an object.
    TextOrObject,
    /// An object.
    Object,
    /// A list of objects.
    Objects,
}

/// The further parameters that a prompt may carry, with the values they take.
///
/// Source: OpenAI's reference of "Create chat completion". Left out on purpose: `n` (a second answer is a second
/// lane), `stream` and `stream_options` (always streamed), `store`, `logprobs` (not recorded yet), `modalities` and
/// `audio` (text only), and what is deprecated.
pub fn known_parameters() -> &'static [(&'static str, ParameterKind)] {
    use ParameterKind::{Boolean, Integer, Number, Object, Objects, Text, TextOrObject, TextOrTexts};
    const KNOWN: &[(&str, ParameterKind)] = &[
        ("frequency_penalty", Number(-2.0, 2.0)),
        ("logit_bias", Object),
        ("max_completion_tokens", Integer(1, u32::MAX as i64)),
        ("metadata", Object),
        ("parallel_tool_calls", Boolean),
        ("prediction", Object),
        ("presence_penalty", Number(-2.0, 2.0)),
        ("reasoning_effort", Text),
        ("response_format", Object),
        ("seed", Integer(i64::MIN, i64::MAX)),
        ("service_tier", Text),
        ("stop", TextOrTexts),
        ("tool_choice", TextOrObject),
        ("tools", Objects),
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
        if !kind.takes(&value) {
            return Err(Invalid::shape(name, format!("must be {}", kind.describe())));
        }
        self.extra.insert(name.to_owned(), value);
        Ok(())
    }
}

impl ParameterKind {
    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Number(low, high) => value.as_f64().is_some_and(|n| (low..=high).contains(&n)),
            Self::Integer(low, high) => value.as_i64().is_some_and(|n| (low..=high).contains(&n)),
            Self::Boolean => value.is_boolean(),
            Self::Text => value.is_string(),
            Self::TextOrTexts => {
                value.is_string() || value.as_array().is_some_and(|all| all.iter().all(Value::is_string))
            }
            Self::TextOrObject => value.is_string() || value.is_object(),
            Self::Object => value.is_object(),
            Self::Objects => value.as_array().is_some_and(|all| all.iter().all(Value::is_object)),
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
            Self::TextOrObject => "a string or an object".to_owned(),
            Self::Object => "an object".to_owned(),
            Self::Objects => "a list of objects".to_owned(),
        }
    }
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
        let unknown = parameters.insert("promt", json!("x")).unwrap_err();
        assert_eq!(unknown.detail, "is not a field of this request");
        assert_eq!(parameters.extra.len(), 2);
    }
}
