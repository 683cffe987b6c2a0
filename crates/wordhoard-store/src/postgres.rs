//! PostgreSQL: for a fleet of servers, or where there is one anyway. A connection that writes, a few that read, and
//! one that listens; each is made when it is needed, and thrown away after any error.

mod apply;
mod check;
mod durability;
mod erasure;
mod events;
mod export;
mod failure;
mod fleet;
mod jobs;
mod limits;
mod listener;
mod lists;
mod migrate;
mod partitions;
mod place;
mod pool;
mod registry;
mod rows;
mod runs;
mod session;
mod spending;
mod statistics;
#[cfg(test)]
mod tests;
mod text;
mod tls;
mod tools;
mod types;
mod upkeep;
mod url;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use apply::Writer;
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use limits::{ServerLimits, within};
use listener::Listener;
pub use place::PostgresPlace;
use pool::Pool;
use session::{Session, Target};
use tokio::sync::watch;
use tools::Tools;
pub use url::display_url;
use wordhoard_model::{AttemptSeq, Event, KeyId, RequestId, Seq, Timestamp};

use crate::columns::call_id_fragment;
use crate::{
    Applied, Batch, Census, CheckSlice, Checked, DatabaseKind, Error, Export, ExportPlan, IdempotentMatch,
    ListQuery, LogKey, MigrationReport, MigrationStatus, Progress, RequestSummary, Store, Weakness,
};

/// A database on a PostgreSQL server.
#[derive(Debug)]
pub struct PostgresStore {
    target: Arc<Target>,
    tools: Tools,
    writer: Writer,
    pool: Pool,
    listener: Listener,
    closed: AtomicBool,
}

impl PostgresStore {
    /// The database of this URL, as libpq writes it: `postgres://user:password@host:port/database?sslmode=…`. Checks
    /// it and reads the certificates that it names; connects to nothing.
    ///
    /// # Errors
    /// [`Error::Url`] where something is wrong with it, told without its values.
    pub fn new(url: &str) -> Result<Self, Error> {
        let target = Arc::new(Target::new(url).map_err(Error::Url)?);
        Ok(Self {
            writer: Writer::new(Arc::clone(&target)),
            pool: Pool::new(Arc::clone(&target)),
            listener: Listener::new(Arc::clone(&target)),
            tools: Tools::new(url).map_err(Error::Url)?,
            target,
            closed: AtomicBool::new(false),
        })
    }

    /// Sets from how many runs of tokens of a batch on they are written by `COPY`, for those who measure where that pays.
    #[must_use]
    pub fn copy_from(mut self, runs: usize) -> Self {
        self.writer.copy_from = runs;
        self
    }

    /// A short call on a connection of the pool.
    async fn short<T>(
        &self,
        call: impl for<'s> FnOnce(&'s Session) -> BoxFuture<'s, Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        self.limited(limits::READ, call).await
    }

    async fn limited<T>(
        &self,
        limit: Duration,
        call: impl for<'s> FnOnce(&'s Session) -> BoxFuture<'s, Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let called = within(limit, async {
            let lease = self.pool.lease().await?;
            let answer = call(lease.session()).await?;
            lease.give_back();
            Ok(answer)
        });
        let called = called.await;
        if matches!(called, Err(Error::Unavailable(_))) {
            self.pool.distrust_idle();
        }
        called
    }

    fn ensure_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }
}

#[async_trait]
impl Export for PostgresStore {
    fn kind(&self) -> DatabaseKind {
        DatabaseKind::Postgres
    }

    async fn size_bytes(&self) -> Result<u64, Error> {
        self.short(|session| Box::pin(export::size_bytes(session))).await
    }

    async fn census(&self) -> Result<Census, Error> {
        self.ensure_open()?;
        within(limits::EXPORT, export::census(&self.target)).await
    }

