//! Places for connections. When all are taken, the connection that has been idle for the longest gives up its place:
//! those who only hold connections open cannot keep others out.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How soon it is looked again for an idle connection, where none was.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// All places.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken: Arc<Taken>,
}

#[derive(Debug)]
struct Taken {
    seats: Mutex<HashMap<u64, Arc<Seat>>>,
    next: AtomicU64,
    began: Instant,
}

/// One connection, as the others see it.
#[derive(Debug)]
struct Seat {
    /// Requests whose answer is not over.
    in_flight: AtomicUsize,
    /// Since when there is none, in milliseconds since `Taken::began`.
    idle_since_ms: AtomicU64,
    leave: CancellationToken,
}

/// A place that is taken. Dropping it gives it to another connection.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    seat: Arc<Seat>,
    taken: Arc<Taken>,
    _permit: OwnedSemaphorePermit,
}

/// Marks a connection as busy. Lives as long as the answer.
#[derive(Debug)]
pub(super) struct Busy {
    seat: Arc<Seat>,
    taken: Arc<Taken>,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        let taken = Taken { seats: Mutex::default(), next: AtomicU64::new(0), began: Instant::now() };
        Self { free: Arc::new(Semaphore::new(count)), taken: Arc::new(taken) }
    }

    /// A place, once there is one. Where all are taken, the longest idle connection has to go.
    pub(super) async fn take(&self) -> Option<Place> {
        loop {
            if self.free.available_permits() == 0 {
                self.taken.dismiss_longest_idle();
            }
            let permit = Arc::clone(&self.free).acquire_owned();
            if let Ok(permit) = tokio::time::timeout(LOOK_AGAIN, permit).await {
                return Some(Place::new(Arc::clone(&self.taken), permit.ok()?));
            }
        }
    }
}

impl Taken {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn dismiss_longest_idle(&self) {
        let seats = self.seats.lock();
        let idle = seats
            .values()
            .filter(|seat| seat.in_flight.load(Ordering::Acquire) == 0 && !seat.leave.is_cancelled());
        if let Some(seat) = idle.min_by_key(|seat| seat.idle_since_ms.load(Ordering::Relaxed)) {
            seat.leave.cancel();
        }
    }
}

impl Place {
    fn new(taken: Arc<Taken>, permit: OwnedSemaphorePermit) -> Self {
        let seat = Arc::new(Seat {
            in_flight: AtomicUsize::new(0),
            idle_since_ms: AtomicU64::new(taken.now_ms()),
            leave: CancellationToken::new(),
        });
        let id = taken.next.fetch_add(1, Ordering::Relaxed);
        taken.seats.lock().insert(id, Arc::clone(&seat));
        Self { id, seat, taken, _permit: permit }
    }

    /// Ends when the connection has to give up its place.
    pub(super) fn has_to_leave(&self) -> CancellationToken {
        self.seat.leave.clone()
    }

    /// What makes the connection busy, request by request.
    pub(super) fn busy(&self) -> impl Fn() -> Busy + Clone + use<> {
        let (seat, taken) = (Arc::clone(&self.seat), Arc::clone(&self.taken));
        move || {
            seat.in_flight.fetch_add(1, Ordering::AcqRel);
            Busy { seat: Arc::clone(&seat), taken: Arc::clone(&taken) }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.seats.lock().remove(&self.id);
    }
}

impl Busy {
    /// Stays with the answer until its last byte was taken.
    pub(super) fn until_the_end_of(self, answer: Response) -> Response {
        answer.map(|body| Body::new(BusyBody { body, _busy: self }))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.seat.idle_since_ms.store(self.taken.now_ms(), Ordering::Relaxed);
        self.seat.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

#[derive(Debug)]
struct BusyBody {
    body: Body,
    _busy: Busy,
}

impl HttpBody for BusyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_idle_goes_and_the_busy_stay() {
        let places = Places::new(3);
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(places.take().await.unwrap());
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        let leaving = |taken: &[Place]| {
            taken.iter().map(|place| place.has_to_leave().is_cancelled()).collect::<Vec<_>>()
        };
        let oldest = taken[0].busy()();
        let waiting = places.clone();
        let next = async { waiting.take().await.unwrap() };
        let (next, ()) = tokio::join!(next, async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert_eq!(leaving(&taken), [false, true, false], "the busy one stays");
            drop(taken.remove(1));
        });
        assert_eq!(leaving(&taken), [false, false]);
        drop(oldest);
        assert!(!next.has_to_leave().is_cancelled());
        assert_eq!(places.taken.seats.lock().len(), 3);
    }

    #[tokio::test]
    async fn an_answer_keeps_its_connection_busy_until_it_is_read() {
        let places = Places::new(1);
        let place = places.take().await.unwrap();
        let answer = place.busy()().until_the_end_of(Response::new(Body::from("text")));
        assert_eq!(place.seat.in_flight.load(Ordering::Acquire), 1);
        drop(answer);
        assert_eq!(place.seat.in_flight.load(Ordering::Acquire), 0);
    }
}
