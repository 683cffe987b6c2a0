use std::time::Duration;

use async_trait::async_trait;
use wordhoard_model::Timestamp;

use crate::{Error, LogKey};

/// The servers that share a database: who is there, who has gone, and whose log has been ended. Each is known by its log.
#[async_trait]
pub trait Fleet: Send + Sync {
    /// Says that the server of this log is there, by the clock of the database. Takes back that it had departed.
    async fn beat(&self, log: LogKey, profile: ServerProfile) -> Result<(), Error>;

    /// Says that the server of this log has gone, and how. A server that never was there stays unknown.
    async fn depart(&self, log: LogKey, departure: Departure) -> Result<(), Error>;

    /// The servers that have ever used this database, in the order of their logs.
    async fn servers(&self) -> Result<Vec<ServerSeen>, Error>;

    /// Ends the log of a server that has stopped, or has been silent for so long: once this returns, nothing more of it is applied.
    /// `by` is the log of the server that will close its requests. False, and nothing is changed, where the server is unknown, is
    /// still there, or has left: what it had is its own, or its successor's on the same data directory. True for a log that is retired already, which stays as it was.
    async fn retire(&self, log: LogKey, by: Option<LogKey>, silent_for: Duration) -> Result<bool, Error>;

    /// Takes on the closing of a retired log's requests, if it is still `from` that has it. False where somebody else was quicker.
    async fn take_on_retired(&self, log: LogKey, from: Option<LogKey>, by: LogKey) -> Result<bool, Error>;

    /// Whether, and since when, a log has been retired.
    async fn retirement(&self, log: LogKey) -> Result<Option<Retirement>, Error>;
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerProfile {
    /// Where it can be called, as a URL.
    pub address: String,
    /// The name of its machine.
    pub host: String,
    /// Its version.
    pub version: String,
}

/// How a server has gone, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It goes on with its requests at its next start.
    Stopped,
    /// For good; it has ended all its requests.
    Left,
}

impl Departure {
    /// Its stable name, in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Left => "left",
        }
    }

    pub(crate) fn from_name(name: &str) -> Result<Self, Error> {
        match name {
            "stopped" => Ok(Self::Stopped),
            "left" => Ok(Self::Left),
            other => Err(Error::Damaged(format!("a server departed as {other:?}"))),
        }
    }
}

/// The end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retirement {
    /// Since when nothing more of it is applied.
    pub at: Timestamp,
    /// The log of the server that closes its requests; none where nobody has taken that on yet.
    pub by: Option<LogKey>,
}

/// A server that uses this database, as the others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSeen {
    /// Its log.
    pub log: LogKey,
    /// How long ago it last said that it is there, by the clock of the database.
    pub silent_for: Duration,
    /// What it last said of itself.
    pub profile: ServerProfile,
    /// How it has gone, if it has said so.
    pub departure: Option<Departure>,
    /// Whether its log was ended.
    pub retirement: Option<Retirement>,
    /// Its requests that have no end in SQL.
    pub open_requests: u64,
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
