mod open;
mod release;

use std::{
    future::Future,
    sync::Arc,
    thread::{self, JoinHandle},
};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    AppendError, Archive, Archived, CommitStats, Fault, LogId, OpenError, Options, Position, Progress,
    ReadError, Reader, Recovery, ReleaseError, Released, SegmentInfo, State, Usage, archive, disk::Disk,
    shared::Shared, writer::Writer,
};

/// A log, open for writing. Cloning gives another handle to the same one.
///
/// Dropping the last handle without [`close`](Wal::close) is like a crash: what was acknowledged stays, what was
/// queued may be lost. It waits for the fdatasync in flight.
#[derive(Clone, Debug)]
pub struct Wal {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Held by whatever changes the set of segments from outside the writer: release, reopen, close.
    maintenance: Mutex<()>,
}

impl Wal {
    /// Opens the log on a disk, or makes one where there is none. Blocks: it reads the whole log and verifies it.
    ///
    /// The caller sees to it that no other process has the same directory open: see [`DirLock`](crate::DirLock).
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<(Self, Recovery), OpenError> {
        let (shared, writer, recovery) = open::open(disk, options.within_bounds())?;
        let writer = Mutex::new(Some(spawn(writer)?));
        Ok((Self { handle: Arc::new(Handle { shared, writer, maintenance: Mutex::new(()) }) }, recovery))
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Identity of this log.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.shared().log_id
    }

    /// Queues one record; never waits for the disk. It is durable once `progress().durable` is past the position
    /// given.
    ///
    /// Never refuses for fullness: a producer that may be fast awaits [`has_room`](Wal::has_room) first.
    pub fn append(&self, kind: u8, version: u8, payload: &[u8]) -> Result<Position, AppendError> {
        self.shared().queue.append(kind, version, payload)
    }

    /// Waits until less than `queue_limit_bytes` are queued or being written.
    pub async fn has_room(&self) -> Result<(), AppendError> {
        let shared = self.shared();
        if shared.queue.pending_bytes()? < shared.options.queue_limit_bytes {
            return Ok(());
        }
        let mut progress = shared.progress.subscribe();
        while shared.queue.pending_bytes()? >= shared.options.queue_limit_bytes {
            progress.changed().await.map_err(|_| AppendError::Closed)?;
        }
        Ok(())
    }

    /// Waits until the record at `position` is durable.
    ///
    /// Bound to the epoch in which it is *called*: if the log is latched and reopened while it waits, it fails,
    /// also where the position has meanwhile been given to another record. So call it before
    /// [`reopen`](Wal::reopen) can be called; a position from before a reopening says nothing after it.
    pub fn durable(
        &self,
        position: Position,
    ) -> impl Future<Output = Result<(), AppendError>> + Send + use<> {
        let mut progress = self.shared().progress.subscribe();
        let epoch = progress.borrow().epoch;
        let shared = Arc::clone(&self.handle.shared);
        async move {
            let settled = |now: &Progress| {
                now.epoch != epoch || now.durable > position || !matches!(now.state, State::Open)
            };
            let now = progress.wait_for(settled).await.map_err(|_| AppendError::Closed)?.clone();
            if now.epoch == epoch && now.durable > position {
                return Ok(());
            }
            match now.state {
                State::Latched(fault) => Err(AppendError::Latched(fault)),
                State::Closed => Err(AppendError::Closed),
                State::Open => Err(shared.last_fault()),
            }
        }
    }

