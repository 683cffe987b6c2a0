use std::time::Duration;

use crate::LogKey;

/// A server that uses this database, as the others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSeen {
    /// Its log.
    pub log: LogKey,
    /// How long ago it last said that it is there, by the clock of the database.
    pub silent_for: Duration,
}

/// A setting of the database under which what it has committed may be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    /// The setting, as the database names it.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
    /// What may happen under it.
    pub risk: &'static str,
}
