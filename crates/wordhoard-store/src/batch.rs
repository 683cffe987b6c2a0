use std::fmt;
use std::str::FromStr;

use wordhoard_model::{Event, RequestId};

/// The identity of a log: which server's WAL the rows came from.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogKey(pub [u8; 16]);

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A text that is no id of a log.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the id of a log, which is the id of its server, has 32 hexadecimal digits")]
pub struct NoLogKey;

impl FromStr for LogKey {
    type Err = NoLogKey;

    fn from_str(text: &str) -> Result<Self, NoLogKey> {
        let is_hexadecimal = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_hexadecimal).ok_or(NoLogKey)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// Records `from..through` of a log, as events.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Whose records.
    pub log: LogKey,
    /// The position of the first record.
    pub from: u64,
    /// The position behind the last record: the applied position once this batch is in.
    pub through: u64,
    /// The events, in the order of the log. Fewer than records where some were damaged or not for SQL.
    pub events: Vec<LoggedEvent>,
}

impl Batch {
    /// Whether none of its events can be in SQL already, by what SQL says of the log: how far it is applied, and up to which request the log
    /// may have lost what was applied of it.
    pub(crate) fn is_all_new(&self, applied: u64, doubted_through: Option<RequestId>) -> bool {
        let is_doubted =
            self.oldest_request().zip(doubted_through).is_some_and(|(oldest, through)| oldest <= through);
        self.from == applied && !is_doubted
    }

    /// The lowest id of a request that it has an event of.
    pub(crate) fn oldest_request(&self) -> Option<RequestId> {
        self.events.iter().map(|logged| logged.request_id).min()
    }
}

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedEvent {
    /// The position of its record.
    pub position: u64,
    /// Whose event.
    pub request_id: RequestId,
    /// What happened.
    pub event: Event,
}

/// What applying a batch did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Events that were new.
    pub inserted: u64,
    /// Events that were there already, with the same content.
    pub already_there: u64,
    /// Events whose place holds something else. The row that was there first stays; each is an alarm.
    pub conflicts: Vec<Conflict>,
}

/// An event that says something else than the row in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Whose event.
    pub request_id: RequestId,
    /// What differs, without the content itself.
    pub what: String,
}
