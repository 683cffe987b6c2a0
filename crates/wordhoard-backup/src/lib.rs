//! Backups of the database, the archive of the log, and restoring from both, to the moment of the backup or to a
//! later one.
//!
//! It knows no HTTP and no configuration file. What it reads from outside (manifests, archives, object stores) is
//! checked before any other tool sees a byte of it.

mod key;
mod remote;

pub use key::{BackupKey, KeyError};
pub use remote::{
    ArchiveMirror, ArchivePulled, ArchivePushed, BackupPushed, Remote, RemoteBackup, RemoteError,
    RemoteLimits, RemoteObject, RemoteSettings, Stored,
};
