//! Query parameters, each checked, an unknown one refused: a misspelt cursor must not read as "from the start".

use std::str::FromStr;

use super::problem::{Problem, ProblemKind, can_fail};

/// The parameters of one request.
pub(super) struct Query {
    given: Vec<(String, String)>,
}

can_fail!(Query: UnknownParameter, InvalidParameter);

impl Query {
    /// Takes the parameters in; all must be among `known`, each at most once.
    pub(super) fn parse(raw: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut given: Vec<(String, String)> = Vec::new();
        for part in raw.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if !known.contains(&name) {
                let detail = format!("{name} is no parameter of this path; it has: {}", known.join(", "));
                return Err(Problem::new(ProblemKind::UnknownParameter, detail).field(name));
            }
            if given.iter().any(|(other, _)| other == name) {
                let detail = format!("{name} is given twice");
                return Err(Problem::new(ProblemKind::InvalidParameter, detail).field(name));
            }
            given.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self { given })
    }

    /// The value of a parameter, if it is given; `what` says what it must be.
    pub(super) fn get<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, Problem> {
        let Some((_, value)) = self.given.iter().find(|(given, _)| given == name) else {
            return Ok(None);
        };
        parse(value).map(Some).ok_or_else(|| invalid(name, value, what))
    }

    /// The text of a parameter, if it is given, with its `%` escapes read.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        let Some((_, value)) = self.given.iter().find(|(given, _)| given == name) else {
            return Ok(None);
        };
        let text = percent_decoded(value).filter(|text| !text.is_empty());
        text.map(Some).ok_or_else(|| invalid(name, value, "a text, with %XX for what a URL cannot hold"))
    }
}

/// A text as a URL carries it: `%3A` is a colon. None where that is no text.
fn percent_decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        bytes.push(match (first, behind) {
            (b'%', [high, low, behind @ ..]) => {
                rest = behind;
                let digit = |byte: &u8| (*byte as char).to_digit(16);
                u8::try_from(digit(high)? * 16 + digit(low)?).ok()?
            }
            (b'%', _) => return None,
            (byte, _) => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A value, if it is one. Numbers have digits only: Rust would take a `+` too, which in a query means a blank.
pub(super) fn parse<T: FromStr>(value: &str) -> Option<T> {
    value.parse().ok().filter(|_| !value.starts_with('+'))
}

/// A parameter or header with a value that it cannot have.
pub(super) fn invalid(name: &str, value: &str, what: &str) -> Problem {
    let shown: String = value.chars().take(80).collect();
    Problem::new(ProblemKind::InvalidParameter, format!("{name} must be {what}, not {shown:?}")).field(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_a_url_are_read_and_what_is_no_text_is_refused() {
        assert_eq!(
            percent_decoded("2026-11-25T10%3a00:00Z%20%C3%A4").as_deref(),
            Some("2026-11-25T10:00:00Z ä")
        );
        for bad in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(percent_decoded(bad), None, "{bad}");
        }
    }
}
