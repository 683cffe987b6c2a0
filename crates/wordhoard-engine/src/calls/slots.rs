//! Whose turn it is: at most so many calls at a time. The others wait: next is the API key that holds the fewest slots, and for
//! one key the order in which they came.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;
use wordhoard_model::KeyId;

/// The longest time after which one who finds the queue full is asked to come back.
const LONGEST_RETURN: Duration = Duration::from_secs(60);

/// The slots of one provider for one kind of calls.
#[derive(Debug)]
pub(super) struct Slots {
    total: usize,
    queue_limit: usize,
    state: Mutex<State>,
    /// How long slots are held of late, in milliseconds; a moving mean.
    held_ms: AtomicU64,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting: usize,
    /// How many slots each key holds, of those that hold any.
    held: HashMap<Option<KeyId>, usize>,
    /// Those who wait, a queue for each key. Of keys that hold as many slots the one at the front is served next, and then goes
    /// to the back.
    queues: VecDeque<(Option<KeyId>, VecDeque<oneshot::Sender<Slot>>)>,
}

/// A place in the queue, or the turn itself. Given up when dropped.
#[derive(Debug)]
pub(crate) struct Ticket(Turn);

#[derive(Debug)]
enum Turn {
    Here(Slot),
    ToCome { turn: oneshot::Receiver<Slot>, _place: Place },
}

/// One that waits, until it is dropped.
#[derive(Debug)]
struct Place(Arc<Slots>);

/// The right to call, as long as it is held.
#[derive(Debug)]
pub(crate) struct Slot {
    /// None once it is passed on.
    slots: Option<Arc<Slots>>,
    key: Option<KeyId>,
    since: Instant,
}

/// So many wait already that one more would wait too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueFull {
    /// When there may be room again.
    pub(crate) retry_after: Duration,
}

impl Slots {
    pub(super) fn new(total: usize, queue_limit: usize) -> Arc<Self> {
        let total = total.max(1);
        let state = State { free: total, waiting: 0, held: HashMap::new(), queues: VecDeque::new() };
        Arc::new(Self { total, queue_limit, state: Mutex::new(state), held_ms: AtomicU64::new(0) })
    }

    /// Takes a place in the queue.
    pub(super) fn queue(self: &Arc<Self>, key: Option<KeyId>) -> Result<Ticket, QueueFull> {
        self.queue_within(key, self.queue_limit)
    }

    /// Takes a place for a call of a request that was accepted already: of those there is a bounded number.
    pub(super) fn queue_anyway(self: &Arc<Self>, key: Option<KeyId>) -> Ticket {
        match self.queue_within(key, usize::MAX) {
            Ok(ticket) => ticket,
            // That many cannot wait.
            Err(_) => self.enqueue(key, &mut self.state.lock()),
        }
    }

    fn queue_within(self: &Arc<Self>, key: Option<KeyId>, limit: usize) -> Result<Ticket, QueueFull> {
        let mut state = self.state.lock();
        // Whoever waits comes first: a slot that is given back goes to them and is never free in between.
        if state.free > 0 {
            state.free -= 1;
            state.note_held(key);
            return Ok(Ticket(Turn::Here(self.slot(key))));
        }
        if state.waiting >= limit {
            return Err(QueueFull { retry_after: self.until_room(state.waiting) });
        }
        Ok(self.enqueue(key, &mut state))
    }

    fn enqueue(self: &Arc<Self>, key: Option<KeyId>, state: &mut State) -> Ticket {
        let (sender, turn) = oneshot::channel();
        state.waiting += 1;
        match state.queues.iter_mut().find(|(of, _)| *of == key) {
            Some((_, queue)) => {
                queue.push_back(sender);
                // Those who gave up are counted out but still stand in their queue.
                if queue.len() > 2 * state.waiting + 16 {
                    queue.retain(|sender| !sender.is_closed());
                }
            }
            None => state.queues.push_back((key, VecDeque::from([sender]))),
        }
        Ticket(Turn::ToCome { turn, _place: Place(Arc::clone(self)) })
    }

    fn slot(self: &Arc<Self>, key: Option<KeyId>) -> Slot {
        Slot { slots: Some(Arc::clone(self)), key, since: Instant::now() }
    }

    /// Gives the slot of a key to the next who waits, or back.
    fn release(self: &Arc<Self>, mut key: Option<KeyId>) {
        loop {
            let Some((next_key, next)) = self.next_waiting(key) else { return };
            match next.send(self.slot(next_key)) {
                Ok(()) => return,
                // Whoever it was for has just given up. The slot is passed on here, not by its drop.
                Err(mut unwanted) => drop(unwanted.slots.take()),
            }
            key = next_key;
        }
    }

    /// Takes the next who waits for the slot of a key out of the queue; where nobody does, the slot is free.
    fn next_waiting(&self, key: Option<KeyId>) -> Option<(Option<KeyId>, oneshot::Sender<Slot>)> {
        let mut state = self.state.lock();
        state.note_given_back(key);
        while let Some((key, mut queue)) = state.take_next_queue() {
            let next = std::iter::from_fn(|| queue.pop_front()).find(|sender| !sender.is_closed());
            if !queue.is_empty() {
                state.queues.push_back((key, queue));
            }
            if let Some(next) = next {
                state.note_held(key);
                return Some((key, next));
            }
        }
        state.free += 1;
        None
    }

