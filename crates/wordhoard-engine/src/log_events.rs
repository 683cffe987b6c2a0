//! How many events the log has that SQL does not have yet. A record is one event, but for frames, which are counted here.

use std::collections::VecDeque;

use parking_lot::Mutex;
use wordhoard_wal::Position;

/// Frames that are known one by one, 1 MiB of them. While more wait, the count is exact until SQL has these, and then counts a frame
/// as one until SQL has caught up.
const MAX_FRAMES: usize = 65_536;

/// The frames in the log that have more than one event, as far as SQL does not have them.
#[derive(Debug, Default)]
pub(crate) struct LogEvents(Mutex<Frames>);

#[derive(Debug, Default)]
struct Frames {
    /// Ascending; each with its events beyond the first.
    more: VecDeque<(Position, u64)>,
    total: u64,
}

impl LogEvents {
    /// The record at this position, behind all that were noted, has so many events.
    pub(crate) fn note(&self, position: Position, events: u64) {
        let Some(more) = events.checked_sub(2).map(|beyond_two| beyond_two + 1) else { return };
        let mut frames = self.0.lock();
        frames.total += more;
        let is_full = frames.more.len() >= MAX_FRAMES;
        match frames.more.back_mut().filter(|_| is_full) {
            Some((_, last)) => *last += more,
            None => frames.more.push_back((position, more)),
        }
    }

    /// SQL has what is below `applied`.
    pub(crate) fn release(&self, applied: Position) {
        let mut frames = self.0.lock();
        while let Some((_, more)) = frames.more.pop_front_if(|(position, _)| *position < applied) {
            frames.total -= more;
        }
    }

    /// The log has lost what stood at `end` and behind it.
    pub(crate) fn forget_from(&self, end: Position) {
        let mut frames = self.0.lock();
        while let Some((_, more)) = frames.more.pop_back_if(|(position, _)| *position >= end) {
            frames.total -= more;
        }
    }

    /// The events of the records from `applied` up to `durable`, and of those that are on their way to the disk.
    pub(crate) fn count(&self, applied: Position, durable: Position) -> u64 {
        match durable.0.saturating_sub(applied.0) {
            0 => 0,
            records => records + self.0.lock().total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_count_by_their_events() {
        let events = LogEvents::default();
        for (position, count) in [(3, 1), (4, 10), (5, 0), (7, 2)] {
            events.note(Position(position), count);
        }
        assert_eq!(events.count(Position(3), Position(8)), 5 + 9 + 1);
        assert_eq!(events.count(Position(8), Position(8)), 0);
        events.release(Position(5));
        assert_eq!(events.count(Position(5), Position(8)), 3 + 1);
        events.forget_from(Position(7));
        assert_eq!(events.count(Position(5), Position(7)), 2);
    }

    #[test]
    fn however_many_wait_the_count_is_exact_and_memory_bounded() {
        let events = LogEvents::default();
        let last = 2 * MAX_FRAMES as u64;
        (0..last).for_each(|position| events.note(Position(position), 3));
        assert_eq!(events.count(Position(0), Position(last)), 3 * last);
        assert_eq!(events.0.lock().more.len(), MAX_FRAMES);
        events.release(Position(last));
        assert_eq!(events.count(Position(last), Position(last + 1)), 1);
    }
}
