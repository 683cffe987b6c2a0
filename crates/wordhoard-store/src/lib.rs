//! SQL as a projection of the log: every row was an event in the WAL before, and can be made again from it.
//!
//! The [`Store`] trait says what the engine needs of a database. What a backend must do beyond the signatures is
//! defined by the conformance suite in `tests/it`, which every backend passes.

mod batch;
mod check;
mod columns;
mod erasure;
mod error;
mod escape;
mod export;
mod fleet;
mod jobs;
mod migration;
mod postgres;
mod query;
mod registry;
mod runs;
mod spending;
mod sqlite;
mod statistics;
mod upkeep;

use async_trait::async_trait;
pub use batch::{Applied, Batch, Conflict, LogKey, LoggedEvent, NoLogKey};
pub use check::{CheckScope, CheckSlice, Checked, Fault, Finding};
pub use columns::{limits_from_json, limits_to_json};
pub use erasure::{Erasing, Erasure};
pub use error::Error;
pub use export::{Census, DatabaseKind, Export, ExportPlan, Progress};
pub use fleet::{Departure, Fleet, Retirement, ServerProfile, ServerSeen, Weakness};
pub use jobs::{Jobs, Lease, MaintenanceRun, RunId, RunOutcome};
pub use migration::{MigrationReport, MigrationStatus};
pub use postgres::{PostgresPlace, PostgresStore, display_url};
pub use query::{AskedFor, IdempotentMatch, ListQuery, Owners, RequestSummary};
pub use registry::{BreakerNote, KeyRecord, ProviderSwitch, Registry, Scope};
pub use spending::{OthersSpending, OwnSpending, RecentRequest, Spending, SpentOfDay};
pub use sqlite::SqliteStore;
pub use statistics::{ProviderTotals, Statistics, Totals};
use tokio::sync::watch;
pub use upkeep::{Prunable, PruneRange, PruneSlice, Pruned, PrunedTable, RowPlace, Upkeep};
use wordhoard_model::{AttemptSeq, Event, KeyId, RequestId, Seq, Timestamp};

/// A database that holds what the log has recorded.
///
/// A store is made without touching the database. Each call connects (again) where it must, ends within a time limit,
/// and says [`Error::Unavailable`] where the database is away; the next call tries anew.
#[async_trait]
pub trait Store:
    Erasing + Export + Fleet + Jobs + Registry + Spending + Statistics + Upkeep + Send + Sync + std::fmt::Debug
{
    /// Brings the schema to the version that this binary knows. `at` is written beside what was applied. Any number
    /// of servers may do this at once.
    async fn migrate(&self, at: Timestamp) -> Result<MigrationReport, Error>;

    /// Which migrations are applied and which are not. Changes nothing.
    async fn migrations(&self) -> Result<Vec<MigrationStatus>, Error>;

    /// Settings of the database under which what it has committed may be lost.
    async fn weaknesses(&self) -> Result<Vec<Weakness>, Error>;

    /// How far this log is applied: records below this position are in the database. 0 for a log it never saw.
    async fn applied(&self, log: LogKey) -> Result<u64, Error>;

    /// Sets the applied position of a log back to `to`, if it is ahead of it: the log has lost what lay behind, and
    /// gives those positions to other records.
    async fn rewind(&self, log: LogKey, to: u64) -> Result<(), Error>;

    /// Writes the rows of a batch and the new applied position in one transaction. Applying a batch again, whole or
    /// in part, changes nothing, and never moves the position back. Refused with [`Error::LogRetired`] where the log was ended.
    async fn apply(&self, batch: Batch) -> Result<Applied, Error>;

    /// The events of a request from `from` on, at most `limit`, without a gap. Empty where it has none (yet).
    async fn events(&self, id: RequestId, from: Seq, limit: usize) -> Result<Vec<Event>, Error>;

    /// What a list shows of one request, if the database has it.
    async fn summary(&self, id: RequestId) -> Result<Option<RequestSummary>, Error>;

    /// Requests, newest first.
    async fn list(&self, query: ListQuery) -> Result<Vec<RequestSummary>, Error>;

    /// The requests that came in through this log and have no end.
    async fn open_requests(&self, log: LogKey) -> Result<Vec<RequestId>, Error>;

    /// The newest request that this API key, or a caller without one, had accepted under the idempotency key at or after
    /// `not_before`.
    async fn find_idempotent(
        &self,
        owner: Option<KeyId>,
        key: String,
        not_before: Timestamp,
    ) -> Result<Option<IdempotentMatch>, Error>;

    /// The newest answer under this API key, or of a caller without one, that called a tool under that id, of the last 1,000
    /// requests since `not_before`.
    async fn answer_with_call(
        &self,
        owner: Option<KeyId>,
        call_id: String,
        not_before: Timestamp,
    ) -> Result<Option<(RequestId, AttemptSeq)>, Error>;

    /// Returns once all that was applied survives a loss of power. Segments of the log may be removed only after it.
    async fn make_durable(&self) -> Result<(), Error>;

    /// Which of these requests the database has. The others are missing, if the log says that they were applied.
    async fn known_requests(&self, ids: Vec<RequestId>) -> Result<Vec<RequestId>, Error>;

    /// Looks for what is missing, doubled or contradictory in a part of what is there, on one consistent state: what
    /// is being applied at the same time is no finding. Holds up nobody who writes.
    async fn check(&self, slice: CheckSlice) -> Result<Checked, Error>;

    /// Up to when everything recorded was covered by a check without findings, if there ever was one.
    async fn last_clean_check(&self) -> Result<Option<Timestamp>, Error>;

    /// Records that a check ended at `finished_at` without findings and covered all that was recorded until
    /// `covered_until`. Never moves either back.
    async fn record_clean_check(&self, finished_at: Timestamp, covered_until: Timestamp)
    -> Result<(), Error>;

    /// Changes whenever any server may have applied something. A hint: it may come late or not at all, so whoever
    /// waits for it looks for itself from time to time.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Finishes what was begun and closes all connections. Later calls fail with [`Error::Closed`].
    async fn close(&self);
}
