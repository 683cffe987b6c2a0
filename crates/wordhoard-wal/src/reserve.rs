//! Makes the next segment ahead of need, so that a rotation costs one small write and a full disk is noticed
//! while the current segment still has room.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
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
    /// Its next stride is being made. Nobody takes it meanwhile: what is zeroed then must not be written to.
    Growing {
        size_bytes: u64,
    },
    /// Given out, but perhaps still under the spare's name: no new one is made until [`Reserve::refill`].
    Taken,
    Failed,
    Stopped,
}

/// How large segments are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// The first of a log, and the least.
    pub(crate) first: u64,
    /// The most.
    pub(crate) most: u64,
}

#[derive(Debug)]
struct Shelf {
    stock: Mutex<Stock>,
    changed: Condvar,
    sizes: Sizes,
    /// How large the spare is to be.
    wanted_bytes: AtomicU64,
    /// The spare could not be made as large as that.
    is_short: AtomicBool,
}

/// The spare segment and the thread that makes it.
#[derive(Debug)]
pub(crate) struct Reserve {
    shelf: Arc<Shelf>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Reserve {
    /// `newest` is the size of the segment that is written, where there is one.
    pub(crate) fn start(disk: Arc<dyn Disk>, sizes: Sizes, newest: Option<u64>) -> io::Result<Self> {
        let shelf = Arc::new(Shelf {
            stock: Mutex::new(Stock::Wanted { after_failure: false }),
            changed: Condvar::new(),
            sizes,
            wanted_bytes: AtomicU64::new(newest.map_or(sizes.first, |newest| sizes.behind(newest))),
            is_short: AtomicBool::new(false),
        });
        let filler = Filler { shelf: Arc::clone(&shelf), disk };
        let thread = thread::Builder::new().name("wal-reserve".into()).spawn(move || filler.run())?;
        Ok(Self { shelf, thread: Mutex::new(Some(thread)) })
    }

    /// The spare, waiting for it while it is being made; `None` if it cannot be made at present.
    pub(crate) fn take(&self) -> Option<Spare> {
        let mut stock = self.shelf.stock.lock();
        while matches!(*stock, Stock::Wanted { .. } | Stock::Growing { .. }) {
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

    /// Asks for a spare behind a segment of that size, after one was taken or could not be made.
    pub(crate) fn refill(&self, newest: u64) {
        let mut stock = self.shelf.stock.lock();
        if matches!(*stock, Stock::Taken | Stock::Failed) {
            self.shelf.wanted_bytes.fetch_max(self.shelf.sizes.behind(newest), Ordering::Relaxed);
            *stock = Stock::Wanted { after_failure: matches!(*stock, Stock::Failed) };
            self.shelf.changed.notify_all();
        }
    }

    /// Lets the spare grow to that size, as far as a segment may.
    pub(crate) fn ensure(&self, size_bytes: u64) {
        let shelf = &self.shelf;
        let wanted = size_bytes.next_multiple_of(STRIDE_BYTES).min(shelf.sizes.most);
        if shelf.wanted_bytes.fetch_max(wanted, Ordering::Relaxed) < wanted {
            // Under the lock, so that a thread that has just looked does not miss it.
            drop(shelf.stock.lock());
            shelf.changed.notify_all();
        }
    }

    /// True unless space for the next segment is lacking.
    pub(crate) fn is_reserved(&self) -> bool {
        let fails = matches!(*self.shelf.stock.lock(), Stock::Failed | Stock::Wanted { after_failure: true });
        !fails && !self.shelf.is_short.load(Ordering::Relaxed)
    }

    /// Size of the spare on disk.
    pub(crate) fn size_bytes(&self) -> u64 {
        match &*self.shelf.stock.lock() {
            Stock::Ready(Spare { size_bytes, .. }) | Stock::Growing { size_bytes } => *size_bytes,
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

impl Sizes {
    /// Twice the bytes of the one before.
    fn behind(self, newest: u64) -> u64 {
        newest.saturating_mul(2).clamp(self.first, self.most)
    }
}

struct Filler {
    shelf: Arc<Shelf>,
    disk: Arc<dyn Disk>,
}

/// What the thread is to do next.
enum Demand {
    Make,
    /// The spare, to be given back one stride larger.
    Grow(Spare, u64),
    Stop,
}

impl Filler {
    fn run(self) {
        loop {
            match self.await_demand() {
                Demand::Make => self.make(),
                Demand::Grow(spare, to) => self.grow(spare, to),
                Demand::Stop => return,
            }
            self.shelf.changed.notify_all();
        }
    }

    /// Looks at the stock again after every wait: it may have been taken, or the log closed, meanwhile.
    fn await_demand(&self) -> Demand {
        let shelf = &self.shelf;
        let mut stock = shelf.stock.lock();
        let mut retries = false;
        loop {
            let wanted = shelf.wanted_bytes.load(Ordering::Relaxed);
            match &*stock {
                Stock::Wanted { .. } => return Demand::Make,
                Stock::Stopped => return Demand::Stop,
                Stock::Ready(spare) if spare.size_bytes >= wanted => shelf.changed.wait(&mut stock),
                Stock::Ready(spare) if shelf.is_short.load(Ordering::Relaxed) && !retries => {
                    let lacking = wanted - spare.size_bytes;
                    retries =
                        shelf.changed.wait_for(&mut stock, RETRY).timed_out() && self.has_space(lacking);
                }
                Stock::Ready(spare) => {
                    let spare = Spare { file: Arc::clone(&spare.file), size_bytes: spare.size_bytes };
                    *stock = Stock::Growing { size_bytes: spare.size_bytes };
                    let to = wanted.min(spare.size_bytes + STRIDE_BYTES);
                    return Demand::Grow(spare, to);
                }
                Stock::Taken | Stock::Growing { .. } => shelf.changed.wait(&mut stock),
                Stock::Failed => {
                    if shelf.changed.wait_for(&mut stock, RETRY).timed_out()
                        && self.has_space(shelf.sizes.first)
                        && matches!(*stock, Stock::Failed)
                    {
                        *stock = Stock::Wanted { after_failure: true };
                    }
                }
            }
        }
    }

    fn has_space(&self, bytes: u64) -> bool {
        self.disk.free_bytes().is_ok_and(|free| free > bytes)
    }

    /// A spare of the least size, so that a rotation never waits for more than that.
    fn make(&self) {
        let made = self.fill();
        if made.is_err()
            && let Err(error) = self.disk.remove(SPARE_NAME)
        {
            tracing::debug!(%error, "no unfinished spare to remove");
        }
        let mut stock = self.shelf.stock.lock();
        if !matches!(*stock, Stock::Wanted { .. }) {
            return;
        }
        *stock = match made {
            Ok(file) => Stock::Ready(Spare { file, size_bytes: self.shelf.sizes.first }),
            Err(fault) => {
                tracing::warn!(error = %fault, "cannot reserve the next segment");
                Stock::Failed
            }
        };
    }

    fn fill(&self) -> Result<Arc<dyn DiskFile>, Fault> {
        let file = self.disk.create(SPARE_NAME).during(Operation::Create, SPARE_NAME)?;
        let (mut at, end) = (0, self.shelf.sizes.first);
        while at < end {
            let to = end.min(at + STRIDE_BYTES);
            zero(&*file, at, to)?;
            if matches!(*self.shelf.stock.lock(), Stock::Stopped) {
                return Err(Fault::new(Operation::Write, SPARE_NAME, io::ErrorKind::Interrupted.into()));
            }
            at = to;
        }
        Ok(file)
    }

    fn grow(&self, spare: Spare, to: u64) {
        let grown = zero(&*spare.file, spare.size_bytes, to);
        let mut stock = self.shelf.stock.lock();
        if !matches!(*stock, Stock::Growing { .. }) {
            return;
        }
        let size_bytes = match grown {
            Ok(()) => to,
            Err(fault) => {
                if !self.shelf.is_short.load(Ordering::Relaxed) {
                    tracing::warn!(error = %fault, "cannot reserve more for the next segment");
                }
                spare.size_bytes
            }
        };
        self.shelf.is_short.store(size_bytes < to, Ordering::Relaxed);
        *stock = Stock::Ready(Spare { size_bytes, ..spare });
    }
}

/// What lies behind `from` was never written, or is zeros of a stride that could not be ended.
fn zero(file: &dyn DiskFile, from: u64, to: u64) -> Result<(), Fault> {
    write_zeros(file, from, to).during(Operation::Write, SPARE_NAME)?;
    file.sync_data().during(Operation::Sync, SPARE_NAME)
}
