//! A copy of the whole database as it was at one moment, and what is in it.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::{Error, LogKey};

/// Which product a database is of. A copy of one cannot be put into the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatabaseKind {
    /// SQLite: the copy is a database file.
    Sqlite,
    /// PostgreSQL: the copy is an archive of `pg_dump`'s custom format.
    Postgres,
}

impl DatabaseKind {
    /// Its name in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// The counterpart of [`DatabaseKind::as_str`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sqlite, Self::Postgres].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What a database holds, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// The version of its schema.
    pub schema_version: u32,
    /// Rows of `llm_requests`.
    pub requests: u64,
    /// Rows of `llm_attempts`.
    pub attempts: u64,
    /// Rows of `llm_token_log`.
    pub tokens: u64,
    /// How far each log is applied, by log.
    pub positions: Vec<(LogKey, u64)>,
}

/// How a copy is made.
#[derive(Clone, Debug, Default)]
pub struct ExportPlan {
    /// A file that does not exist yet.
    pub file: PathBuf,
    /// The folder of PostgreSQL's programs; found by itself if none.
    pub bin_dir: Option<PathBuf>,
}

/// Told from time to time while a copy is made: bytes done, and bytes in all where that is known.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Send + Sync);

/// What backups need of a database.
#[async_trait]
pub trait Export {
    /// Which product it is.
    fn kind(&self) -> DatabaseKind;

    /// Its size on disk.
    async fn size_bytes(&self) -> Result<u64, Error>;

    /// What it holds now. Reads all tables, so it takes long where there is much.
    async fn census(&self) -> Result<Census, Error>;

    /// Copies the database as it is at one moment while others write, and tells what is in the copy. The file is
    /// synced; on an error there may be a part of it.
    async fn export(&self, plan: &ExportPlan, progress: Progress<'_>) -> Result<Census, Error>;
}

/// Where programs are, besides Debian's folders for each version.
const BIN_DIRS: [&str; 2] = ["/usr/local/bin", "/usr/bin"];

/// A program of PostgreSQL's: in the folder that is given, or else Debian's of that major version or its newest, or in
/// one of the usual places.
///
/// # Errors
/// Where there is none, with what to do.
pub(crate) fn program(name: &str, bin_dir: Option<&Path>, major: u32) -> Result<PathBuf, Error> {
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort_by_key(|dir| (version_of(dir) != Some(major), std::cmp::Reverse(version_of(dir))));
    // Debian's wrapper in /usr/bin takes the version of its own default cluster; the programs themselves do not guess.
    debian.extend(BIN_DIRS.map(PathBuf::from));
    let folders = bin_dir.map_or(debian, |given| vec![given.to_owned()]);
    folders.into_iter().map(|dir| dir.join(name)).find(|program| program.is_file()).ok_or_else(|| {
        Error::Unavailable(format!(
            "{name} was not found: install PostgreSQL's client programs (of the server's version or newer), or say where they are by backup.pg_bin_dir"
        ))
    })
}

/// The number in `/usr/lib/postgresql/15/bin`.
fn version_of(dir: &Path) -> Option<u32> {
    dir.parent()?.file_name()?.to_str()?.parse().ok()
}
