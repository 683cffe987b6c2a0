//! What a client gets to know of the fields that its provider was not given, or in another form.

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

/// The fields by their names in the client's dialect, with commas between.
const DROPPED_FIELDS: HeaderName = HeaderName::from_static("x-wordhoard-dropped-fields");

/// Names the fields in a header. A field whose name no header can hold is left out of it; the request's document has it.
pub(super) fn add_header(response: &mut Response, names: &[String]) {
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| name.is_ascii()).collect();
    if let (false, Ok(names)) = (names.is_empty(), HeaderValue::try_from(names.join(", "))) {
        response.headers_mut().insert(DROPPED_FIELDS, names);
    }
}
