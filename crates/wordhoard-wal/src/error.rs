use std::{fmt, io, ops::Range, sync::Arc};

use thiserror::Error;

use crate::{LogId, Position, format::MAX_RECORD_SIZE_BYTES};

/// What the log was doing when the disk failed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Listing the directory.
    List,
    /// Opening a file.
    Open,
    /// Making a file.
    Create,
    /// Reading a file.
    Read,
    /// Writing a file.
    Write,
    /// fsync or fdatasync of a file.
    Sync,
    /// Giving a file its final name.
    Rename,
    /// Removing a file.
    Remove,
    /// fsync of the directory.
    SyncDirectory,
    /// Keeping the marks in order: a mistake in this crate, treated like a failed disk.
    KeepOrder,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Open => "open",
            Self::Create => "create",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::SyncDirectory => "sync the directory of",
            Self::KeepOrder => "keep the marks in order in",
        })
    }
}

/// A failed operation of the disk. One in the write path latches the log: from then on nothing is acknowledged
/// and the file concerned is neither written nor synced again, until [`Wal::reopen`](crate::Wal::reopen).
#[derive(Debug, Error)]
#[error("cannot {operation} {file}: {source}")]
pub struct Fault {
    /// What was being done.
    pub operation: Operation,
    /// File name within the log's directory.
    pub file: String,
    /// The operating system's reason.
    pub source: io::Error,
}

impl Fault {
    pub(crate) fn new(operation: Operation, file: &str, source: io::Error) -> Self {
        Self { operation, file: file.to_owned(), source }
    }

    /// True if the cause is a full disk, a quota or the file size limit.
    #[must_use]
    pub fn is_out_of_space(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self.source.kind(), StorageFull | QuotaExceeded | FileTooLarge)
    }
}

/// Names the operation and the file in which an I/O error arose.
pub(crate) trait During<T> {
    fn during(self, operation: Operation, file: &str) -> Result<T, Fault>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, operation: Operation, file: &str) -> Result<T, Fault> {
        self.map_err(|source| Fault::new(operation, file, source))
    }
}

/// Why a log could not be opened or reopened. Nothing has been served from it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] Fault),
    /// Written by a later version of this program.
    #[error("{segment} has format version {version}, this program reads version 1")]
    Version {
        /// File name.
        segment: String,
        /// Version in its header.
        version: u32,
    },
    /// A segment of another log, or under another segment's name, lies in the directory.
    #[error("{segment} belongs to log {found} at position {base}, not here (log {expected})")]
    Foreign {
        /// File name.
        segment: String,
        /// Log id and base in its header.
        found: LogId,
        /// First position by its header.
        base: Position,
        /// Log id of the newest segment.
        expected: LogId,
    },
    /// [`Wal::reopen`](crate::Wal::reopen) found acknowledged records missing or altered; the log stays latched.
    #[error("acknowledged records {} to {} are no longer intact on disk", missing.start, missing.end)]
    Lost {
        /// The first range that is missing.
        missing: Range<Position>,
    },
    /// Only a latched log can be reopened.
    #[error("the log is not latched")]
    NotLatched,
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// A thread could not be started.
    #[error("cannot start a thread of the log: {0}")]
    Thread(io::Error),
    /// No random bytes for an id.
    #[error("no random bytes: {0}")]
    Random(io::Error),
}

/// Why a record was not, or may not be, durable.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// The record can never be stored; nothing was queued.
    #[error("record of {size_bytes} bytes is over the limit of {MAX_RECORD_SIZE_BYTES}")]
    TooLarge {
        /// Size of the payload.
        size_bytes: usize,
    },
    /// The disk failed. The record was not acknowledged; it may or may not be found after a crash, but not after
    /// [`Wal::reopen`](crate::Wal::reopen).
    #[error("the log is latched: {0}")]
    Latched(Arc<Fault>),
    /// The log was closed before the record became durable.
    #[error("the log is closed")]
    Closed,
}

/// Why records could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The records asked for were released.
    #[error("released; the first position still held is {first_available}")]
    Released {
        /// Where reading can start.
        first_available: Position,
    },
    /// These records are damaged on disk. The next call continues behind them.
    #[error("records {} to {} are damaged", missing.start, missing.end)]
    Damaged {
        /// What is lost; the end is exclusive.
        missing: Range<Position>,
    },
    /// The position asked for lies past the durable end: whoever asks has seen another, longer log.
    #[error("position {from} is past the durable end {durable}")]
    Ahead {
        /// Position asked for.
        from: Position,
        /// Exclusive end of what is durable.
        durable: Position,
    },
    /// The disk failed; the call may be repeated.
    #[error(transparent)]
    Disk(#[from] Fault),
}

/// Why segments were not released.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// The mark lies past what is durable.
    #[error("cannot release to {through}: durable only to {durable}")]
    NotDurable {
        /// Mark asked for.
        through: Position,
        /// Exclusive end of what is durable.
        durable: Position,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// The disk failed; what was removed before stays removed, the call may be repeated.
    #[error(transparent)]
    Disk(#[from] Fault),
}
