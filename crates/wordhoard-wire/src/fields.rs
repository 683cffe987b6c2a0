//! The fields of a client's request, taken out one by one, each with its kind checked. Null is as good as absent.

use serde_json::{Map, Value};

use crate::InvalidRequest;

pub(crate) type Fields = Map<String, Value>;

pub(crate) fn object(body: &[u8]) -> Result<Fields, InvalidRequest> {
    serde_json::from_slice(body).map_err(|error| InvalidRequest::body(format!("is no JSON object: {error}")))
}

/// A text that is not empty.
pub(crate) fn text(fields: &mut Fields, name: &str) -> Result<Option<String>, InvalidRequest> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(InvalidRequest::field(name, "must be a string that is not empty")),
    }
}

/// A text; an empty one is as good as none.
pub(crate) fn optional_text(fields: &mut Fields, name: &str) -> Result<Option<String>, InvalidRequest> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(_) => Err(InvalidRequest::field(name, "must be a string")),
    }
}

pub(crate) fn flag(fields: &mut Fields, name: &str) -> Result<Option<bool>, InvalidRequest> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(_) => Err(InvalidRequest::field(name, "must be true or false")),
    }
}

pub(crate) fn number(fields: &mut Fields, name: &str) -> Result<Option<f64>, InvalidRequest> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            value.as_f64().map(Some).ok_or_else(|| InvalidRequest::field(name, "must be a number"))
        }
    }
}

/// A whole number of at least 1.
pub(crate) fn count(fields: &mut Fields, name: &str) -> Result<Option<u32>, InvalidRequest> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let count = value.as_u64().and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
            let wrong = || InvalidRequest::field(name, "must be a whole number of at least 1");
            count.map(Some).ok_or_else(wrong)
        }
    }
}

pub(crate) fn integer(fields: &mut Fields, name: &str) -> Result<Option<i64>, InvalidRequest> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            value.as_i64().map(Some).ok_or_else(|| InvalidRequest::field(name, "must be a whole number"))
        }
    }
}

pub(crate) fn list(fields: &mut Fields, name: &str) -> Result<Option<Vec<Value>>, InvalidRequest> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(_) => Err(InvalidRequest::field(name, "must be a list")),
    }
}

/// A list of strings; none is empty.
pub(crate) fn texts(fields: &mut Fields, name: &str) -> Result<Vec<String>, InvalidRequest> {
    let wrong = || InvalidRequest::field(name, "must be a list of strings");
    let list = list(fields, name)?.unwrap_or_default();
    list.into_iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}
