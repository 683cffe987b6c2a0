//! Query parameters, each checked, an unknown one refused: a misspelt cursor must not read as "from the start".

use std::str::FromStr;

use super::problem::Problem;

/// The parameters of one request.
pub(super) struct Query {
    given: Vec<(String, String)>,
}

impl Query {
    /// Takes the parameters in; all must be among `known`, each at most once.
    pub(super) fn parse(raw: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut given: Vec<(String, String)> = Vec::new();
        for part in raw.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if !known.contains(&name) {
                let detail = format!("{name} is no parameter of this path; it has: {}", known.join(", "));
                return Err(Problem::bad_request("unknown-parameter", detail).field(name));
            }
            if given.iter().any(|(other, _)| other == name) {
                let detail = format!("{name} is given twice");
                return Err(Problem::bad_request("invalid-parameter", detail).field(name));
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
}

/// A value, if it is one. Numbers have digits only: Rust would take a `+` too, which in a query means a blank.
pub(super) fn parse<T: FromStr>(value: &str) -> Option<T> {
    value.parse().ok().filter(|_| !value.starts_with('+'))
}

/// A parameter or header with a value that it cannot have.
pub(super) fn invalid(name: &str, value: &str, what: &str) -> Problem {
    let shown: String = value.chars().take(80).collect();
    Problem::bad_request("invalid-parameter", format!("{name} must be {what}, not {shown:?}")).field(name)
}
