/// The text as one line of at most `max_chars` characters: runs of white space become one blank, control characters
/// go. For a provider's words on their way into a failure, a log line or a header.
///
/// Cuts without a mark, so that a redactor that comes later can still see a secret that the cut went through.
pub fn one_line(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    let (mut chars, mut blank_due) = (0, false);
    for c in text.chars() {
        if c.is_whitespace() {
            blank_due = !line.is_empty();
            continue;
        }
        if c.is_control() {
            continue;
        }
        let needed = if blank_due { 2 } else { 1 };
        if chars + needed > max_chars {
            break;
        }
        if blank_due {
            line.push(' ');
        }
        line.push(c);
        chars += needed;
        blank_due = false;
    }
    line
}

/// A model's name as a provider tells it; none where it tells none.
pub(crate) fn model_name(told: Option<String>) -> Option<String> {
    told.map(|name| one_line(&name, 200)).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn is_one_line_without_controls_and_never_too_long() {
        assert_eq!(one_line(" a\r\n\tb\0\u{1b}[31mc ", 100), "a b[31mc");
        assert_eq!(one_line("ää ää", 3), "ää");
        assert_eq!(one_line("ää ää", 4), "ää ä");
        assert_eq!(one_line(" \n", 4), "");
    }
}
