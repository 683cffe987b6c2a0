//! What an error of PostgreSQL means for whoever asked.

use crate::Error;

/// Why a transaction that writes rows did not go through.
#[derive(Debug)]
pub(super) enum Failure {
    /// A row is there already: this is a repetition.
    Doubled,
    /// It fell to another transaction; at once again, it may pass.
    Clashed(Error),
    /// Anything else.
    Final(Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code().map(tokio_postgres::error::SqlState::code) {
            Some("23505") => Self::Doubled,
            // 40003 leaves open whether it was committed; that is no clash.
            Some(code) if code.starts_with("40") && code != "40003" => Self::Clashed(error.into()),
            _ => Self::Final(error.into()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let reason = reason(&error);
        let Some(code) = error.code() else {
            return Self::Unavailable(reason);
        };
        match code.code() {
            "XX001" | "XX002" => Self::Damaged(reason),
            // What the row says is the reason: data, a constraint, a limit of the product, a trigger.
            code if of_class(code, &["22", "23", "54"]) || code == "P0001" => Self::Refused(reason),
            // Also what is wrong with the database rather than with the row (a missing table, a right, a lock): the
            // operator can mend it, and until then the log keeps everything.
            _ => Self::Unavailable(reason),
        }
    }
}

/// The words of the server, or of the connection. Neither holds a password or the URL.
pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(told) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", told.message(), told.code().code());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}

/// Whether a step of the schema failed for a reason that lies in the step, or in what the database is. Everything
/// else (no connection, a full disk, a lock, read-only) may pass by itself.
pub(super) fn stops_a_migration(error: &tokio_postgres::Error) -> bool {
    const PASSING: &[&str] = &["08", "40", "53", "57", "58"];
    match error.code().map(tokio_postgres::error::SqlState::code) {
        None | Some("25006" | "55P03" | "3D000") => false,
        Some(code) => !of_class(code, PASSING),
    }
}

fn of_class(code: &str, classes: &[&str]) -> bool {
    classes.iter().any(|class| code.starts_with(class))
}
