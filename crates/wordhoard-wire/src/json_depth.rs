//! Whether JSON that comes in pieces is all there, without reading it again with each piece.

/// How deep in it is what came last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JsonDepth {
    open: usize,
    has_opened: bool,
    in_text: bool,
    is_escaped: bool,
}

impl JsonDepth {
    /// Takes the next piece in.
    pub(crate) fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = self.in_text,
                b'"' => self.in_text = !self.in_text,
                b'{' | b'[' if !self.in_text => {
                    self.open += 1;
                    self.has_opened = true;
                }
                b'}' | b']' if !self.in_text => self.open = self.open.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether every object and list that was begun has ended, and one was.
    pub(crate) fn is_complete(&self) -> bool {
        self.has_opened && self.open == 0 && !self.in_text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_known_however_it_is_cut() {
        let text = r#"{"a": [1, "}\"]\\"], "b": {}}"#;
        for cut in 0..=text.len() {
            let mut depth = JsonDepth::default();
            depth.push(&text[..cut]);
            assert_eq!(depth.is_complete(), cut == text.len(), "{}", &text[..cut]);
            depth.push(&text[cut..]);
            assert!(depth.is_complete());
        }
        assert!(!JsonDepth::default().is_complete());
    }
}
