use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use crate::{
    AppendError, Fault, Position, SyncPolicy,
    format::{Chunk, MAX_RECORD_SIZE_BYTES, RECORD_HEADER_SIZE},
};

/// Buffers kept for use again: one in the writer's hands, one being filled, one between the two.
const KEPT_BUFFERS: usize = 3;

/// What the writer does next.
pub(crate) enum Work {
    /// Write and sync this batch, in a fresh segment if asked.
    Batch { chunk: Chunk, rotate: bool },
    /// All that was queued is durable, and nothing more will come.
    Drained,
    /// The log was dropped; leave what is queued.
    Abandoned,
}

#[derive(Debug)]
enum Admission {
    Open,
    Draining,
    Abandoned,
    Latched(Arc<Fault>),
}

/// Records given a position and not yet durable. Every append encodes straight into the batch in the making.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    work: Condvar,
    batch_limit_bytes: usize,
    policy: SyncPolicy,
}

#[derive(Debug)]
struct Inner {
    chunks: VecDeque<Chunk>,
    spare_buffers: Vec<Vec<u8>>,
    next: Position,
    /// Bytes of all records not yet durable, those in the writer's hands included.
    pending_bytes: usize,
    admission: Admission,
    rotate: bool,
}

impl Queue {
    pub(crate) fn new(next: Position, batch_limit_bytes: usize, policy: SyncPolicy) -> Self {
        let inner = Inner {
            chunks: VecDeque::new(),
            spare_buffers: Vec::new(),
            next,
            pending_bytes: 0,
            admission: Admission::Open,
            rotate: false,
        };
        Self { inner: Mutex::new(inner), work: Condvar::new(), batch_limit_bytes, policy }
    }

    pub(crate) fn append(&self, kind: u8, version: u8, payload: &[u8]) -> Result<Position, AppendError> {
        if payload.len() > MAX_RECORD_SIZE_BYTES {
            return Err(AppendError::TooLarge { size_bytes: payload.len() });
        }
        let mut inner = self.inner.lock();
        inner.admission.check()?;
        let size = RECORD_HEADER_SIZE + payload.len();
        let position = inner.next;
        let fits = |chunk: &Chunk| chunk.payload_size() + size <= self.batch_limit_bytes;
        if !inner.chunks.back().is_some_and(fits) {
            let buffer = inner.spare_buffers.pop().unwrap_or_default();
            inner.chunks.push_back(Chunk::new(buffer, position));
        }
        if let Some(chunk) = inner.chunks.back_mut() {
            chunk.push(kind, version, payload);
        }
        inner.next = position.plus(1);
        inner.pending_bytes += size;
        drop(inner);
        self.work.notify_one();
        Ok(position)
    }

    pub(crate) fn pending_bytes(&self) -> Result<usize, AppendError> {
        let inner = self.inner.lock();
        inner.admission.check()?;
        Ok(inner.pending_bytes)
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.inner.lock().admission, Admission::Draining | Admission::Abandoned)
    }

    /// Exclusive end of the positions given out.
    pub(crate) fn queued(&self) -> Position {
        self.inner.lock().next
    }

    /// Waits for the next batch. Called by the writer only.
    pub(crate) fn take(&self) -> Work {
        let mut inner = self.inner.lock();
        loop {
            if matches!(inner.admission, Admission::Abandoned) {
                return Work::Abandoned;
            }
            let draining = matches!(inner.admission, Admission::Draining);
            match inner.wait(self.policy, draining) {
                Wait::Ready => {
                    if let Some(chunk) = inner.chunks.pop_front() {
                        let rotate = std::mem::take(&mut inner.rotate);
                        return Work::Batch { chunk, rotate };
                    }
                }
                Wait::Until(deadline) => {
                    self.work.wait_until(&mut inner, deadline);
                }
                Wait::ForAppend if draining => return Work::Drained,
                Wait::ForAppend => self.work.wait(&mut inner),
            }
        }
    }

    /// Takes a batch off the books once it is durable, and its buffer back.
    pub(crate) fn settle(&self, payload_size: usize, chunk: Chunk) {
        let buffer = chunk.into_buffer();
        // A buffer grows by doubling, so a full batch may have twice its size; one that a huge record made goes.
        let mut inner = self.inner.lock();
        inner.pending_bytes = inner.pending_bytes.saturating_sub(payload_size);
        if inner.spare_buffers.len() < KEPT_BUFFERS && buffer.capacity() <= 2 * self.batch_limit_bytes {
            inner.spare_buffers.push(buffer);
        }
    }

    pub(crate) fn request_rotation(&self) {
        self.inner.lock().rotate = true;
    }

    /// Refuses further records; the writer finishes those that are queued.
    pub(crate) fn drain(&self) {
        self.stop(Admission::Draining);
    }

    /// Refuses further records; the writer stops after the batch in its hands.
    pub(crate) fn abandon(&self) {
        self.stop(Admission::Abandoned);
    }

    fn stop(&self, admission: Admission) {
        self.inner.lock().admission = admission;
        self.work.notify_all();
    }

    /// Forgets what is queued and refuses further records.
    pub(crate) fn latch(&self, fault: Arc<Fault>) {
        let mut inner = self.inner.lock();
        inner.chunks.clear();
        inner.pending_bytes = 0;
        // Closed stays closed: whoever closes must not find the log open to a reopening.
        if matches!(inner.admission, Admission::Open) {
            inner.admission = Admission::Latched(fault);
        }
    }

    /// Takes records again, the next one at `next`.
    pub(crate) fn unlatch(&self, next: Position) {
        let mut inner = self.inner.lock();
        inner.next = next;
        inner.rotate = false;
        if matches!(inner.admission, Admission::Latched(_)) {
            inner.admission = Admission::Open;
        }
    }
}

impl Admission {
    fn check(&self) -> Result<(), AppendError> {
        match self {
            Self::Open => Ok(()),
            Self::Draining | Self::Abandoned => Err(AppendError::Closed),
            Self::Latched(fault) => Err(AppendError::Latched(Arc::clone(fault))),
        }
    }
}

enum Wait {
    Ready,
    Until(Instant),
    ForAppend,
}

impl Inner {
    fn wait(&self, policy: SyncPolicy, draining: bool) -> Wait {
        let Some(oldest) = self.chunks.front() else {
            return Wait::ForAppend;
        };
        let full = self.chunks.len() > 1;
        match policy {
            SyncPolicy::Grouped { records, max_delay } if !full && !draining && oldest.records < records => {
                let deadline = oldest.since.checked_add(max_delay.min(Duration::from_secs(3600)));
                deadline.filter(|deadline| *deadline > Instant::now()).map_or(Wait::Ready, Wait::Until)
            }
            _ => Wait::Ready,
        }
    }
}
