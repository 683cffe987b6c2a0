//! What the parts that keep a server in order tell of themselves, from memory.

use super::Core;
use crate::backup::BackupService;
use crate::shutdown::Shutdown;
use crate::upkeep::{Upkeep, UpkeepSource};

pub(super) fn upkeep(core: &Core, backups: &BackupService, shutdown: &Shutdown) -> UpkeepSource {
    let (engine, maintenance) = (core.engine.clone(), core.maintenance.clone());
    let (backups, shutdown) = (backups.clone(), shutdown.clone());
    UpkeepSource::new(move || {
        let known = backups.known();
        Upkeep {
            backup_count: known.as_ref().map(|known| known.count),
            last_backup_at: known.as_ref().and_then(|known| known.newest_at),
            last_backup_size_bytes: known.as_ref().and_then(|known| known.newest_size_bytes),
            last_backup_failed: backups.last_failed(),
            last_prune_at: maintenance.last_prune(),
            archive_lag_records: engine.archive_status().map(|archive| archive.lag_records),
            shutdown_steps: shutdown.steps(),
        }
    })
}
