//! Events that an encoder of ours has written, read again: each is a name, one line of JSON, and an empty line.

use bytes::BytesMut;
use serde_json::Value;

use crate::sse;

/// The data of the events. Whatever else was written among them is none of them.
pub(crate) fn events(written: &[u8]) -> impl Iterator<Item = Value> {
    let text = std::str::from_utf8(written).unwrap_or_default();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter_map(|data| serde_json::from_str(data).ok())
}

/// Writes an event whose name is its type.
pub(crate) fn write(out: &mut BytesMut, event: &Value) {
    sse::write_event(out, event.get("type").and_then(Value::as_str), None, None, &event.to_string());
}
