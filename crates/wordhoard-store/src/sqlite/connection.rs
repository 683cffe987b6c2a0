//! How the file is opened, and the read connections.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Error;

/// Read connections, and so queries at the same time.
const READERS: usize = 4;
/// How long a call waits for a lock that another process holds (a backup tool, say).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn open_writer(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Counts only in a file that is new, before anything is written into it: then a prune can give back what it frees.
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    let mode: String = connection.query_row("PRAGMA journal_mode = wal", [], |row| row.get(0))?;
    if mode != "wal" {
        // Some network file systems cannot share memory; there SQLite silently keeps its old mode.
        return Err(Error::Unavailable(format!(
            "the file system of {} does not allow SQLite's WAL mode (it stays in {mode:?}); put it on a local disk",
            path.display()
        )));
    }
    // NORMAL may lose the newest transactions when power fails, never the consistency of the file. That is enough:
    // the applied position goes with them, and our log still has them (see `checkpoint`).
    connection.pragma_update(None, "synchronous", "normal")?;
    // A checkpoint syncs, beside the syncs of our log; so not too often.
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    // A long reader can keep its log from being written over. Once that has ended, it is cut to this again.
    connection.pragma_update(None, "journal_size_limit", 32 << 20)?;
    connection.pragma_update(None, "foreign_keys", "off")?;
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Moves all of SQLite's own log into the file and syncs it: what was applied before survives a loss of power.
pub(super) fn checkpoint(connection: &mut Connection) -> Result<(), Error> {
    connection.pragma_update(None, "synchronous", "full")?;
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "normal")?;
    if busy == 0 { Ok(()) } else { Err(Error::Unavailable("a reader held back the checkpoint".into())) }
}

/// Read-only connections, made when needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    places: Arc<Semaphore>,
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        let (places, idle) = (Arc::new(Semaphore::new(READERS)), Mutex::new(Some(Vec::new())));
        Self { path: path.to_owned(), places, idle }
    }

    /// Whether there is certainly no file: reading would fail, and must not make one.
    pub(super) fn has_no_file(&self) -> bool {
        matches!(self.path.try_exists(), Ok(false))
    }

    /// Waits for a turn to read; fair.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Closed)
    }

    /// Runs a query on one consistent state of the database.
    pub(super) fn with_snapshot<T>(
        &self,
        query: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut connection = self.take()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let result = query(&transaction)?;
        transaction.finish()?;
        self.put_back(connection);
        Ok(result)
    }

    pub(super) fn close(&self) {
        self.places.close();
        self.idle.lock().take();
    }

    fn take(&self) -> Result<Connection, Error> {
        let kept = self.idle.lock().as_mut().ok_or(Error::Closed)?.pop();
        if let Some(connection) = kept {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "cache_size", -1024)?;
        Ok(connection)
    }

    fn put_back(&self, connection: Connection) {
        if let Some(idle) = self.idle.lock().as_mut() {
            idle.push(connection);
        }
    }
}
