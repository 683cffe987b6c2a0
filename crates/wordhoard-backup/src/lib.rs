//! Backups of the database, the archive of the log, and restoring from both, to the moment of the backup or to a
//! later one.
//!
//! [`Backups`] is a folder of backups: it makes, lists, verifies and expires them. [`restore`] builds a database from
//! one beside the one that is used, [`swap`] puts it in its place. It knows no HTTP and no configuration file. What it
//! reads from outside (manifests, archives, object stores) is checked before any other tool sees a byte of it.

mod archive;
mod backups;
mod error;
mod fence;
mod files;
mod key;
mod manifest;
mod name;
mod random_id;
mod remote;
pub mod restore;
pub mod swap;

pub use archive::expire_archive;
pub use backups::{Backups, Listed, Making, Phase};
pub use error::Error;
pub use fence::{FILE as FENCE_FILE, fenced_logs};
pub use key::{BackupKey, KeyError};
pub use manifest::{FileEntry, Manifest, Rows};
pub use name::BackupName;
pub use remote::{
    ArchiveMirror, ArchivePulled, ArchivePushed, BackupPushed, Remote, RemoteBackup, RemoteError,
    RemoteLimits, RemoteObject, RemoteSettings, Stored,
};
