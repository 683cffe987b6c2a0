/// Why the database could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL of the database cannot be used.
    #[error("the URL of the database cannot be used: {0}")]
    Url(String),
    /// It cannot be reached, is busy for too long, read-only or full. Trying again later makes sense.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Its file or its rows are damaged, or are none of ours.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// Its schema was made by a newer server.
    #[error("the database has schema version {found}, this server knows up to {known}: run a newer server")]
    SchemaTooNew {
        /// The version found.
        found: u32,
        /// The newest that this binary knows.
        known: u32,
    },
    /// An applied migration differs from the one that this binary carries.
    #[error(
        "migration {version} was applied with other content than this server carries: another build made this database, and this one cannot upgrade it"
    )]
    MigrationChanged {
        /// Which one.
        version: u32,
    },
    /// A migration failed; the schema is as it was before it.
    #[error("migration {version} failed and was rolled back: {reason}")]
    MigrationFailed {
        /// Which one.
        version: u32,
        /// The database's reason.
        reason: String,
    },
    /// It refuses what a row says, and will again: a constraint, a limit, a trigger. What else is in the batch may
    /// pass without that row.
    #[error("the database refuses a row: {0}")]
    Refused(String),
    /// A batch begins behind the applied position: applying it would leave a gap.
    #[error("the batch begins at {from}, but only {applied} records of its log are applied")]
    Gap {
        /// Where the batch begins.
        from: u64,
        /// How far the log is applied.
        applied: u64,
    },
    /// The log was ended by somebody who took its server for lost; its requests were closed by another one.
    #[error("this server was retired: its requests were closed, and nothing more of its log is taken")]
    LogRetired,
    /// What the request said was erased.
    #[error("the request was erased")]
    Erased,
    /// The store was closed.
    #[error("the database is closed")]
    Closed,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{ConstraintViolation, DatabaseCorrupt, NotADatabase, TooBig, TypeMismatch};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(error.to_string()),
            Some(ConstraintViolation | TooBig | TypeMismatch) => Self::Refused(error.to_string()),
            Some(_) => Self::Unavailable(error.to_string()),
            // Not from SQLite itself, but from reading a row: a column holds what we never write.
            None => Self::Damaged(error.to_string()),
        }
    }
}
