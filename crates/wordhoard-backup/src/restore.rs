//! Building a database from a backup, beside the one that is used, and bringing it forward from the archive. Until
//! [`prepare`] has written its last file, nothing has changed.

mod build;
mod forward;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use wordhoard_model::Timestamp;
use wordhoard_store::{DatabaseKind, Store};

use crate::error::At;
use crate::random_id::random_id;
use crate::swap::{Pending, RESTORE_DIR, Target};
use crate::{BackupName, Backups, Error, Manifest, files};

/// What is restored, from where, and how far.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The backup.
    pub backup: BackupName,
    /// The moment up to which the archive is replayed; all that it has if none.
    pub to: Option<Timestamp>,
    /// Whether the archive is replayed at all. Otherwise the database is as it was when the backup was made.
    pub replays: bool,
    /// Whether records that are nowhere are passed over. Otherwise nothing is restored.
    pub accept_gaps: bool,
    /// The data directory, whose log may go on where the archive ends.
    pub data_dir: PathBuf,
    /// The folder of the log.
    pub log_dir: PathBuf,
    /// The folder of the archive, if there is one.
    pub archive_dir: Option<PathBuf>,
    /// Where the database is that is replaced.
    pub target: Target,
    /// The folder of PostgreSQL's programs, if it is given.
    pub pg_bin_dir: Option<PathBuf>,
    /// Bytes that must stay free on the disk of the database.
    pub min_free_bytes: u64,
    /// The time now.
    pub now: Timestamp,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The backup is read and compared with its manifest.
    Verifying,
    /// The database is built from it.
    Building,
    /// Its rows are counted.
    Counting,
    /// The archive is replayed.
    Replaying {
        /// The position reached in the log that is replayed.
        position: u64,
    },
}

impl Plan {
    fn kind(&self) -> DatabaseKind {
        match self.target {
            Target::Sqlite(_) => DatabaseKind::Sqlite,
            Target::Postgres(_) => DatabaseKind::Postgres,
        }
    }
}

/// Prepares a restore: verifies the backup, builds the database, counts it, brings it forward. When this returns, the
/// decision is on disk, and the next start (or [`Pending::finish`]) puts it in place.
///
/// # Errors
/// Why nothing was restored; then nothing has changed.
pub async fn prepare(
    backups: &Backups,
    plan: &Plan,
    progress: &(dyn Fn(Phase) + Send + Sync),
) -> Result<Pending, Error> {
    if Pending::read(&plan.data_dir)?.is_some() {
        return Err(Error::Pending);
    }
    ensure_movable(plan)?;
    progress(Phase::Verifying);
    let manifest = verified(backups, plan).await?;
    ensure_space(plan, &manifest)?;
    let id = random_id().at(&plan.data_dir)?;
    files::make_private_dir(&plan.data_dir.join(RESTORE_DIR))?;
    build::remove_leftovers(plan).await?;
    let site = build::Site::new(plan, &id)?;
    let prepared = prepare_at(backups, plan, &manifest, &site, progress).await;
    if prepared.is_err() {
        site.clear().await;
    }
    prepared
}

async fn prepare_at(
    backups: &Backups,
    plan: &Plan,
    manifest: &Manifest,
    site: &build::Site,
    progress: &(dyn Fn(Phase) + Send + Sync),
) -> Result<Pending, Error> {
    progress(Phase::Building);
    let store = site.build(&backups.path(&plan.backup), manifest, plan).await?;
    progress(Phase::Counting);
    let forward = bring_forward(&*store, plan, manifest, progress).await;
    let durable = store.make_durable().await;
    store.close().await;
    let forward = forward?;
    durable?;
    let pending = Pending {
        id: site.id().to_owned(),
        backup: plan.backup.to_string(),
        prepared_at: plan.now.to_string(),
        to: plan.to.map(|to| to.to_string()),
        last_event_at: forward.last_event_at.map(|at| at.to_string()),
        reached_to: plan.to.map(|_| forward.reached_to),
        replayed_events: forward.events,
        missing_records: forward.missing_records,
        staged: site.staged()?,
        sets_log_aside: forward.sets_log_aside,
        fences: forward.fences,
        logs: forward.former_logs.iter().map(|log| format!("{log:?}")).collect(),
    };
    site.sync()?;
    pending.write(&plan.data_dir)?;
    Ok(pending)
}

async fn bring_forward(
    store: &dyn Store,
    plan: &Plan,
    manifest: &Manifest,
    progress: &(dyn Fn(Phase) + Send + Sync),
) -> Result<forward::Forward, Error> {
    let census = store.census().await?;
    if let Some(problem) = manifest.difference(&census) {
        return Err(Error::NotAsCounted { name: manifest.name.clone(), problem });
    }
    store.migrate(plan.now).await?;
    forward::bring(store, plan, &census, progress).await
}

/// What is to be renamed at the end must not be a place of its own (a mounted disk): that would show only after the
/// decision.
fn ensure_movable(plan: &Plan) -> Result<(), Error> {
    let file = match &plan.target {
        Target::Sqlite(database) => Some(database.as_path()),
        Target::Postgres(_) => None,
    };
    for path in file.into_iter().chain([plan.log_dir.as_path()]) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let (Ok(there), Ok(folder)) = (fs::symlink_metadata(path), fs::metadata(folder))
            && (there.dev() != folder.dev() || there.is_symlink())
        {
            let problem = format!("{} is a mounted disk or a link, and cannot be set aside", path.display());
            return Err(Error::OutOfReach(problem));
        }
    }
    Ok(())
}

/// The disk of the database may be that of the log, which must not be filled.
fn ensure_space(plan: &Plan, manifest: &Manifest) -> Result<(), Error> {
    let Target::Sqlite(database) = &plan.target else { return Ok(()) };
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).at(folder)?;
    files::ensure_space(folder, manifest.database_bytes.saturating_add(plan.min_free_bytes))
}

async fn verified(backups: &Backups, plan: &Plan) -> Result<Manifest, Error> {
    let (backups, name) = (backups.clone(), plan.backup.clone());
    let manifest = tokio::task::spawn_blocking(move || backups.verify(&name));
    let manifest = manifest.await.map_err(|_| Error::BrokenOff)??;
    let name = || plan.backup.to_string();
    let found = manifest.kind().map_err(|problem| Error::NotTrusted { name: name(), problem })?;
    if found != plan.kind() {
        return Err(Error::OtherDatabase {
            name: name(),
            found: found.as_str(),
            wanted: plan.kind().as_str(),
        });
    }
    if let Some(to) = plan.to.filter(|to| *to > plan.now) {
        return Err(Error::OutOfReach(format!("{to} is in the future (it is {} now, in UTC)", plan.now)));
    }
    if let (Some(to), Some(created)) = (plan.to, manifest.created())
        && to < created
    {
        return Err(Error::OutOfReach(format!(
            "{} was made at {created}, after {to}: choose an older backup",
            plan.backup
        )));
    }
    Ok(manifest)
}
