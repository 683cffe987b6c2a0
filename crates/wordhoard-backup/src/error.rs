use std::io;
use std::path::{Path, PathBuf};

use wordhoard_engine::replay::ReplayError;

/// Why a backup could not be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no name of a backup.
    #[error("{0:?} is no name of a backup, which looks like wordhoard-20261125T030000Z-1f2e3d4c")]
    BadName(String),
    /// There is no such backup.
    #[error("there is no backup {0}")]
    NoSuchBackup(String),
    /// It is not what was made: it must not be restored. The database has not been touched.
    #[error("the backup {name} cannot be trusted: {problem}")]
    NotTrusted {
        /// Which one.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It is of another product than the database that is configured.
    #[error("the backup {name} is of {found}, and the database is {wanted}")]
    OtherDatabase {
        /// Which one.
        name: String,
        /// The product of the backup.
        found: &'static str,
        /// The product that is configured.
        wanted: &'static str,
    },
    /// What was restored is not what the manifest says. The database that is used has not been touched.
    #[error("what was restored from {name} is not what its manifest says: {problem}")]
    NotAsCounted {
        /// Which one.
        name: String,
        /// What differs.
        problem: String,
    },
    /// The moment that was asked for cannot be reached from this backup.
    #[error("{0}")]
    OutOfReach(String),
    /// Somebody makes a backup in this folder just now.
    #[error("another backup is being made: {0}")]
    Busy(String),
    /// The object store failed.
    #[error("the object store: {0}")]
    Remote(crate::RemoteError),
    /// Another restore is not finished.
    #[error("a restore was begun and is not finished: start the server, which finishes it")]
    Pending,
    /// There is too little space.
    #[error("{free_bytes} bytes are free where {needed_bytes} are needed: {path}")]
    NoSpace {
        /// Where.
        path: PathBuf,
        /// What is free.
        free_bytes: u64,
        /// What is needed.
        needed_bytes: u64,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] wordhoard_store::Error),
    /// The log could not be replayed.
    #[error("the log cannot be replayed: {0}")]
    Replay(ReplayError),
    /// A file failed.
    #[error("{path}: {reason}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A task beside the async threads was lost.
    #[error("the work was broken off")]
    BrokenOff,
}

// By hand, since their words are in ours: as sources they would be told twice.
impl From<ReplayError> for Error {
    fn from(error: ReplayError) -> Self {
        Self::Replay(error)
    }
}

impl From<crate::RemoteError> for Error {
    fn from(error: crate::RemoteError) -> Self {
        Self::Remote(error)
    }
}

impl Error {
    /// Whether a client is at fault who named what cannot be restored.
    #[must_use]
    pub fn is_of_the_backup(&self) -> bool {
        matches!(
            self,
            Self::NotTrusted { .. }
                | Self::OtherDatabase { .. }
                | Self::NotAsCounted { .. }
                | Self::OutOfReach(_)
        )
    }
}

/// Names the file in which an I/O error arose.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|reason| Error::File { path: path.to_owned(), reason })
    }
}