    /// How far the log is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.shared().progress.borrow().clone()
    }

    /// A watch on how far the log is; it changes once per commit.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.shared().progress.subscribe()
    }

    /// Exclusive end of the positions given out.
    #[must_use]
    pub fn queued(&self) -> Position {
        self.shared().queue.queued()
    }

    /// A reader of the durable records from `from` on.
    pub fn reader(&self, from: Position) -> Result<Reader, ReadError> {
        Reader::new(Arc::clone(&self.handle.shared), from)
    }

    /// Removes the segments all of whose records lie below the exclusive mark `through`, oldest first; never the
    /// current one. Blocks on the disk.
    pub fn release(&self, through: Position) -> Result<Released, ReleaseError> {
        let _maintenance = self.handle.maintenance.lock();
        release::release(self.shared(), through)
    }

    /// Mirrors into the archive what became durable since the last call. Blocks on both disks. Works on a closed log,
    /// too, so that the very end can follow.
    ///
    /// # Errors
    /// Where a file of either cannot be read or written. The call may be repeated.
    pub fn archive(&self, archive: &mut Archive) -> Result<Archived, Fault> {
        archive::archive(self.shared(), archive)
    }

    /// Asks for a fresh segment at the next batch. Without effect while the current one holds no record, or no
    /// space could be reserved.
    pub fn rotate(&self) {
        self.shared().queue.request_rotation();
    }

    /// Starts a latched log again: verifies on disk that everything acknowledged is still there and intact, and
    /// makes a fresh segment that starts at the durable end. What was queued or in flight at the fault is gone,
    /// and its positions are given out again. Blocks.
    ///
    /// On an error the log stays latched, and the call may be repeated.
    pub fn reopen(&self) -> Result<Recovery, OpenError> {
        let _maintenance = self.handle.maintenance.lock();
        if self.shared().queue.is_closed() {
            return Err(OpenError::Closed);
        }
        if !matches!(self.progress().state, State::Latched(_)) {
            return Err(OpenError::NotLatched);
        }
        self.handle.join_writer();
        let (writer, recovery) = open::reopen(&self.handle.shared)?;
        *self.handle.writer.lock() = Some(spawn(writer)?);
        open::resume(self.shared());
        Ok(recovery)
    }

    /// What the log holds on disk.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let shared = self.shared();
        let segments = shared.catalog.all();
        Usage {
            segments: segments.len(),
            size_bytes: segments.iter().map(|segment| segment.size_bytes()).sum::<u64>()
                + shared.reserve.size_bytes(),
            reserved: shared.reserve.is_reserved(),
            reserved_bytes: shared.catalog.unwritten_bytes() + shared.reserve.size_bytes(),
            free_bytes: shared.disk.free_bytes().unwrap_or(0),
            first: shared.catalog.first(),
        }
    }

    /// Asks for so many bytes to be reserved ahead, as far as one segment may have them. They are made in the background; where
    /// they cannot be, [`Usage::reserved`] says so.
    pub fn reserve(&self, bytes: u64) {
        let shared = self.shared();
        shared.reserve.ensure(bytes.saturating_sub(shared.catalog.unwritten_bytes()));
    }

    /// The segment files, ascending.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let segments = self.shared().catalog.all();
        let current = segments.len().saturating_sub(1);
        let info = |(at, segment): (usize, &Arc<crate::catalog::Segment>)| SegmentInfo {
            name: segment.name.clone(),
            first: segment.base,
            end: segment.end(),
            size_bytes: segment.size_bytes(),
            complete: at < current,
        };
        segments.iter().enumerate().map(info).collect()
    }

    /// Commits since the log was opened.
    #[must_use]
    pub fn commit_stats(&self) -> CommitStats {
        *self.shared().stats.lock()
    }

    /// Makes durable what is queued, seals the log and ends its threads. Idempotent. Blocks. Readers go on.
    pub fn close(&self) {
        let _maintenance = self.handle.maintenance.lock();
        self.shared().queue.drain();
        self.handle.join_writer();
        self.shared().reserve.stop();
    }
}

fn spawn(writer: Writer) -> Result<JoinHandle<()>, OpenError> {
    thread::Builder::new().name("wal-writer".into()).spawn(move || writer.run()).map_err(OpenError::Thread)
}

impl Handle {
    fn join_writer(&self) {
        if let Some(writer) = self.writer.lock().take()
            && writer.join().is_err()
        {
            tracing::error!("the thread that writes the log panicked");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.abandon();
        self.shared.reserve.stop();
        self.join_writer();
        self.shared.publish_closed();
    }
}
