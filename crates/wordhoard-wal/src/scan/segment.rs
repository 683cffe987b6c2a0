use std::{ops::Range, sync::Arc};

use super::{FoundBatch, Window};
use crate::{
    Position,
    disk::DiskFile,
    error::{During, Fault, Operation},
    format::{BatchHeader, FIRST_BATCH_OFFSET, Seed, SegmentHeader},
    index::Index,
};

/// A place in a segment where bytes are damaged and intact batches follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    /// Where the damage starts.
    pub(crate) offset: u64,
    /// Offset of the intact batch behind it.
    pub(crate) resume: u64,
    /// The records lost, possibly none (if only a seal was hit).
    pub(crate) missing: Range<Position>,
}

/// What lies behind the last intact batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Zeros, or bytes that a later segment supersedes.
    Clean,
    /// Bytes up to this offset that are no batch, and no intact batch behind them.
    Garbage { end_offset: u64 },
}

/// What the batches of one segment are.
#[derive(Debug)]
pub(crate) struct SegmentScan {
    pub(crate) end: Position,
    pub(crate) end_offset: u64,
    pub(crate) next_number: u64,
    pub(crate) batches: u64,
    pub(crate) holes: Vec<Hole>,
    pub(crate) tail: Tail,
    /// The last batch: where it is and whether it is a seal.
    pub(crate) last: Option<(u64, BatchHeader)>,
    pub(crate) index: Index,
}

/// Walks the batches of a segment up to the position where the next one starts, if there is a next one.
pub(crate) fn scan_segment(
    file: Arc<dyn DiskFile>,
    name: &str,
    size_bytes: u64,
    header: &SegmentHeader,
    next_base: Option<Position>,
) -> Result<SegmentScan, Fault> {
    let walk = Walk {
        window: Window::new(file, size_bytes),
        seed: Seed::of_segment(header.segment_id),
        next_base,
        scan: SegmentScan {
            end: header.base,
            end_offset: FIRST_BATCH_OFFSET,
            next_number: 0,
            batches: 0,
            holes: Vec::new(),
            tail: Tail::Clean,
            last: None,
            index: Index::default(),
        },
    };
    walk.run().during(Operation::Read, name)
}

struct Walk {
    window: Window,
    seed: Seed,
    next_base: Option<Position>,
    scan: SegmentScan,
}

impl Walk {
    fn run(mut self) -> std::io::Result<SegmentScan> {
        while self.next_base.is_none_or(|next| self.scan.end < next) {
            let offset = self.scan.end_offset;
            let expected = |header: &BatchHeader| {
                header.first == self.scan.end && header.number == self.scan.next_number
            };
            match self.window.batch(offset, self.seed)?.filter(expected) {
                Some(header) => self.accept(offset, &header),
                None if !self.resume_behind(offset)? => break,
                None => {}
            }
        }
        Ok(self.scan)
    }

    fn accept(&mut self, offset: u64, header: &BatchHeader) {
        self.scan.index.note(header.first, offset);
        self.scan.end = header.end();
        self.scan.end_offset = offset + header.size_bytes();
        self.scan.next_number = header.number.saturating_add(1);
        self.scan.batches += 1;
        self.scan.last = Some((offset, *header));
        if let Some(next) = self.next_base {
            // A batch that was never acknowledged may reach past what superseded it.
            self.scan.end = self.scan.end.min(next);
        }
    }

    /// Goes on at the next intact batch, if there is one that was acknowledged.
    fn resume_behind(&mut self, offset: u64) -> std::io::Result<bool> {
        let (end, number, next_base) = (self.scan.end, self.scan.next_number, self.next_base);
        let later = |header: &BatchHeader| {
            header.first >= end && header.number >= number && next_base.is_none_or(|next| header.first < next)
        };
        match self.window.search(offset, self.seed, later)? {
            Ok(FoundBatch { offset: resume, header }) => {
                self.scan.holes.push(Hole { offset, resume, missing: end..header.first });
                self.scan.index.force(header.first, resume);
                self.accept(resume, &header);
                Ok(true)
            }
            Err(used_end) => {
                if used_end > offset {
                    self.scan.tail = Tail::Garbage { end_offset: used_end };
                }
                Ok(false)
            }
        }
    }
}
