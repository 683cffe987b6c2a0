//! Whose turn it is: at most so many calls at a time, the others wait in the order in which they came.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The longest time after which one who finds the queue full is told to come back.
const LONGEST_RETURN: Duration = Duration::from_secs(60);

/// The permits of one provider.
#[derive(Debug)]
pub(super) struct Permits {
    free: Arc<Semaphore>,
    total: usize,
    queue_limit: usize,
    waiting: AtomicUsize,
    /// How long permits are held of late, in milliseconds; a moving mean.
    held_ms: AtomicU64,
}

/// A place in the queue, or the turn itself. Given up when dropped.
pub(crate) struct Ticket {
    permits: Arc<Permits>,
    turn: Turn,
}

enum Turn {
    Here(OwnedSemaphorePermit),
    ToCome {
        /// Polled once already, so that its place is that of the moment when it was taken.
        turn: Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>,
        _place: Place,
    },
}

/// One that waits, until it is dropped.
struct Place(Arc<Permits>);

/// The right to call, as long as it is held.
#[derive(Debug)]
pub(crate) struct Permit {
    permits: Arc<Permits>,
    since: Instant,
    _permit: OwnedSemaphorePermit,
}

/// So many wait already that one more would wait too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueFull {
    /// When there may be room again.
    pub(crate) retry_after: Duration,
}

impl Permits {
    pub(super) fn new(total: usize, queue_limit: usize) -> Arc<Self> {
        let total = total.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            free: Arc::new(Semaphore::new(total)),
            total,
            queue_limit,
            waiting: AtomicUsize::new(0),
            held_ms: AtomicU64::new(0),
        })
    }

    /// Takes a place in the queue.
    pub(super) fn queue(self: &Arc<Self>) -> Result<Ticket, QueueFull> {
        self.queue_within(self.queue_limit)
    }

    /// Takes a place for a call of a request that was accepted already: of those there is a bounded number.
    pub(super) fn queue_anyway(self: &Arc<Self>) -> Ticket {
        match self.queue_within(usize::MAX) {
            Ok(ticket) => ticket,
            // That many cannot wait.
            Err(_) => self.ticket(Place(Arc::clone(self))),
        }
    }

    fn queue_within(self: &Arc<Self>, limit: usize) -> Result<Ticket, QueueFull> {
        // Whoever waits comes first: a permit that is given back goes to them and is never free in between.
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(Ticket { permits: Arc::clone(self), turn: Turn::Here(permit) });
        }
        let one_more = |waiting: usize| (waiting < limit).then_some(waiting + 1);
        match self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(self.ticket(Place(Arc::clone(self)))),
            Err(waiting) => Err(QueueFull { retry_after: self.until_room(waiting) }),
        }
    }

    fn ticket(self: &Arc<Self>, place: Place) -> Ticket {
        let mut turn = Box::pin(Arc::clone(&self.free).acquire_owned());
        let turn = match turn.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(permit)) => Turn::Here(permit),
            _ => Turn::ToCome { turn, _place: place },
        };
        Ticket { permits: Arc::clone(self), turn }
    }

    /// About how long a queue of that length takes to go by one: what is held of late, shared among all permits.
    fn until_room(&self, waiting: usize) -> Duration {
        let held = Duration::from_millis(self.held_ms.load(Ordering::Relaxed));
        let share = (waiting as f64 / self.total as f64).clamp(1.0, 10_000.0);
        held.mul_f64(share).clamp(Duration::from_secs(1), LONGEST_RETURN)
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    pub(super) fn running(&self) -> usize {
        self.total.saturating_sub(self.free.available_permits())
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Ticket {
    /// Waits for its turn. None where that takes longer than the patience: then the place is given up.
    pub(crate) async fn wait(self, patience: Duration) -> Option<Permit> {
        let Self { permits, turn } = self;
        let permit = match turn {
            Turn::Here(permit) => permit,
            // The semaphore is never closed, so an error cannot come.
            Turn::ToCome { turn, _place } => tokio::time::timeout(patience, turn).await.ok()?.ok()?,
        };
        Some(Permit { permits, since: Instant::now(), _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let held = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mean = self.permits.held_ms.load(Ordering::Relaxed);
        // An eighth of the newest; a race of two loses one of them, which a mean can bear.
        let mean = if mean == 0 { held } else { mean - mean / 8 + held / 8 };
        self.permits.held_ms.store(mean, Ordering::Relaxed);
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("waits", &matches!(self.turn, Turn::ToCome { .. }))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_the_order_of_the_queue_and_the_queue_has_an_end() {
        let permits = Permits::new(2, 3);
        let held = [permits.queue().unwrap(), permits.queue().unwrap()];
        let queue: Vec<_> = (0..3).map(|_| permits.queue().unwrap()).collect();
        assert_eq!((permits.running(), permits.waiting()), (2, 3));
        assert_eq!(permits.queue().unwrap_err(), QueueFull { retry_after: Duration::from_secs(1) });
        let served = std::sync::Mutex::new(Vec::new());
        let serve = async |place: usize, ticket: Ticket| {
            let permit = ticket.wait(Duration::from_secs(60)).await.unwrap();
            served.lock().unwrap().push(place);
            tokio::time::sleep(Duration::from_secs(4)).await;
            drop(permit);
        };
        // Asked for in another order than they came.
        let mut waits: Vec<_> =
            queue.into_iter().enumerate().map(|(place, ticket)| serve(place, ticket)).collect();
        waits.reverse();
        let free = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(held);
        };
        tokio::join!(futures_util::future::join_all(waits), free);
        let first_two = {
            let mut first = served.lock().unwrap()[..2].to_vec();
            first.sort_unstable();
            first
        };
        assert_eq!((first_two, served.lock().unwrap()[2]), (vec![0, 1], 2));
        assert_eq!((permits.running(), permits.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_loses_patience_or_is_dropped_gives_its_place_up() {
        let permits = Permits::new(1, 9);
        let held = permits.queue().unwrap().wait(Duration::ZERO).await.unwrap();
        let (impatient, dropped, last) =
            (permits.queue().unwrap(), permits.queue().unwrap(), permits.queue_anyway());
        assert!(impatient.wait(Duration::from_secs(1)).await.is_none());
        drop(dropped);
        assert_eq!(permits.waiting(), 1);
        drop(held);
        assert!(last.wait(Duration::from_secs(1)).await.is_some());
        assert_eq!((permits.running(), permits.waiting()), (0, 0));
    }
}
