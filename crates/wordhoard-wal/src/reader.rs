use std::sync::Arc;

use crate::{Position, ReadError, cursor::Cursor, shared::Shared};

/// One record, as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log.
    pub position: Position,
    /// The caller's tag.
    pub kind: u8,
    /// The caller's version of the payload.
    pub version: u8,
    /// The caller's bytes.
    pub payload: Vec<u8>,
}

/// Reads durable records in order, behind the writer and without disturbing it. It outlives the
/// [`Wal`](crate::Wal) it came from.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    cursor: Cursor,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, from: Position) -> Result<Self, ReadError> {
        let durable = shared.durable();
        if from > durable {
            return Err(ReadError::Ahead { from, durable });
        }
        let first_available = shared.catalog.first();
        if from < first_available {
            return Err(ReadError::Released { first_available });
        }
        let cursor = Cursor::new(Arc::clone(&shared.disk), Arc::clone(&shared.catalog), from);
        Ok(Self { shared, cursor })
    }

    /// Position of the next record.
    #[must_use]
    pub fn position(&self) -> Position {
        self.cursor.position
    }

    /// The next durable records: at most about `max_bytes` of payload, at least one if there is any, none at the
    /// durable end. Blocks on the disk.
    ///
    /// Damaged records are passed over only by saying so: [`ReadError::Damaged`] comes once, and the next call
    /// continues behind them. After [`ReadError::Disk`] the call may be repeated.
    pub fn next_batch(&mut self, max_bytes: usize) -> Result<Vec<Record>, ReadError> {
        self.cursor.next_batch(self.shared.durable(), max_bytes)
    }
}
