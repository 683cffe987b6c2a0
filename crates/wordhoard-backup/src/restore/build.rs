//! Where a restored database is built.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use wordhoard_store::{PostgresPlace, PostgresStore, SqliteStore, Store};
use wordhoard_wal::disk::sync_directory;

use super::Plan;
use crate::error::At;
use crate::swap::{STAGED_SUFFIX, Staged, Target, staged_file, with_suffix};
use crate::{Error, Manifest, files};

/// What the mark of a restored database begins with.
const MARK: &str = "wordhoard restore ";
/// Bytes of a database's name that are kept in the names of its neighbours, which PostgreSQL cuts at 63.
const KEPT_NAME_BYTES: usize = 36;

/// Where one restore builds.
#[derive(Debug)]
pub(super) enum Site {
    /// Beside the database file.
    Sqlite { id: String, file: PathBuf },
    /// On the same server.
    Postgres { id: String, place: PostgresPlace, database: String, mark: String },
}

impl Site {
    pub(super) fn new(plan: &Plan, id: &str) -> Result<Self, Error> {
        let id = id.to_owned();
        Ok(match &plan.target {
            Target::Sqlite(database) => Self::Sqlite { file: staged_file(database, &id), id },
            Target::Postgres(url) => {
                let place = PostgresPlace::new(url)?;
                let database = format!("{}{id}", staged_prefix(place.database()));
                let mark = format!("{MARK}{id}{}", mark_end(&plan.data_dir)?);
                Self::Postgres { database, mark, id, place }
            }
        })
    }

    pub(super) fn id(&self) -> &str {
        match self {
            Self::Sqlite { id, .. } | Self::Postgres { id, .. } => id,
        }
    }

    pub(super) fn staged(&self) -> Result<Staged, Error> {
        Ok(match self {
            Self::Sqlite { file, .. } => Staged::Sqlite {
                file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                inode: fs::symlink_metadata(file).at(file)?.ino(),
            },
            Self::Postgres { id, place, database, mark } => Staged::Postgres {
                database: database.clone(),
                aside: format!("{}_before_{id}", kept(place.database())),
                mark: mark.clone(),
            },
        })
    }

    /// Builds the database as the backup has it, and opens it.
    pub(super) async fn build(
        &self,
        backup: &Path,
        manifest: &Manifest,
        plan: &Plan,
    ) -> Result<Box<dyn Store>, Error> {
        let not_trusted = |problem| Error::NotTrusted { name: manifest.name.clone(), problem };
        let source = backup.join(manifest.database_file().map_err(not_trusted)?);
        match self {
            Self::Sqlite { file, .. } => {
                let to = file.clone();
                let unpacking = tokio::task::spawn_blocking(move || unpack(&source, &to));
                unpacking.await.map_err(|_| Error::BrokenOff)??;
                Ok(Box::new(SqliteStore::new(file)?))
            }
            Self::Postgres { place, database, mark, .. } => {
                place.create(database, mark).await?;
                place.fill(database, &source, plan.pg_bin_dir.as_deref()).await?;
                Ok(Box::new(PostgresStore::new(&place.url_of(database))?))
            }
        }
    }

    /// What is built in a file survives a loss of power from here on.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let Self::Sqlite { file, .. } = self else { return Ok(()) };
        let log = with_suffix(file, "-wal");
        if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            return Err(io::Error::other("SQLite could not move its log into the file")).at(&log);
        }
        File::open(file).and_then(|file| file.sync_all()).at(file)?;
        let folder = folder_of(file);
        sync_directory(folder).at(folder)
    }

    /// Removes what was built, after it has failed.
    pub(super) async fn clear(&self) {
        let cleared = match self {
            Self::Sqlite { file, .. } => remove_files(file),
            Self::Postgres { place, database, .. } => place.drop(database).await.map_err(Error::from),
        };
        if let Err(error) = cleared {
            tracing::warn!(%error, "what was built for a restore could not be removed; the next one does it");
        }
    }
}

/// Removes what earlier restores were building when they were broken off. What a finished one has replaced stays.
pub(super) async fn remove_leftovers(plan: &Plan) -> Result<(), Error> {
    match &plan.target {
        Target::Sqlite(database) => {
            let folder = folder_of(database);
            fs::create_dir_all(folder).at(folder)?;
            let name = with_suffix(Path::new(database.file_name().unwrap_or_default()), STAGED_SUFFIX);
            for entry in fs::read_dir(folder).at(folder)? {
                let entry = entry.at(folder)?;
                if entry.file_name().to_string_lossy().starts_with(&*name.to_string_lossy()) {
                    fs::remove_file(entry.path()).at(&entry.path())?;
                }
            }
        }
        Target::Postgres(url) => {
            let place = PostgresPlace::new(url)?;
            let end = mark_end(&plan.data_dir)?;
            let ours = place.marked_as(MARK, &end).await?;
            // Only those of this data directory: another server may be about to put its own in place.
            for database in ours.iter().filter(|name| name.starts_with(&staged_prefix(place.database()))) {
                place.drop(database).await?;
            }
        }
    }
    Ok(())
}

fn remove_files(file: &Path) -> Result<(), Error> {
    for suffix in ["-wal", "-shm", "-journal", ""] {
        let path = with_suffix(file, suffix);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).at(&path),
            _ => {}
        }
    }
    Ok(())
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What the mark of a restored database ends in: which data directory will put it in place.
fn mark_end(data_dir: &Path) -> Result<String, Error> {
    let dir = fs::canonicalize(data_dir).at(data_dir)?;
    let host = rustix::system::uname();
    Ok(format!(" of {} on {}", dir.display(), host.nodename().to_string_lossy()))
}

/// What the names of databases that are being restored begin with.
fn staged_prefix(database: &str) -> String {
    format!("{}_restore_", kept(database))
}

fn kept(database: &str) -> &str {
    let end = (0..=KEPT_NAME_BYTES.min(database.len())).rev().find(|end| database.is_char_boundary(*end));
    &database[..end.unwrap_or(0)]
}

fn unpack(from: &Path, to: &Path) -> Result<(), Error> {
    let work = || {
        let mut decoder = zstd::Decoder::new(files::open_plain(from)?)?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(to)?;
        io::copy(&mut decoder, &mut file)?;
        file.sync_all()
    };
    work().at(to)
}
