//! A restore that was prepared is put in place before anything uses the database.

use anyhow::Context;
use wordhoard_backup::swap::{Pending, Target};
use wordhoard_engine::BootLog;

use super::{WAL_DIR, log_ids};
use crate::config::{Config, DatabaseConfig};

/// Puts it in place, if there is one. Whoever calls it has the data directory to itself.
pub(super) async fn finish(config: &Config, boot: &BootLog) -> anyhow::Result<Option<Pending>> {
    let data_dir = &config.data_dir;
    let Some(pending) = Pending::read(data_dir)? else { return Ok(None) };
    let step = boot.begin("restore");
    let archive = config.archive.as_ref().map(|archive| archive.dir.as_path());
    let note = |logs: &[_]| log_ids::note_former(data_dir, logs);
    let finished = pending.finish(data_dir, &data_dir.join(WAL_DIR), archive, &target(config), note).await;
    match finished {
        Ok(()) => {
            step.done();
            Ok(Some(pending))
        }
        Err(error) => {
            step.failed(error.to_string());
            Err(error)
                .context("a restore that was prepared cannot be put in place; nothing is served before it is")
        }
    }
}

/// Where a restored database goes.
pub(crate) fn target(config: &Config) -> Target {
    match &config.database {
        DatabaseConfig::Sqlite(path) => Target::Sqlite(path.clone()),
        DatabaseConfig::Postgres(url) => Target::Postgres(url.clone()),
    }
}
