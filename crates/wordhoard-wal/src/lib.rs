//! A durable append log: bytes in, positions out.
//!
//! [`Wal::append`] queues a record and gives its [`Position`]; one writer thread takes all that is queued, writes
//! it as one batch, syncs it once, and only then moves the durable mark. What lies below that mark survives
//! `kill -9` and power loss; readers see nothing above it. A failed write or fsync latches the log: it
//! acknowledges nothing more until [`Wal::reopen`] has verified what is on disk and made a fresh segment.
//!
//! The bytes on disk are described in `docs/storage-format.md`, the reasons in
//! `docs/decisions/0002-own-write-ahead-log.md`.

mod active;
mod archive;
mod catalog;
mod cursor;
pub mod disk;
mod error;
mod format;
mod index;
pub mod inspect;
mod lock;
mod options;
mod position;
mod progress;
mod queue;
mod reader;
mod recovery;
mod reserve;
mod scan;
mod shared;
mod usage;
mod wal;
mod writer;

pub use archive::{Archive, Archived};
pub use disk::{Disk, DiskFile, OsDisk};
#[cfg(feature = "fault-disk")]
pub use disk::{FaultDisk, FaultPoint, Loss};
pub use error::{AppendError, Fault, OpenError, Operation, ReadError, ReleaseError};
pub use format::MAX_RECORD_SIZE_BYTES;
pub use lock::{DirLock, LockError};
pub use options::{Options, SyncPolicy};
pub use position::{LogId, Position};
pub use progress::{Progress, State};
pub use reader::{Reader, Record};
pub use recovery::{Damage, DamageKind, Recovery};
pub use usage::{COMMIT_BOUNDS_MICROS, CommitStats, Released, SegmentInfo, Usage};
pub use wal::Wal;
