//! SQLite: the embedded default. One thread writes, a few connections read; the file's own WAL mode lets them go on
//! side by side.

mod apply;
mod check;
mod connection;
mod erasure;
mod events;
mod export;
mod fleet;
mod jobs;
mod lists;
mod migrate;
mod registry;
mod rows;
mod runs;
mod spending;
mod statistics;
mod upkeep;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use connection::Readers;
use rusqlite::OptionalExtension;
use tokio::sync::watch;
use wordhoard_model::{AttemptSeq, Event, KeyId, RequestId, Seq, Timestamp};
use writer::Writer;

use crate::{
    Applied, Batch, Census, CheckSlice, Checked, DatabaseKind, Error, Export, ExportPlan, IdempotentMatch,
    ListQuery, LogKey, MigrationReport, MigrationStatus, Progress, RequestSummary, Store, Weakness,
};

/// A database in one file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: Writer,
    readers: Arc<Readers>,
    /// Counts the transactions of this server; what other processes write is not noticed.
    changes: watch::Sender<u64>,
}

impl SqliteStore {
    /// A database in this file, which is opened, or made, by the first call that writes.
    ///
    /// # Errors
    /// Where its thread cannot be started.
    pub fn new(path: &Path) -> Result<Self, Error> {
        let writer = Writer::start(path)?;
        let readers = Arc::new(Readers::new(path));
        Ok(Self { path: path.to_owned(), writer, readers, changes: watch::Sender::new(0) })
    }

    /// Reading is short, but it is file I/O: it runs beside the async threads, not on them.
    async fn read<T, F>(&self, query: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Transaction<'_>) -> Result<T, Error> + Send + 'static,
    {
        // Waiting here costs a few bytes; a connection and a thread for everyone who asks would cost megabytes.
        let place = self.readers.place().await?;
        let readers = Arc::clone(&self.readers);
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            readers.with_snapshot(query)
        });
        task.await.map_err(|_| Error::Closed)?
    }
}

#[async_trait]
impl Export for SqliteStore {
    fn kind(&self) -> DatabaseKind {
        DatabaseKind::Sqlite
    }

    async fn size_bytes(&self) -> Result<u64, Error> {
        let of = |suffix: &str| {
            let mut path = self.path.as_os_str().to_owned();
            path.push(suffix);
            std::fs::metadata(path).map_or(0, |file| file.len())
        };
        Ok(of("") + of("-wal"))
    }

    async fn census(&self) -> Result<Census, Error> {
        self.read(export::census).await
    }

    async fn export(&self, plan: &ExportPlan, progress: Progress<'_>) -> Result<Census, Error> {
        let (path, to) = (self.path.clone(), plan.file.clone());
        let (told, mut step) = watch::channel((0, None));
        let copying = tokio::task::spawn_blocking(move || {
            export::export(&path, &to, &|done, all| {
                told.send_replace((done, all));
            })
        });
        while step.changed().await.is_ok() {
            let (done, all) = *step.borrow_and_update();
            progress(done, all);
        }
        copying.await.map_err(|_| Error::Closed)?
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn migrate(&self, at: Timestamp) -> Result<MigrationReport, Error> {
        self.writer.run(move |connection| migrate::run(connection, at)).await
    }

    async fn migrations(&self) -> Result<Vec<MigrationStatus>, Error> {
        if self.readers.has_no_file() {
            return migrate::status_of_none();
        }
        self.read(|snapshot| migrate::status(snapshot)).await
    }

    async fn weaknesses(&self) -> Result<Vec<Weakness>, Error> {
        // What a loss of power may take back, our log still has: see `make_durable`.
        Ok(Vec::new())
    }

    async fn applied(&self, log: LogKey) -> Result<u64, Error> {
        self.read(move |snapshot| Ok(apply::applied(snapshot, log)?)).await
    }

    async fn rewind(&self, log: LogKey, to: u64) -> Result<(), Error> {
        self.writer.run(move |connection| apply::rewind(connection, log, to)).await
    }

    async fn apply(&self, batch: Batch) -> Result<Applied, Error> {
        let applied = self.writer.run(move |connection| apply::apply(connection, &batch)).await?;
        self.changes.send_modify(|count| *count += 1);
        Ok(applied)
    }

    async fn events(&self, id: RequestId, from: Seq, limit: usize) -> Result<Vec<Event>, Error> {
        self.read(move |snapshot| events::events(snapshot, id, from, limit)).await
    }

    async fn answer_with_call(
        &self,
        owner: Option<KeyId>,
        call_id: String,
        not_before: Timestamp,
    ) -> Result<Option<(RequestId, AttemptSeq)>, Error> {
        self.read(move |snapshot| events::answer_with_call(snapshot, owner, &call_id, not_before)).await
    }

    async fn summary(&self, id: RequestId) -> Result<Option<RequestSummary>, Error> {
        self.read(move |snapshot| lists::summary(snapshot, id)).await
    }

    async fn list(&self, query: ListQuery) -> Result<Vec<RequestSummary>, Error> {
        self.read(move |snapshot| lists::list(snapshot, &query)).await
    }

    async fn open_requests(&self, log: LogKey) -> Result<Vec<RequestId>, Error> {
        self.read(move |snapshot| lists::open_requests(snapshot, log)).await
    }

    async fn find_idempotent(
        &self,
        owner: Option<KeyId>,
        key: String,
        not_before: Timestamp,
    ) -> Result<Option<IdempotentMatch>, Error> {
        self.read(move |snapshot| {
            let sql = "SELECT request_id, idempotency_sha256 FROM llm_requests
                       WHERE idempotency_key = ?1 AND created_at >= ?2 AND key_id IS ?3
                       ORDER BY created_at DESC LIMIT 1";
            let mut statement = snapshot.prepare_cached(sql)?;
            let owner = owner.map(|owner| *owner.as_bytes());
            let row = statement.query_row((key, not_before.as_millis(), owner), |row| {
                Ok(IdempotentMatch {
                    request_id: RequestId::from_bytes(row.get(0)?),
                    body_sha256: row.get(1)?,
                })
            });
            Ok(row.optional()?)
        })
        .await
    }

    async fn make_durable(&self) -> Result<(), Error> {
        self.writer.run(connection::checkpoint).await
    }

    async fn known_requests(&self, ids: Vec<RequestId>) -> Result<Vec<RequestId>, Error> {
        self.read(move |snapshot| check::known_requests(snapshot, ids)).await
    }

    async fn check(&self, slice: CheckSlice) -> Result<Checked, Error> {
        self.read(move |snapshot| check::check(snapshot, &slice)).await
    }

    async fn last_clean_check(&self) -> Result<Option<Timestamp>, Error> {
        self.read(check::last_clean).await
    }

    async fn record_clean_check(
        &self,
        finished_at: Timestamp,
        covered_until: Timestamp,
    ) -> Result<(), Error> {
        self.writer.run(move |connection| check::record_clean(connection, finished_at, covered_until)).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    async fn close(&self) {
        // The writer last: the last connection moves SQLite's log into the file, and one that only reads cannot.
        self.readers.close();
        self.writer.close().await;
    }
}
