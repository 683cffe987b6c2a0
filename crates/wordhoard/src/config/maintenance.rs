//! What the server does for its own upkeep: retention, backups, the archive of the log.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Schedule;

/// How long things are kept, and when what is older goes.
#[derive(Clone, Debug)]
pub struct RetentionConfig {
    /// Requests older than so many days are removed.
    pub days: u32,
    /// When.
    pub schedule: Schedule,
}

/// Backups.
#[derive(Clone, Debug)]
pub struct BackupConfig {
    /// Where they are kept.
    pub dir: PathBuf,
    /// When one is made by itself.
    pub schedule: Schedule,
    /// Backups older than so many days are removed, but never the newest good one.
    pub retention_days: u32,
    /// The key that authenticates manifests.
    pub key: BackupKeySource,
    /// The folder with `pg_dump` and `pg_restore`; found by itself if none.
    pub pg_bin_dir: Option<PathBuf>,
    /// Where they go besides.
    pub s3: Option<S3Config>,
}

/// Where the key of the backups comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum BackupKeySource {
    /// Given, from the environment.
    Given(String),
    /// In this file, which is made with a random key where there is none.
    File(PathBuf),
}

impl fmt::Debug for BackupKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// An object store of the S3 kind.
#[derive(Clone)]
pub struct S3Config {
    /// Its bucket.
    pub bucket: String,
    /// What the names of our objects begin with; empty, or with a slash at its end.
    pub prefix: String,
    /// Its URL, for those that are not Amazon's.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// The id of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// Whether it may be reached without TLS.
    pub allow_http: bool,
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, prefix, endpoint, region, allow_http, .. } = self;
        f.debug_struct("S3Config")
            .field("bucket", bucket)
            .field("prefix", prefix)
            .field("endpoint", endpoint)
            .field("region", region)
            .field("allow_http", allow_http)
            .finish_non_exhaustive()
    }
}

/// The archive of the log, from which the database can be brought to any moment since the oldest backup.
#[derive(Clone, Debug)]
pub struct ArchiveConfig {
    /// Where it lies; each log has a folder of its own in it, so servers may share it.
    pub dir: PathBuf,
    /// How far it is behind the log at most.
    pub interval: Duration,
}
