//! Makes the next segment ahead of need, so that a rotation costs one small write and a full disk is noticed
//! while the current segment still has room.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use crate::{
    disk::{Disk, DiskFile, write_zeros},
    error::{During, Fault, Operation},
};

pub(crate) const SPARE_NAME: &str = "spare.tmp";
/// Bytes zeroed between two syncs, so that the spare never piles up so much that a commit waits behind it.
const STRIDE_BYTES: u64 = 4 << 20;
/// Time until a spare that could not be made is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// A zero-filled file under [`SPARE_NAME`], durable but for its name.
#[derive(Debug)]
pub(crate) struct Spare {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) size_bytes: u64,
}

#[derive(Debug)]
enum Stock {
    Wanted {
        after_failure: bool,
    },
    Ready(Spare),
    /// Given out, but perhaps still under the spare's name: no new one is made until [`Reserve::refill`].
    Taken,
    Failed,
    Stopped,
}

#[derive(Debug)]
struct Shelf {
    stock: Mutex<Stock>,
    changed: Condvar,
}

/// The spare segment and the thread that makes it.
#[derive(Debug)]
pub(crate) struct Reserve {
    shelf: Arc<Shelf>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Reserve {
    pub(crate) fn start(disk: Arc<dyn Disk>, size_bytes: u64) -> io::Result<Self> {
        let shelf = Arc::new(Shelf {
            stock: Mutex::new(Stock::Wanted { after_failure: false }),
            changed: Condvar::new(),
        });
        let filler = Filler { shelf: Arc::clone(&shelf), disk, size_bytes };
        let thread = thread::Builder::new().name("wal-reserve".into()).spawn(move || filler.run())?;
        Ok(Self { shelf, thread: Mutex::new(Some(thread)) })
    }

    /// The spare, waiting for it while it is being made; `None` if it cannot be made at present.
    pub(crate) fn take(&self) -> Option<Spare> {
        let mut stock = self.shelf.stock.lock();
        while matches!(*stock, Stock::Wanted { .. }) {
            self.shelf.changed.wait(&mut stock);
        }
        match std::mem::replace(&mut *stock, Stock::Taken) {
            Stock::Ready(spare) => Some(spare),
            other => {
                *stock = other;
                None
            }
        }
    }

    /// Asks for a spare, after one was taken or could not be made.
    pub(crate) fn refill(&self) {
        let mut stock = self.shelf.stock.lock();
        if matches!(*stock, Stock::Taken | Stock::Failed) {
            *stock = Stock::Wanted { after_failure: matches!(*stock, Stock::Failed) };
            self.shelf.changed.notify_all();
        }
    }

    /// True unless space for the next segment is lacking.
    pub(crate) fn is_reserved(&self) -> bool {
        !matches!(*self.shelf.stock.lock(), Stock::Failed | Stock::Wanted { after_failure: true })
    }

    /// Size of the spare on disk.
    pub(crate) fn size_bytes(&self) -> u64 {
        match &*self.shelf.stock.lock() {
            Stock::Ready(spare) => spare.size_bytes,
            _ => 0,
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        *self.shelf.stock.lock() = Stock::Stopped;
        self.shelf.changed.notify_all();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that reserves segments panicked");
        }
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Filler {
    shelf: Arc<Shelf>,
    disk: Arc<dyn Disk>,
    size_bytes: u64,
}

impl Filler {
    fn run(self) {
        while self.await_demand() {
            let made = self.make();
            let mut stock = self.shelf.stock.lock();
            if !matches!(*stock, Stock::Wanted { .. }) {
                continue;
            }
            *stock = match made {
                Ok(file) => Stock::Ready(Spare { file, size_bytes: self.size_bytes }),
                Err(fault) => {
                    tracing::warn!(error = %fault, "cannot reserve the next segment");
                    Stock::Failed
                }
            };
            self.shelf.changed.notify_all();
        }
    }

    /// Waits until a spare is wanted; false to stop.
    fn await_demand(&self) -> bool {
        let mut stock = self.shelf.stock.lock();
        loop {
            match *stock {
                Stock::Wanted { .. } => return true,
                Stock::Stopped => return false,
                Stock::Ready(_) | Stock::Taken => self.shelf.changed.wait(&mut stock),
                Stock::Failed => {
                    if self.shelf.changed.wait_for(&mut stock, RETRY).timed_out() && self.has_space() {
                        *stock = Stock::Wanted { after_failure: true };
                    }
                }
            }
        }
    }

    fn has_space(&self) -> bool {
        self.disk.free_bytes().is_ok_and(|free| free > self.size_bytes)
    }

    fn make(&self) -> Result<Arc<dyn DiskFile>, Fault> {
        let made = self.fill();
        if made.is_err()
            && let Err(error) = self.disk.remove(SPARE_NAME)
        {
            tracing::debug!(%error, "no unfinished spare to remove");
        }
        made
    }

    fn fill(&self) -> Result<Arc<dyn DiskFile>, Fault> {
        let file = self.disk.create(SPARE_NAME).during(Operation::Create, SPARE_NAME)?;
        let mut at = 0;
        while at < self.size_bytes {
            let to = self.size_bytes.min(at + STRIDE_BYTES);
            write_zeros(&*file, at, to).during(Operation::Write, SPARE_NAME)?;
            file.sync_data().during(Operation::Sync, SPARE_NAME)?;
            if matches!(*self.shelf.stock.lock(), Stock::Stopped) {
                return Err(Fault::new(Operation::Write, SPARE_NAME, io::ErrorKind::Interrupted.into()));
            }
            at = to;
        }
        Ok(file)
    }
}
