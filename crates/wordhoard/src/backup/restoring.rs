//! Preparing a restore.

use wordhoard_backup::restore::{self, Phase, Plan};
use wordhoard_backup::swap::Pending;
use wordhoard_backup::{BackupName, Error};
use wordhoard_model::Timestamp;

use super::BackupService;
use crate::app::{WAL_DIR, restore_target};

/// How far a restore goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RestoreOptions {
    /// The moment up to which the archive is replayed; all that it has if none.
    pub(crate) to: Option<Timestamp>,
    /// Whether it is replayed at all.
    pub(crate) replays: bool,
    /// Whether records that are nowhere are passed over.
    pub(crate) accept_gaps: bool,
}

impl BackupService {
    /// Builds the database of a backup beside the one that is used. The next start puts it in place.
    pub(crate) async fn prepare(
        &self,
        name: &BackupName,
        options: RestoreOptions,
        now: Timestamp,
        progress: &(dyn Fn(Phase) + Send + Sync),
    ) -> Result<Pending, Error> {
        let config = &self.inner.config;
        self.fetch(name).await?;
        if options.replays {
            self.fetch_archive().await?;
        }
        let plan = Plan {
            backup: name.clone(),
            to: options.to,
            replays: options.replays,
            accept_gaps: options.accept_gaps,
            data_dir: config.data_dir.clone(),
            log_dir: config.data_dir.join(WAL_DIR),
            archive_dir: config.archive.as_ref().map(|archive| archive.dir.clone()),
            target: restore_target(config),
            pg_bin_dir: config.backup.pg_bin_dir.clone(),
            min_free_bytes: config.limits.disk_reserve_bytes,
            now,
        };
        restore::prepare(&self.inner.backups, &plan, progress).await
    }
}

/// A phase in words.
pub(crate) fn describe(phase: Phase) -> String {
    match phase {
        Phase::Verifying => "verifying the backup".into(),
        Phase::Building => "building the database".into(),
        Phase::Counting => "counting its rows".into(),
        Phase::Replaying { position } => format!("replaying the archive: record {position}"),
    }
}
