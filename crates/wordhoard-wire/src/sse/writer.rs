use bytes::BufMut;

/// Writes one event with the fields that are given, and the blank line that ends it.
///
/// A line break within `data` starts a further `data:` line, so a reader gets it back as LF, whether it was LF, CRLF
/// or CR: the format knows no other. In `event`, where a line break would forge a field, it is left out.
pub fn write_event(
    out: &mut impl BufMut,
    event: Option<&str>,
    id: Option<u64>,
    retry_ms: Option<u32>,
    data: &str,
) {
    if let Some(id) = id {
        write_field(out, "id", &id.to_string());
    }
    if let Some(event) = event {
        write_field(out, "event", &event.replace(['\r', '\n'], ""));
    }
    if let Some(retry_ms) = retry_ms {
        write_field(out, "retry", &retry_ms.to_string());
    }
    for line in lines(data) {
        write_field(out, "data", line);
    }
    out.put_u8(b'\n');
}

/// Writes the keep-alive comment `: ka` with one newline only, so that it is glued to the next event: a comment that
/// stands alone, with a blank line after it, breaks the OpenAI Python client.
pub fn write_keep_alive(out: &mut impl BufMut) {
    out.put_slice(b": ka\n");
}

/// Writes a comment, one line of it for each line of the text, glued to what comes next.
pub fn write_comment(out: &mut impl BufMut, text: &str) {
    for line in lines(text) {
        out.put_slice(b": ");
        out.put_slice(line.as_bytes());
        out.put_u8(b'\n');
    }
}

fn write_field(out: &mut impl BufMut, name: &str, value: &str) {
    out.put_slice(name.as_bytes());
    out.put_slice(b": ");
    out.put_slice(value.as_bytes());
    out.put_u8(b'\n');
}

/// The lines of a text, at least one; unlike `str::lines` it knows a lone CR and keeps an empty last line.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = memchr::memchr2(b'\r', b'\n', text.as_bytes()) else {
            rest = None;
            return Some(text);
        };
        let (line, after) = text.split_at(end);
        rest = Some(after.strip_prefix("\r\n").unwrap_or(&after[1..]));
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order_and_data_is_split_at_every_line_break() {
        let mut out = Vec::new();
        write_keep_alive(&mut out);
        write_comment(&mut out, "bye\nsoon");
        write_event(&mut out, Some("to\nken"), Some(17), Some(500), "a\r\nb\rc\n");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            ": ka\n: bye\n: soon\nid: 17\nevent: token\nretry: 500\ndata: a\ndata: b\ndata: c\ndata: \n\n"
        );
    }
}
