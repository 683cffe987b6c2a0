//! What a backup says of itself. Its bytes are authenticated as they lie in the file, and read only after that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wordhoard_model::Timestamp;
use wordhoard_store::{Census, DatabaseKind, LogKey};

use crate::BackupName;

/// The format that is written today.
const FORMAT: u32 = 1;

/// A backup, described.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this format.
    pub format: u32,
    /// The name of the backup, which is that of its folder.
    pub name: String,
    /// When the copy was begun.
    pub created_at: String,
    /// The version of the server that made it.
    pub server_version: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// The version of the schema.
    pub schema_version: u32,
    /// The size of the database.
    pub database_bytes: u64,
    /// How many rows there are.
    pub rows: Rows,
    /// How far each log was applied, by its id in hexadecimal: from there on its archive goes on.
    pub positions: BTreeMap<String, u64>,
    /// The files besides the manifest.
    pub files: Vec<FileEntry>,
}

/// How many rows a backup has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// Of `llm_requests`.
    pub llm_requests: u64,
    /// Of `llm_attempts`.
    pub llm_attempts: u64,
    /// Of `llm_token_log`.
    pub llm_token_log: u64,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name in the folder.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    pub(crate) fn new(
        name: &BackupName,
        created_at: Timestamp,
        kind: DatabaseKind,
        census: &Census,
        files: Vec<FileEntry>,
    ) -> Self {
        Self {
            format: FORMAT,
            name: name.to_string(),
            created_at: created_at.to_string(),
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            database: kind.as_str().to_owned(),
            schema_version: census.schema_version,
            database_bytes: 0,
            rows: Rows::of(census),
            positions: positions(census),
            files,
        }
    }

    /// Reads a manifest whose bytes are known to be ours.
    pub(crate) fn parse(bytes: &[u8], name: &BackupName) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.format != FORMAT {
            return Err(format!("its format is {}; this server knows {FORMAT}", manifest.format));
        }
        if manifest.name != name.as_str() {
            return Err(format!("its manifest is that of {}", manifest.name));
        }
        manifest.kind()?;
        let expected = manifest.database_file()?;
        if manifest.files.iter().any(|file| file.name != expected) || manifest.files.len() != 1 {
            return Err("its manifest names other files than a backup has".into());
        }
        Ok(manifest)
    }

    /// Which product the copy is of.
    pub(crate) fn kind(&self) -> Result<DatabaseKind, String> {
        DatabaseKind::from_name(&self.database).ok_or_else(|| format!("{:?} is no database", self.database))
    }

    pub(crate) fn database_file(&self) -> Result<&'static str, String> {
        Ok(database_file(self.kind()?))
    }

    /// When it was made, in milliseconds since 1970.
    pub(crate) fn created(&self) -> Option<Timestamp> {
        self.created_at.parse().ok()
    }

    /// What differs from what a database holds; nothing where it holds what the manifest says.
    pub(crate) fn difference(&self, census: &Census) -> Option<String> {
        let (rows, found) = (self.rows, Rows::of(census));
        if rows != found {
            return Some(format!("it should have {rows:?} and has {found:?}"));
        }
        (self.positions != positions(census)).then(|| "the positions of its logs differ".to_owned())
    }
}

/// The name of the copy in the folder of a backup.
pub(crate) fn database_file(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Sqlite => "database.sqlite.zst",
        DatabaseKind::Postgres => "database.dump",
    }
}

fn positions(census: &Census) -> BTreeMap<String, u64> {
    census.positions.iter().map(|(log, applied)| (format!("{log:?}"), *applied)).collect()
}

/// The id of a log, from its hexadecimal digits.
pub(crate) fn log_key(text: &str) -> Option<LogKey> {
    let number =
        u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32 && !text.starts_with('+'))?;
    Some(LogKey(number.to_be_bytes()))
}

impl Rows {
    fn of(census: &Census) -> Self {
        Self { llm_requests: census.requests, llm_attempts: census.attempts, llm_token_log: census.tokens }
    }
}
