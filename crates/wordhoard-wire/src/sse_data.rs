//! Changes within events that an encoder of ours has written: each is a name, one line of JSON, and an empty line.

use bytes::BytesMut;
use serde_json::Value;

use crate::sse;

/// The events with their data as `change` leaves it; without those for which it gives false.
pub(crate) fn rewrite(events: BytesMut, mut change: impl FnMut(&mut Value) -> bool) -> BytesMut {
    let mut out = BytesMut::with_capacity(events.len());
    let text = std::str::from_utf8(&events).unwrap_or_default();
    for event in text.split_inclusive("\n\n") {
        let data = event.lines().find_map(|line| line.strip_prefix("data: "));
        let told = data.and_then(|data| serde_json::from_str::<Value>(data).ok());
        let Some(mut told) = told else {
            out.extend_from_slice(event.as_bytes());
            continue;
        };
        if change(&mut told) {
            let name = event.lines().find_map(|line| line.strip_prefix("event: "));
            sse::write_event(&mut out, name, None, None, &told.to_string());
        }
    }
    out
}
