use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    AppendError, CommitStats, Fault, LogId, Options, Position, Progress, State,
    catalog::Catalog,
    disk::Disk,
    progress::{Marks, OutOfOrder},
    queue::Queue,
    reserve::Reserve,
};

/// What the writer, the readers and the callers of a log have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: Options,
    pub(crate) log_id: LogId,
    pub(crate) queue: Queue,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) marks: Mutex<Marks>,
    pub(crate) stats: Mutex<CommitStats>,
    pub(crate) reserve: Reserve,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) last_fault: Mutex<Option<Arc<Fault>>>,
}

impl Shared {
    pub(crate) fn durable(&self) -> Position {
        self.marks.lock().durable()
    }

    /// Tells that all that is written is durable now.
    pub(crate) fn publish_durable(&self) -> Result<(), OutOfOrder> {
        let durable = {
            let mut marks = self.marks.lock();
            marks.advance_durable()?;
            marks.durable()
        };
        self.progress.send_modify(|progress| progress.durable = durable);
        Ok(())
    }

    /// Stops the log: nothing that is not durable by now will ever be acknowledged.
    pub(crate) fn latch(&self, fault: Fault) {
        tracing::error!(error = %fault, durable = self.durable().0, "the log is latched");
        let fault = Arc::new(fault);
        self.marks.lock().withdraw_written();
        self.queue.latch(Arc::clone(&fault));
        *self.last_fault.lock() = Some(Arc::clone(&fault));
        self.progress.send_modify(|progress| progress.state = State::Latched(fault));
    }

    /// Why records of an earlier epoch were lost.
    pub(crate) fn last_fault(&self) -> AppendError {
        self.last_fault.lock().clone().map_or(AppendError::Closed, AppendError::Latched)
    }

    pub(crate) fn publish_closed(&self) {
        self.progress.send_modify(|progress| {
            if matches!(progress.state, State::Open) {
                progress.state = State::Closed;
            }
        });
    }
}
