//! SQL as a projection of the log: every row was an event in the WAL before, and can be made again from it.
//!
//! The [`Store`] trait says what the engine needs of a database. What a backend must do beyond the signatures is
//! defined by the conformance suite in `tests/it`, which every backend passes.

mod batch;
mod error;
mod migration;
mod query;
mod sqlite;

use async_trait::async_trait;
pub use batch::{Applied, Batch, Conflict, LogKey};
pub use error::Error;
pub use migration::MigrationReport;
pub use query::{IdempotentMatch, ListQuery, RequestSummary};
pub use sqlite::SqliteStore;
use wordhoard_model::{Event, RequestId, Seq, Timestamp};

/// A database that holds what the log has recorded.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Brings the schema to the version that this binary knows. `at` is written beside what was applied.
    async fn migrate(&self, at: Timestamp) -> Result<MigrationReport, Error>;

    /// How far this log is applied: records below this position are in the database. 0 for a log it never saw.
    async fn applied(&self, log: LogKey) -> Result<u64, Error>;

    /// Writes the rows of a batch and the new applied position in one transaction. Applying a batch again, whole or
    /// in part, changes nothing.
    async fn apply(&self, batch: Batch) -> Result<Applied, Error>;

    /// The events of a request from `from` on, at most `limit`, without a gap. Empty where it has none (yet).
    async fn events(&self, id: RequestId, from: Seq, limit: usize) -> Result<Vec<Event>, Error>;

    /// What a list shows of one request, if the database has it.
    async fn summary(&self, id: RequestId) -> Result<Option<RequestSummary>, Error>;

    /// Requests, newest first.
    async fn list(&self, query: ListQuery) -> Result<Vec<RequestSummary>, Error>;

    /// The requests that came in through this log and have no end.
    async fn open_requests(&self, log: LogKey) -> Result<Vec<RequestId>, Error>;

    /// The newest request accepted under this key at or after `not_before`.
    async fn find_idempotent(
        &self,
        key: String,
        not_before: Timestamp,
    ) -> Result<Option<IdempotentMatch>, Error>;

    /// Returns once all that was applied survives a loss of power. Segments of the log may be removed only after it.
    async fn make_durable(&self) -> Result<(), Error>;

    /// Finishes what was begun and closes all connections. Later calls fail with [`Error::Closed`].
    async fn close(&self);
}
