//! What the server numbers and names by itself in a provider's event, and nothing else of it: the place in the stream, and the id of the
//! response.

/// The event with our number in the place of its own, and our id of the response wherever the provider's stands.
pub(super) fn written(data: &str, number: u64, provider_id: Option<&str>, own_id: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(data.len() + 16), data);
    while let Some(start) = memchr::memchr(b'"', rest.as_bytes()) {
        out.push_str(&rest[..start]);
        let Some(length) = literal_length(&rest[start..]) else {
            rest = &rest[start..];
            break;
        };
        let (literal, after) = rest[start..].split_at(length);
        rest = after;
        let is_key = after.trim_start().starts_with(':');
        let inner = &literal[1..length - 1];
        if !is_key && provider_id == Some(inner) {
            out.push('"');
            out.push_str(own_id);
            out.push('"');
            continue;
        }
        out.push_str(literal);
        if is_key && inner == "sequence_number" {
            rest = with_number(after, number, &mut out);
        }
    }
    out.push_str(rest);
    out
}

/// Writes our number in the place of the one behind a key.
fn with_number<'a>(after: &'a str, number: u64, out: &mut String) -> &'a str {
    let told = after.trim_start_matches(|c: char| c == ':' || c.is_ascii_whitespace());
    let digits = told.len() - told.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 {
        return after;
    }
    out.push_str(&after[..after.len() - told.len()]);
    out.push_str(&number.to_string());
    &told[digits..]
}

/// How long the string is that begins here, with both its quotes.
fn literal_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_number_and_the_id_change() {
        let data = r#"{ "sequence_number" : 12,"a":"sequence_number","b":{"id":"theirs","c":["theirs","x\"theirs\""],"theirs":1.50},"d":"theirs2"}"#;
        let expected = r#"{ "sequence_number" : 7,"a":"sequence_number","b":{"id":"ours","c":["ours","x\"theirs\""],"theirs":1.50},"d":"theirs2"}"#;
        assert_eq!(written(data, 7, Some("theirs"), "ours"), expected);
        for odd in ["", "{", r#"{"a":"b"#, r#"{"sequence_number":null}"#, r#"{"a\"#] {
            assert_eq!(written(odd, 7, Some("theirs"), "ours"), odd);
        }
    }
}
