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
    /// The events, in the order of the log. A record may hold several, or none where it was damaged or is not for SQL; those of one
    /// are all here.
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

    /// Two batches, one behind the other, of about as many events; or itself, where all its events are of one record.
    ///
    /// # Errors
    /// The batch, where it cannot be divided.
    pub fn halves(mut self) -> Result<(Self, Self), Self> {
        let middle = self.events.len() / 2;
        let begins_a_record = |place: &usize| match place.checked_sub(1) {
            Some(before) => {
                self.events.get(before).map(|event| event.position)
                    != self.events.get(*place).map(|event| event.position)
            }
            None => false,
        };
        let found = (middle..self.events.len()).find(begins_a_record);
        let Some(place) = found.or_else(|| (1..middle).rev().find(begins_a_record)) else { return Err(self) };
        let second = self.events.split_off(place);
        let boundary = second.first().map_or(self.through, |event| event.position);
        let second = Self { log: self.log, from: boundary, through: self.through, events: second };
        Ok((Self { through: boundary, ..self }, second))
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

#[cfg(test)]
mod tests {
    use wordhoard_model::{AttemptSeq, AttemptStarted, EventBody, Lane, Seq, Timestamp};

    use super::*;

    fn batch(positions: &[u64]) -> Batch {
        let event = |(seq, position): (u64, &u64)| LoggedEvent {
            position: *position,
            request_id: RequestId::from_bytes([1; 16]),
            event: Event {
                seq: Seq(seq),
                at: Timestamp::from_millis(0),
                body: EventBody::AttemptStarted(Box::new(AttemptStarted {
                    attempt_seq: AttemptSeq(1),
                    lane: Lane(0),
                    model: "demo:brisk".parse().unwrap(),
                    continues: None,
                })),
            },
        };
        Batch { log: LogKey([1; 16]), from: 3, through: 9, events: (0..).zip(positions).map(event).collect() }
    }

    #[test]
    fn a_batch_is_divided_between_records_only() {
        for (positions, first, boundary) in [
            (&[3, 4, 5, 6][..], 2, 5),
            (&[3, 4, 4, 4, 4, 7], 5, 7),
            (&[3, 4, 4, 4, 4], 1, 4),
            (&[3, 3, 3, 8], 3, 8),
        ] {
            let (one, other) = batch(positions).halves().unwrap();
            assert_eq!((one.events.len(), one.from, one.through), (first, 3, boundary), "{positions:?}");
            assert_eq!(
                (other.events.len(), other.from, other.through),
                (positions.len() - first, boundary, 9)
            );
        }
        for positions in [&[][..], &[4], &[5, 5, 5]] {
            assert_eq!(batch(positions).halves().unwrap_err().events.len(), positions.len());
        }
    }
}
