//! JSON of providers, read tolerantly: a field of another type than its dialect has costs that field, never the answer.
//!
//! Nearly all that comes is as documented, and is read at once. Only what is not is read again as a tree, of which the
//! fields that do not fit get another reading or none.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Number, Value};
use serde_path_to_error::{Path, Segment};

/// So many readings are tried of one document; one that needs more is given up.
const MAX_READINGS: usize = 512;
/// So many bytes are read again in all, since each reading is of the whole document.
const MAX_READ_AGAIN_BYTES: usize = 64 << 20;

/// Reads a document.
///
/// # Errors
/// Where it is no JSON, or does not fit whatever is left out of it.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    let error = match serde_json::from_str(text) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    let mended = without_lone_surrogates(text);
    match error.classify() {
        Category::Eof | Category::Io => Err(error),
        Category::Syntax if matches!(mended, Cow::Borrowed(_)) => Err(error),
        Category::Syntax | Category::Data => {
            let most = (MAX_READ_AGAIN_BYTES / text.len().max(1)).clamp(1, MAX_READINGS);
            read_what_fits(serde_json::from_str(&mended)?, error, most)
        }
    }
}

/// As [`read`], of bytes. What is not UTF-8 in them is replaced.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    read(String::from_utf8_lossy(bytes).trim_start_matches('\u{feff}'))
}

fn read_what_fits<T: DeserializeOwned>(
    mut tree: Value,
    first_error: serde_json::Error,
    max_readings: usize,
) -> Result<T, serde_json::Error> {
    let mut readings = 0;
    let mut fault = match serde_path_to_error::deserialize(&tree) {
        Ok(read) => return Ok(read),
        Err(fault) => fault.path().clone(),
    };
    'faults: loop {
        if readings > max_readings {
            return Err(first_error);
        }
        let Some(found) = at(&mut tree, &fault) else { return Err(first_error) };
        for other in other_readings(found) {
            readings += 1;
            match at(&mut tree, &fault) {
                Some(place) => *place = other,
                None => return Err(first_error),
            }
            match serde_path_to_error::deserialize(&tree) {
                Ok(read) => return Ok(read),
                Err(next) if !is_same(next.path(), &fault) => {
                    fault = next.path().clone();
                    continue 'faults;
                }
                Err(_) => {}
            }
        }
        readings += 1;
        if !remove(&mut tree, &fault) {
            return Err(first_error);
        }
        match serde_path_to_error::deserialize(&tree) {
            Ok(read) => return Ok(read),
            Err(next) => fault = next.path().clone(),
        }
    }
}

/// What a value may have been meant to be, the likeliest first; at last nothing.
fn other_readings(value: &Value) -> Vec<Value> {
    let mut readings = match value {
        Value::String(text) => {
            let text = text.trim();
            let whole = text.parse::<u64>().ok().map(Value::from);
            let number = text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number);
            let flag = text.parse::<bool>().ok().map(Value::Bool);
            whole.into_iter().chain(number).chain(flag).collect()
        }
        Value::Number(number) => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0);
            let whole = whole.map(|number| Value::from(number as u64));
            whole.into_iter().chain([Value::String(number.to_string())]).collect()
        }
        Value::Bool(flag) => vec![Value::String(flag.to_string())],
        Value::Array(parts) => text_of_parts(parts).map(Value::String).into_iter().collect(),
        Value::Object(fields) => {
            let text = fields.get("text").filter(|text| text.is_string()).cloned();
            [Value::Array(vec![value.clone()])].into_iter().chain(text).collect()
        }
        Value::Null => return Vec::new(),
    };
    readings.push(Value::Null);
    readings
}

/// The text of parts as `{"type": "text", "text": …}`; none where there is none.
pub(crate) fn text_of_parts(parts: &[Value]) -> Option<String> {
    let texts: Vec<&str> =
        parts.iter().filter_map(|part| part.as_str().or_else(|| part.get("text")?.as_str())).collect();
    (!texts.is_empty()).then(|| texts.concat())
}