    /// About how long a queue of that length takes to advance by one: what is held of late, shared among all slots.
    fn until_room(&self, waiting: usize) -> Duration {
        let held = Duration::from_millis(self.held_ms.load(Ordering::Relaxed));
        let share = (waiting as f64 / self.total as f64).clamp(1.0, 10_000.0);
        held.mul_f64(share).clamp(Duration::from_secs(1), LONGEST_RETURN)
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    pub(super) fn running(&self) -> usize {
        self.total - self.state.lock().free
    }

    pub(super) fn waiting(&self) -> usize {
        self.state.lock().waiting
    }
}

impl State {
    fn note_held(&mut self, key: Option<KeyId>) {
        *self.held.entry(key).or_default() += 1;
    }

    fn note_given_back(&mut self, key: Option<KeyId>) {
        if let Some(held) = self.held.get_mut(&key) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&key);
            }
        }
    }

    /// The queue of the key whose turn it is.
    fn take_next_queue(&mut self) -> Option<(Option<KeyId>, VecDeque<oneshot::Sender<Slot>>)> {
        let held = |(key, _): &(Option<KeyId>, _)| self.held.get(key).copied().unwrap_or_default();
        // The first of those with the fewest.
        let (place, _) = self.queues.iter().enumerate().min_by_key(|(_, queue)| held(queue))?;
        self.queues.remove(place)
    }
}

impl Ticket {
    /// Waits for its turn. None where that takes longer than the patience: then the place is given up.
    pub(crate) async fn wait(self, patience: Duration) -> Option<Slot> {
        match self.0 {
            Turn::Here(slot) => Some(slot),
            Turn::ToCome { turn, _place } => tokio::time::timeout(patience, turn).await.ok()?.ok(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state.lock().waiting -= 1;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(slots) = self.slots.take() else { return };
        let held = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mean = slots.held_ms.load(Ordering::Relaxed);
        // An eighth of the newest; a race of two loses one of them, which a mean can bear.
        let mean = if mean == 0 { held } else { mean - mean / 8 + held / 8 };
        slots.held_ms.store(mean, Ordering::Relaxed);
        slots.release(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> Option<KeyId> {
        Some(KeyId::from_bytes([number; 16]))
    }

    /// In which order those who wait are served, by the names of their keys, with one slot.
    async fn order(waiting: &[u8]) -> Vec<u8> {
        let slots = Slots::new(1, 100);
        let held = slots.queue(None).unwrap();
        let tickets: Vec<_> =
            waiting.iter().map(|number| (*number, slots.queue(key(*number)).unwrap())).collect();
        let served = Mutex::new(Vec::new());
        let serve = async |number: u8, ticket: Ticket| {
            let slot = ticket.wait(Duration::from_secs(60)).await.unwrap();
            served.lock().push(number);
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(slot);
        };
        let all = tickets.into_iter().map(|(number, ticket)| serve(number, ticket));
        let free = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(held);
        };
        tokio::join!(futures_util::future::join_all(all), free);
        assert_eq!((slots.running(), slots.waiting()), (0, 0));
        served.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn keys_take_turns_and_each_is_served_in_order() {
        assert_eq!(order(&[1, 1, 1]).await, [1, 1, 1]);
        assert_eq!(order(&[1, 1, 1, 1, 2]).await, [1, 2, 1, 1, 1]);
        assert_eq!(order(&[1, 1, 2, 2, 3]).await, [1, 2, 3, 1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_holds_none_comes_before_who_holds_many() {
        let slots = Slots::new(4, 100);
        let mut held: Vec<_> = (0..4).map(|_| slots.queue(key(1)).unwrap()).collect();
        let mut crowd: VecDeque<_> = (0..9).map(|_| slots.queue(key(1)).unwrap()).collect();
        let (other, second) = (slots.queue(key(2)).unwrap(), slots.queue(key(2)).unwrap());
        drop(held.pop());
        let other = other.wait(Duration::ZERO).await.expect("it holds none, and the crowd three");
        drop(held.pop());
        let second = second.wait(Duration::ZERO).await.expect("it holds one, and the crowd two");
        drop((other, second));
        for _ in 0..2 {
            assert!(crowd.pop_front().unwrap().wait(Duration::ZERO).await.is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn full_queue_is_refused() {
        let slots = Slots::new(2, 3);
        let _held = [slots.queue(None).unwrap(), slots.queue(None).unwrap()];
        let _queue: Vec<_> = (0..3).map(|_| slots.queue(key(1)).unwrap()).collect();
        assert_eq!((slots.running(), slots.waiting()), (2, 3));
        assert_eq!(slots.queue(None).unwrap_err(), QueueFull { retry_after: Duration::from_secs(1) });
    }

    #[tokio::test(start_paused = true)]
    async fn abandoned_places_are_passed_over() {
        let slots = Slots::new(1, 9);
        let held = slots.queue(None).unwrap().wait(Duration::ZERO).await.unwrap();
        let (impatient, dropped, last) =
            (slots.queue(key(1)).unwrap(), slots.queue(key(2)).unwrap(), slots.queue_anyway(key(1)));
        assert!(impatient.wait(Duration::from_secs(1)).await.is_none());
        drop(dropped);
        assert_eq!(slots.waiting(), 1);
        drop(held);
        assert!(last.wait(Duration::from_secs(1)).await.is_some());
        assert_eq!((slots.running(), slots.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn turn_that_came_and_was_not_taken_goes_on() {
        let slots = Slots::new(1, 9);
        let held = slots.queue(None).unwrap();
        let (first, second) = (slots.queue(key(1)).unwrap(), slots.queue(key(2)).unwrap());
        drop(held);
        drop(first);
        assert!(second.wait(Duration::ZERO).await.is_some());
        assert_eq!((slots.running(), slots.waiting()), (0, 0));
    }
}
