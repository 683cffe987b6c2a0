use std::sync::Arc;

use crate::{Fault, Position};

/// How far the log is, as told to all who watch it.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Exclusive end of the durable records.
    pub durable: Position,
    /// Whether more will come.
    pub state: State,
    /// Counts the reopenings after a fault. A watcher sees only the newest value, so one that sees this change
    /// has missed a latch: records it appended at or past the `durable` of before are lost, and their positions
    /// are given to others.
    pub epoch: u32,
}

/// Whether the log takes records.
#[derive(Clone, Debug)]
pub enum State {
    /// It does.
    Open,
    /// A fault stopped it; [`Wal::reopen`](crate::Wal::reopen) starts it again.
    Latched(Arc<Fault>),
    /// It was closed or dropped.
    Closed,
}

/// The marks of a log. Each is an exclusive end, and `released ≤ durable ≤ written` always holds. (The fourth,
/// `queued`, lies in the queue; `written ≤ queued` holds because only the queue hands out batches.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    released: Position,
    durable: Position,
    written: Position,
}

/// A mark would have moved backwards or past the one that bounds it.
#[derive(Debug, thiserror::Error)]
#[error("marks out of order: {0:?}")]
pub(crate) struct OutOfOrder(Marks);

impl Marks {
    pub(crate) fn new(released: Position, durable: Position) -> Self {
        Self { released, durable, written: durable }
    }

    pub(crate) fn durable(&self) -> Position {
        self.durable
    }

    /// The records up to `end` are in the file, though not yet safe there.
    pub(crate) fn advance_written(&mut self, end: Position) -> Result<(), OutOfOrder> {
        self.change(|marks| marks.written = end)
    }

    /// All that is written is durable.
    pub(crate) fn advance_durable(&mut self) -> Result<(), OutOfOrder> {
        self.change(|marks| marks.durable = marks.written)
    }

    /// What was written and never became durable is given up.
    pub(crate) fn withdraw_written(&mut self) {
        self.written = self.durable;
    }

    /// Nothing below `first` is held any more.
    pub(crate) fn advance_released(&mut self, first: Position) -> Result<(), OutOfOrder> {
        self.change(|marks| marks.released = first)
    }

    fn change(&mut self, change: impl FnOnce(&mut Self)) -> Result<(), OutOfOrder> {
        let mut next = *self;
        change(&mut next);
        let forward =
            next.released >= self.released && next.durable >= self.durable && next.written >= self.written;
        if forward && next.released <= next.durable && next.durable <= next.written {
            *self = next;
            Ok(())
        } else {
            Err(OutOfOrder(next))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_neither_pass_each_other_nor_go_back() {
        let mut marks = Marks::new(Position(3), Position(5));
        marks.advance_written(Position(9)).unwrap();
        marks.advance_written(Position(8)).unwrap_err();
        marks.advance_released(Position(6)).unwrap_err();
        marks.advance_durable().unwrap();
        marks.advance_released(Position(6)).unwrap();
        marks.advance_released(Position(5)).unwrap_err();
        marks.advance_released(Position(10)).unwrap_err();
        assert_eq!((marks.released, marks.durable()), (Position(6), Position(9)));
    }
}
