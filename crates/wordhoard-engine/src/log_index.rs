use parking_lot::Mutex;
use wordhoard_model::RequestId;
use wordhoard_wal::Position;

use crate::log_events::LogEvents;

/// Stretches that are kept. Where there are more, neighbours are put together, so that memory does not grow with the
/// log: a lookup then reads a little more of it.
const MAX_STRETCHES: usize = 2_048;

/// Where in the log requests begin: coarse, bounded, and in memory only. Ids are made in the order of time, so the ids
/// of the requests that begin in a stretch of the log are a narrow range of all ids.
#[derive(Debug)]
pub(crate) struct LogIndex {
    stretches: Mutex<Stretches>,
    /// How many events stand in records.
    pub(crate) events: LogEvents,
}

#[derive(Debug)]
struct Stretches {
    /// In the order of the log.
    all: Vec<Stretch>,
    /// Beginnings that one stretch holds.
    capacity: u32,
}

/// A part of the log in which requests begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Where the first of them begins.
    pub(crate) first: Position,
    /// Where the last of them begins.
    pub(crate) last: Position,
    lowest: RequestId,
    highest: RequestId,
    beginnings: u32,
}

impl Default for LogIndex {
    fn default() -> Self {
        let stretches = Mutex::new(Stretches { all: Vec::new(), capacity: 1 });
        Self { stretches, events: LogEvents::default() }
    }
}

impl LogIndex {
    /// A request begins at this position.
    pub(crate) fn note(&self, id: RequestId, position: Position) {
        let mut stretches = self.stretches.lock();
        let capacity = stretches.capacity;
        let begun = Stretch { first: position, last: position, lowest: id, highest: id, beginnings: 1 };
        match stretches.all.last_mut().filter(|last| last.beginnings < capacity) {
            Some(last) => *last = last.with(begun),
            None => stretches.all.push(begun),
        }
        if stretches.all.len() > MAX_STRETCHES {
            stretches.capacity *= 2;
            stretches.all = stretches.all.chunks(2).filter_map(joined).collect();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stretches.lock().all.is_empty()
    }

    /// The parts of the log in which this request may begin.
    pub(crate) fn find(&self, id: RequestId) -> Vec<Stretch> {
        let stretches = self.stretches.lock();
        stretches
            .all
            .iter()
            .filter(|stretch| (stretch.lowest..=stretch.highest).contains(&id))
            .copied()
            .collect()
    }

    /// The log has let go what lies below `first`.
    pub(crate) fn release(&self, first: Position) {
        self.stretches.lock().all.retain(|stretch| stretch.last >= first);
    }
}

impl Stretch {
    fn with(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            lowest: self.lowest.min(other.lowest),
            highest: self.highest.max(other.highest),
            beginnings: self.beginnings + other.beginnings,
        }
    }
}

fn joined(neighbours: &[Stretch]) -> Option<Stretch> {
    neighbours.iter().copied().reduce(Stretch::with)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> RequestId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        RequestId::from_bytes(bytes)
    }

    #[test]
    fn a_beginning_is_found_in_a_small_part_of_the_log_however_many_there_are() {
        let index = LogIndex::default();
        let count = 100_000;
        for number in 0..count {
            index.note(id(number), Position(number * 10));
        }
        assert!(index.stretches.lock().all.len() <= MAX_STRETCHES);
        for number in (0..count).step_by(997) {
            let found = index.find(id(number));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].first.0 <= number * 10 && number * 10 <= found[0].last.0);
            assert!(found[0].last.0 - found[0].first.0 <= count * 10 / (MAX_STRETCHES as u64 / 2));
        }
        index.release(Position(500_000));
        assert!(index.find(id(1)).is_empty());
        assert_eq!(index.find(id(count - 1)).len(), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_hides_nothing() {
        let index = LogIndex::default();
        let numbers = [500, 501, 502, 3, 4, 503, 5];
        for (place, number) in numbers.into_iter().enumerate() {
            index.note(id(number), Position(place as u64));
        }
        for (place, number) in numbers.into_iter().enumerate() {
            let holds = |stretch: &Stretch| (stretch.first.0..=stretch.last.0).contains(&(place as u64));
            assert!(index.find(id(number)).iter().any(holds), "{number}");
        }
    }
}
