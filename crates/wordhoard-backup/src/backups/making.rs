//! Making one: aside, synced, verified, and only then under its name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use wordhoard_model::Timestamp;
use wordhoard_store::{Census, DatabaseKind, ExportPlan, Store};
use wordhoard_wal::DirLock;
use wordhoard_wal::disk::{rename_durably, sync_directory};

use super::{Backups, MANIFEST, MANIFEST_CODE, UNFINISHED};
use crate::error::At;
use crate::manifest::database_file;
use crate::{BackupName, Error, FileEntry, Manifest, files};

/// Held by whoever makes one.
const LOCK: &str = ".lock";
/// How hard copies of SQLite are compressed. More costs a lot and saves little.
const ZSTD_LEVEL: i32 = 3;

/// How a backup is made.
#[derive(Clone, Debug)]
pub struct Making {
    /// The time now.
    pub now: Timestamp,
    /// The folder of PostgreSQL's programs, if it is given.
    pub pg_bin_dir: Option<PathBuf>,
    /// Bytes that must be free on the disk of the backups: it may be that of the log, too.
    pub min_free_bytes: u64,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The database is being copied.
    Copying {
        /// Bytes so far.
        done_bytes: u64,
        /// Bytes in all, where that is known.
        all_bytes: Option<u64>,
    },
    /// The copy is being compressed.
    Compressing,
    /// What was written is being read again.
    Verifying,
}

impl Backups {
    /// Makes a backup of the database as it is now, while others go on writing it. When this returns, the backup is on
    /// disk, was read back, and is in the list. Only one is made in a folder at a time.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn make(
        &self,
        store: &dyn Store,
        making: &Making,
        progress: &(dyn Fn(Phase) + Send + Sync),
    ) -> Result<Manifest, Error> {
        files::make_private_dir(&self.dir)?;
        let _alone = DirLock::acquire(&self.dir.join(LOCK)).map_err(|held| Error::Busy(held.to_string()))?;
        self.remove_unfinished()?;
        // What pg_dump writes is compressed at once, and how well is not known before.
        let copy_bytes = match store.kind() {
            DatabaseKind::Sqlite => store.size_bytes().await?,
            DatabaseKind::Postgres => 0,
        };
        files::ensure_space(&self.dir, copy_bytes.saturating_add(making.min_free_bytes))?;
        let name = BackupName::new(making.now).at(&self.dir)?;
        let aside = self.dir.join(format!("{UNFINISHED}{name}"));
        files::make_private_dir(&aside)?;
        let made = self.fill(store, making, &name, &aside, progress).await;
        if made.is_err()
            && let Err(error) = fs::remove_dir_all(&aside)
        {
            tracing::warn!(%error, dir = %aside.display(), "an unfinished backup could not be removed");
        }
        made
    }

    async fn fill(
        &self,
        store: &dyn Store,
        making: &Making,
        name: &BackupName,
        aside: &Path,
        progress: &(dyn Fn(Phase) + Send + Sync),
    ) -> Result<Manifest, Error> {
        let kind = store.kind();
        let file = match kind {
            DatabaseKind::Sqlite => aside.join("database.sqlite"),
            DatabaseKind::Postgres => aside.join(database_file(kind)),
        };
        let plan = ExportPlan { file: file.clone(), bin_dir: making.pg_bin_dir.clone() };
        let copying = |done_bytes, all_bytes| progress(Phase::Copying { done_bytes, all_bytes });
        let database_bytes = store.size_bytes().await?;
        let census = store.export(&plan, &copying).await?;
        if kind == DatabaseKind::Sqlite {
            progress(Phase::Compressing);
        }
        let (backups, name, aside, now) = (self.clone(), name.clone(), aside.to_owned(), making.now);
        let work = tokio::task::spawn_blocking(move || {
            if kind == DatabaseKind::Sqlite {
                compress(&file, &aside.join(database_file(kind)))?;
            }
            backups.describe(&name, &aside, now, (kind, database_bytes), &census)?;
            Ok::<_, Error>((name, aside))
        });
        let (name, aside) = work.await.map_err(|_| Error::BrokenOff)??;
        progress(Phase::Verifying);
        let backups = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            // Before it has its name: what cannot be read back must not stand in the list.
            let manifest = backups.verify_at(&aside, &name)?;
            if kind == DatabaseKind::Sqlite {
                unpacks(&aside.join(database_file(kind)))?;
            }
            rename_durably(&aside, &backups.path(&name)).at(&aside)?;
            Ok(manifest)
        });
        work.await.map_err(|_| Error::BrokenOff)?
    }

    fn describe(
        &self,
        name: &BackupName,
        aside: &Path,
        now: Timestamp,
        (kind, database_bytes): (DatabaseKind, u64),
        census: &Census,
    ) -> Result<(), Error> {
        let file = database_file(kind);
        let path = aside.join(file);
        let (size_bytes, sha256) = files::open_plain(&path).and_then(files::digest).at(&path)?;
        let entry = FileEntry { name: file.to_owned(), size_bytes, sha256 };
        let manifest = Manifest { database_bytes, ..Manifest::new(name, now, kind, census, vec![entry]) };
        let text = serde_json::to_vec_pretty(&manifest).map_err(io::Error::other).at(aside)?;
        files::write_new(&aside.join(MANIFEST_CODE), format!("{}\n", self.key.sign(&text)).as_bytes())?;
        files::write_new(&aside.join(MANIFEST), &text)?;
        sync_directory(aside).at(aside)
    }
}

/// Reads a compressed file to its end; its checksum is at the end.
fn unpacks(path: &Path) -> Result<(), Error> {
    let mut decoder = files::open_plain(path).and_then(zstd::Decoder::new).at(path)?;
    io::copy(&mut decoder, &mut io::sink()).map(drop).at(path)
}

/// Compresses a file and removes it.
fn compress(from: &Path, to: &Path) -> Result<(), Error> {
    let work = || {
        let (mut source, target) = (File::open(from)?, File::create(to)?);
        let mut encoder = zstd::Encoder::new(target, ZSTD_LEVEL)?;
        encoder.include_checksum(true)?;
        io::copy(&mut source, &mut encoder)?;
        encoder.finish()?.sync_all()
    };
    work().at(to)?;
    fs::remove_file(from).at(from)
}
