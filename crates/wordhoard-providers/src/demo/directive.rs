//! What a prompt asks of the demo in brackets, for tests and load: `[demo tokens=500 rate=100 bytes=1000]`, `[flaky cut after=9]`.

/// The most tokens that a directive can ask for.
const MAX_TOKENS: u64 = 100_000;
/// The highest rate that a directive can ask for, in tokens a second.
const MAX_RATE: u64 = 10_000;
/// The longest token that a directive can ask for.
const MAX_TOKEN_BYTES: usize = 100_000;

/// What was asked; what was not, or makes no sense, is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) tokens: Option<u64>,
    pub(super) tokens_per_second: Option<u64>,
    pub(super) token_bytes: Option<usize>,
    pub(super) flaky_mode: Option<String>,
    pub(super) flaky_after: Option<u64>,
}

impl Directive {
    /// Reads the directives of a prompt, and gives the prompt without them.
    pub(super) fn take_from(prompt: &str) -> (Self, String) {
        let (mut directive, mut rest, mut plain) = (Self::default(), prompt, String::new());
        while let Some((before, name, inside, after)) = next_bracket(rest) {
            plain.push_str(before);
            match name {
                "demo" => directive.take_demo(inside),
                _ => directive.take_flaky(inside),
            }
            rest = after;
        }
        plain.push_str(rest);
        (directive, plain)
    }

    fn take_demo(&mut self, inside: &str) {
        self.tokens = number(inside, "tokens").map(|n| n.min(MAX_TOKENS)).or(self.tokens);
        self.tokens_per_second = number(inside, "rate").map(|n| n.min(MAX_RATE)).or(self.tokens_per_second);
        let bytes = number(inside, "bytes").and_then(|bytes| usize::try_from(bytes).ok());
        self.token_bytes = bytes.map(|bytes| bytes.min(MAX_TOKEN_BYTES)).or(self.token_bytes);
    }

    fn take_flaky(&mut self, inside: &str) {
        let mode = inside.split_whitespace().find(|word| !word.contains('='));
        self.flaky_mode = mode.map(str::to_owned).or(self.flaky_mode.take());
        self.flaky_after = number(inside, "after").or(self.flaky_after);
    }
}

/// The first bracket that is a directive: what is before it, its name, what is in it, what is after it.
fn next_bracket(text: &str) -> Option<(&str, &str, &str, &str)> {
    let mut from = 0;
    loop {
        let open = from + text[from..].find('[')?;
        let inner = &text[open + 1..];
        let found = ["demo", "flaky"].into_iter().find_map(|name| {
            let rest = inner.strip_prefix(name)?;
            let close = rest.find(']')?;
            (rest.starts_with([' ', ']'])).then(|| (&text[..open], name, &rest[..close], &rest[close + 1..]))
        });
        if found.is_some() {
            return found;
        }
        from = open + 1;
    }
}

fn number(inside: &str, name: &str) -> Option<u64> {
    inside.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_wherever_they_stand_and_taken_out() {
        let (directive, plain) =
            Directive::take_from("a [b] [demo tokens=9999999 rate=0] c [flaky cut after=3]d");
        assert_eq!(plain, "a [b]  c d");
        assert_eq!(directive.tokens, Some(MAX_TOKENS));
        assert_eq!(directive.tokens_per_second, Some(0));
        assert_eq!(directive.flaky_mode.as_deref(), Some("cut"));
        assert_eq!(directive.flaky_after, Some(3));
    }

    #[test]
    fn what_is_no_directive_stays() {
        for text in ["[demolition]", "[demo tokens=5", "[", "[[demo", "ä[ö]"] {
            assert_eq!(Directive::take_from(text), (Directive::default(), text.to_owned()));
        }
    }
}