fn at<'a>(tree: &'a mut Value, path: &Path) -> Option<&'a mut Value> {
    let mut place = tree;
    let mut segments = path.iter().peekable();
    segments.peek()?;
    for segment in segments {
        place = match segment {
            Segment::Map { key } => place.get_mut(key.as_str())?,
            Segment::Seq { index } => place.get_mut(*index)?,
            Segment::Enum { .. } => place,
            Segment::Unknown => return None,
        };
    }
    Some(place)
}

/// Leaves out what stands at that place, or the smallest thing around it that can be left out.
fn remove(tree: &mut Value, path: &Path) -> bool {
    let segments: Vec<&Segment> =
        path.iter().filter(|segment| !matches!(segment, Segment::Enum { .. })).collect();
    let Some((last, before)) = segments.split_last() else { return false };
    let mut place = tree;
    for segment in before {
        let next = match segment {
            Segment::Map { key } => place.get_mut(key.as_str()),
            Segment::Seq { index } => place.get_mut(*index),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        match next {
            Some(next) => place = next,
            None => return false,
        }
    }
    match (last, place) {
        (Segment::Map { key }, Value::Object(fields)) => fields.remove(key).is_some(),
        (Segment::Seq { index }, Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    one.to_string() == other.to_string()
}

/// The text with each half of a surrogate pair that stands alone replaced, as `U+FFFD`: a provider cut a character in two.
/// RFC 8259 §8.2 leaves open what a reader does with it.
fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    let unit_at = |at: usize| -> Option<u16> {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(offset) = memchr::memchr(b'\\', &text.as_bytes()[at..]) {
        let escape = at + offset;
        at = (escape + 2).min(text.len());
        match unit_at(escape) {
            Some(0xd800..=0xdbff) if matches!(unit_at(escape + 6), Some(0xdc00..=0xdfff)) => at = escape + 12,
            Some(0xd800..=0xdfff) => {
                out.push_str(&text[copied..escape]);
                out.push_str("\\ufffd");
                at = escape + 6;
                copied = at;
            }
            _ => {}
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Inner {
        text: Option<String>,
        count: u64,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Outer {
        name: Option<String>,
        flag: bool,
        list: Vec<Inner>,
        one: Option<Inner>,
    }

    fn inner(text: &str, count: u64) -> Inner {
        Inner { text: Some(text.into()), count }
    }

    #[test]
    fn a_field_of_another_type_costs_no_more_than_itself() {
        let list = |list| Outer { list, ..Outer::default() };
        for (written, expected) in [
            (r#"{"list":[{"text":"a","count":"7"}]}"#, list(vec![inner("a", 7)])),
            (r#"{"list":[{"text":"a","count":7.0}]}"#, list(vec![inner("a", 7)])),
            (r#"{"list":[{"text":7,"count":1}]}"#, list(vec![inner("7", 1)])),
            (r#"{"list":[{"text":[{"text":"a"},{"text":"b"}]}]}"#, list(vec![inner("ab", 0)])),
            (r#"{"list":{"text":"a"}}"#, list(vec![inner("a", 0)])),
            (
                r#"{"list":[{"text":"a","count":{}},"x",{"text":"b"}]}"#,
                list(vec![inner("a", 0), inner("b", 0)]),
            ),
            (r#"{"one":"x","flag":"true","name":{}}"#, Outer { flag: true, ..Outer::default() }),
            (
                r#"{"name":"\ud83d x \ud83d\ude00 \\ud83d"}"#,
                Outer { name: Some("\u{fffd} x 😀 \\ud83d".into()), ..Outer::default() },
            ),
        ] {
            assert_eq!(read::<Outer>(written).map_err(|e| e.to_string()), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_is_no_json_stays_an_error() {
        for written in ["", "{", "[1", "words", "{\"a\":}", "7"] {
            assert!(read::<Outer>(written).is_err(), "{written}");
        }
    }
}
