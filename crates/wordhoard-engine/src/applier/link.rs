//! The link to SQL: the schema is brought up, and the log and SQL agree on where they are. Anew after every doubt.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wordhoard_store::{Error, Weakness};
use wordhoard_wal::Position;

use super::Applier;
use crate::replay::{FENCE, ReplayError, ReplayPlan, replay};

/// Records that SQL may be ahead of the log before the log is taken for another one. What was lost at its end and had
/// been applied is little.
const MAX_AHEAD: u64 = 1_000_000;
/// How long SQL may take to answer. Longer than its own limits; for a database that does not keep those.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);

/// Where the link to SQL stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not tried yet, or being tried.
    Connecting,
    /// The schema is being changed, which may take long.
    Migrating,
    /// It stands.
    Up,
    /// SQL cannot be reached or used now; it is tried again.
    Away(String),
    /// SQL is there and must not be used; somebody has to do something. It is tried again all the same.
    Refused(String),
    /// The log of this server was ended; SQL will never take anything of it again.
    Retired,
}

/// Waits until the link stands. False where the server stops before.
pub(crate) async fn until_up(link: &mut watch::Receiver<Link>, stop: &CancellationToken) -> bool {
    let up = async { link.wait_for(|link| matches!(link, Link::Up)).await.is_ok() };
    tokio::select! {
        () = stop.cancelled() => false,
        is_up = up => is_up,
    }
}

/// Why the link does not stand.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// SQL cannot be read.
    #[error(transparent)]
    Store(#[from] Error),
    /// SQL lacks records that the log has let go: it is another database, or an older copy of it.
    #[error(
        "the database has {applied} records of this log, but the log begins at {first}: what lies between is in \
         neither; put the database back that belongs to this data directory"
    )]
    DatabaseTooOld {
        /// How far the log is applied.
        applied: u64,
        /// The first record of the log.
        first: u64,
    },
    /// A restore to an earlier moment has ended this log.
    #[error(
        "a restore to an earlier moment has ended the log of this data directory: move its folder tokens.wal away to \
         begin a new one; what came after that moment is in it"
    )]
    LogEnded,
    /// SQL has far more records than the log: the log is another one, or an older copy of it.
    #[error(
        "the database has {applied} records of this log, but the log ends at {durable}: put the log back that \
         belongs to this database, or move it away to begin a new one"
    )]
    LogTooOld {
        /// How far the log is applied.
        applied: u64,
        /// The end of the log.
        durable: u64,
    },
}

impl LinkError {
    /// Whether trying again cannot help, unless somebody does something.
    pub(crate) fn needs_somebody(&self) -> bool {
        !matches!(
            self,
            Self::Store(Error::Unavailable(_) | Error::Closed | Error::Gap { .. } | Error::Refused(_))
        )
    }
}

/// What the link has found out about SQL.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) schema_version: Option<u32>,
    pub(crate) weaknesses: Vec<Weakness>,
}

impl Applier {
    /// Tries once.
    pub(super) async fn link(&self) -> Result<(), LinkError> {
        let started = Instant::now();
        let steps = answer(self.store.migrations()).await?;
        if steps.iter().any(|step| !step.applied) {
            self.link.send_replace(Link::Migrating);
        }
        let report = self.store.migrate(self.clock.now()).await?;
        let weaknesses = answer(self.store.weaknesses()).await?;
        self.tell(&weaknesses);
        if answer(self.store.retirement(self.log)).await?.is_some() {
            return Err(Error::LogRetired.into());
        }
        let applied = answer(self.store.applied(self.log)).await?;
        let position = self.align(applied).await?;
        if !report.applied.is_empty() {
            tracing::info!(
                schema_version = report.version,
                migrations = report.applied.join(","),
                elapsed_ms = started.elapsed().as_millis() as u64,
                "the schema of the database was brought up"
            );
        }
        *self.found.lock() = Found { schema_version: Some(report.version), weaknesses };
        self.note_applied(position);
        Ok(())
    }

    /// Sees to it that the log is applied from where SQL is, or says why it cannot be.
    async fn align(&self, applied: u64) -> Result<Position, LinkError> {
        if applied >= FENCE {
            return Err(LinkError::LogEnded);
        }
        let first = self.wal.usage().first.0;
        let applied =
            if applied < first { self.catch_up_from_archive(applied, first).await? } else { applied };
        // The first link of a run compares with the log as it was found, the later ones with the log as it is.
        let durable = self.unlinked_end.lock().unwrap_or(self.wal.progress().durable).0;
        if applied > durable {
            if applied - durable > MAX_AHEAD {
                return Err(LinkError::LogTooOld { applied, durable });
            }
            // The end of the log was damaged after it had been applied. Its positions go to other records, which
            // must not pass for applied.
            tracing::error!(
                missing = applied - durable,
                "SQL has records that the log has lost; it keeps them"
            );
            answer(self.store.rewind(self.log, durable)).await?;
        }
        self.unlinked_end.lock().take();
        Ok(Position(applied.min(durable)))
    }

    /// SQL lacks what the log has let go, as after a backup was restored: the archive may still have it.
    async fn catch_up_from_archive(&self, applied: u64, first: u64) -> Result<u64, LinkError> {
        let Some(archive) = &self.settings.archive else {
            return Err(LinkError::DatabaseTooOld { applied, first });
        };
        tracing::warn!(
            applied,
            first,
            "SQL lacks records that the log has let go; they are applied from the archive"
        );
        let plan = ReplayPlan {
            log: self.log,
            dirs: vec![archive.dir_of(self.log)],
            until: None,
            end: Some(first),
            // As the applier itself, which passes over what is damaged and tells it.
            accept_gaps: true,
        };
        match replay(&*self.store, &plan, |_| {}).await {
            Ok(replayed) if replayed.through >= first => Ok(replayed.through),
            Ok(replayed) => Err(LinkError::DatabaseTooOld { applied: replayed.through, first }),
            Err(ReplayError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::error!(%error, "the archive cannot bring SQL up");
                Err(LinkError::DatabaseTooOld { applied, first })
            }
        }
    }

    fn tell(&self, weaknesses: &[Weakness]) {
        if self.found.lock().weaknesses == weaknesses {
            return;
        }
        for weakness in weaknesses {
            tracing::warn!(
                setting = weakness.setting,
                value = weakness.value,
                risk = weakness.risk,
                "the database is not as durable as it should be"
            );
        }
    }
}

async fn answer<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(ANSWER_PATIENCE, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::Unavailable("it does not answer".into())),
    }
}
