/// The longest prompt, in Unicode scalar values.
pub const MAX_PROMPT_CHARS: usize = 8_000;
/// The longest system message, in Unicode scalar values.
pub const MAX_SYSTEM_MESSAGE_CHARS: usize = 2_000;

/// One rule that the input breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The field at fault, as the caller wrote it: `prompt`, `models[1].weight`.
    pub field: String,
    /// What is wrong and what would be right.
    pub detail: String,
    /// Which kind of rule.
    pub rule: Rule,
}

/// The kind of a rule; it decides which answer the caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The field is of the right shape, but its text is not acceptable.
    Content,
    /// The field is missing, unknown, of a wrong type, or out of its range.
    Shape,
}

impl Invalid {
    /// A text that is not acceptable.
    pub fn content(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into(), rule: Rule::Content }
    }

    /// A field of a wrong shape.
    pub fn shape(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into(), rule: Rule::Shape }
    }
}

pub(super) fn check_text(field: &str, text: &str, max_chars: usize, broken: &mut Vec<Invalid>) {
    if text.trim().is_empty() {
        broken.push(Invalid::content(field, "is empty or only white space"));
        return;
    }
    let length = text.chars().count();
    if length > max_chars {
        broken.push(Invalid::content(
            field,
            format!("has {length} characters; at most {max_chars} are allowed"),
        ));
    }
    let forbidden = |c: &char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    if let Some((place, c)) = text.chars().enumerate().find(|(_, c)| forbidden(c)) {
        let code = u32::from(c);
        broken.push(Invalid::content(
            field,
            format!("has the control character U+{code:04X} at place {place}; only tab, newline and carriage return are allowed"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let mut broken = Vec::new();
        check_text("prompt", text, 10, &mut broken);
        broken.into_iter().map(|invalid| invalid.detail).collect()
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert_eq!(check("ößÄ€漢字🦀🦀🦀🦀"), Vec::<String>::new());
        assert_eq!(check("12345678901"), ["has 11 characters; at most 10 are allowed"]);
    }

    #[test]
    fn white_space_and_control_characters_are_refused_but_lines_and_tabs_pass() {
        assert_eq!(check(" \n\t "), ["is empty or only white space"]);
        assert_eq!(check("a\tb\r\nc"), Vec::<String>::new());
        assert!(check("a\0b")[0].contains("U+0000 at place 1"));
        assert!(check("a\u{85}")[0].contains("U+0085"));
    }
}