    async fn export(&self, plan: &ExportPlan, progress: Progress<'_>) -> Result<Census, Error> {
        self.ensure_open()?;
        within(limits::EXPORT, export::export(&self.target, &self.tools, plan, progress)).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn migrate(&self, at: Timestamp) -> Result<MigrationReport, Error> {
        self.ensure_open()?;
        let report = within(limits::MIGRATE, async {
            let session = self.target.connect(ServerLimits::MIGRATE, None).await?;
            let report = migrate::run(&session, migrate::MIGRATIONS, at).await?;
            self.writer.partitions().ensure(&session, at).await;
            session.close(limits::CLOSE).await;
            Ok(report)
        });
        let report = report.await?;
        self.listener.start();
        Ok(report)
    }

    async fn migrations(&self) -> Result<Vec<MigrationStatus>, Error> {
        self.short(|session| Box::pin(migrate::status(session))).await
    }

    async fn weaknesses(&self) -> Result<Vec<Weakness>, Error> {
        self.short(|session| Box::pin(durability::weaknesses(session))).await
    }

    async fn applied(&self, log: LogKey) -> Result<u64, Error> {
        self.short(move |session| Box::pin(apply::applied(session, log))).await
    }

    async fn rewind(&self, log: LogKey, to: u64) -> Result<(), Error> {
        self.ensure_open()?;
        within(limits::APPLY, self.writer.rewind(log, to)).await
    }

    async fn apply(&self, batch: Batch) -> Result<Applied, Error> {
        self.ensure_open()?;
        within(limits::APPLY, self.writer.apply(&batch)).await
    }

    async fn events(&self, id: RequestId, from: Seq, limit: usize) -> Result<Vec<Event>, Error> {
        self.short(move |session| Box::pin(events::events(session, id, from, limit))).await
    }

    async fn answer_with_call(
        &self,
        owner: Option<KeyId>,
        call_id: String,
        not_before: Timestamp,
    ) -> Result<Option<(RequestId, AttemptSeq)>, Error> {
        let fragment = call_id_fragment(&call_id);
        self.short(move |session| Box::pin(events::answer_with_call(session, owner, fragment, not_before)))
            .await
    }

    async fn summary(&self, id: RequestId) -> Result<Option<RequestSummary>, Error> {
        self.short(move |session| Box::pin(lists::summary(session, id))).await
    }

    async fn list(&self, query: ListQuery) -> Result<Vec<RequestSummary>, Error> {
        self.short(move |session| Box::pin(lists::list(session, query))).await
    }

    async fn open_requests(&self, log: LogKey) -> Result<Vec<RequestId>, Error> {
        self.short(move |session| Box::pin(lists::open_requests(session, log))).await
    }

    async fn find_idempotent(
        &self,
        owner: Option<KeyId>,
        key: String,
        not_before: Timestamp,
    ) -> Result<Option<IdempotentMatch>, Error> {
        self.short(move |session| Box::pin(lists::find_idempotent(session, owner, key, not_before))).await
    }

    async fn make_durable(&self) -> Result<(), Error> {
        // A commit is reported only once it is on the server's disk: `synchronous_commit` is never off on our
        // connections. Where the disk itself is not honest, `weaknesses` says so.
        self.ensure_open()
    }

    async fn known_requests(&self, ids: Vec<RequestId>) -> Result<Vec<RequestId>, Error> {
        self.short(move |session| Box::pin(check::known_requests(session, ids))).await
    }

    async fn check(&self, slice: CheckSlice) -> Result<Checked, Error> {
        self.limited(check::LIMIT, move |session| Box::pin(check::check(session, slice))).await
    }

    async fn last_clean_check(&self) -> Result<Option<Timestamp>, Error> {
        self.short(|session| Box::pin(check::last_clean(session))).await
    }

    async fn record_clean_check(
        &self,
        finished_at: Timestamp,
        covered_until: Timestamp,
    ) -> Result<(), Error> {
        self.short(move |session| Box::pin(check::record_clean(session, finished_at, covered_until))).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.listener.changes()
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.listener.close();
        tokio::join!(self.writer.close(), self.pool.close());
    }
}
