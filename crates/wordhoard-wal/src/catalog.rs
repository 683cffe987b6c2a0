use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::RwLock;

use crate::{
    Position,
    format::{FIRST_BATCH_OFFSET, Seed, SegmentHeader, segment_name},
    index::Index,
    scan::{Hole, LostSegment, SurveyedSegment},
};

/// One segment, as writer and readers share it.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) seed: Seed,
    pub(crate) base: Position,
    size_bytes: AtomicU64,
    extent: RwLock<Extent>,
}

/// How far a segment is durable, and what is where in it.
#[derive(Debug)]
struct Extent {
    end: Position,
    end_offset: u64,
    index: Index,
    holes: Vec<Hole>,
}

impl Segment {
    /// A segment without batches.
    pub(crate) fn fresh(header: &SegmentHeader) -> Self {
        Self {
            name: segment_name(header.base),
            seed: Seed::of_segment(header.segment_id),
            base: header.base,
            size_bytes: AtomicU64::new(header.reserved_bytes),
            extent: RwLock::new(Extent {
                end: header.base,
                end_offset: FIRST_BATCH_OFFSET,
                index: Index::default(),
                holes: Vec::new(),
            }),
        }
    }

    pub(crate) fn surveyed(found: SurveyedSegment) -> Self {
        Self {
            name: found.name,
            seed: Seed::of_segment(found.header.segment_id),
            base: found.header.base,
            size_bytes: AtomicU64::new(found.size_bytes),
            extent: RwLock::new(Extent {
                end: found.scan.end,
                end_offset: found.scan.end_offset,
                index: found.scan.index,
                holes: found.scan.holes,
            }),
        }
    }

    /// A file whose header is lost, and with it all its records.
    pub(crate) fn lost(found: LostSegment) -> Self {
        Self {
            name: found.name,
            seed: Seed::of_segment(0),
            base: found.base,
            size_bytes: AtomicU64::new(found.size_bytes),
            extent: RwLock::new(Extent {
                end: found.base,
                end_offset: FIRST_BATCH_OFFSET,
                index: Index::default(),
                holes: Vec::new(),
            }),
        }
    }

    /// Takes in a batch that became durable.
    pub(crate) fn extend(&self, first: Position, end: Position, offset: u64, end_offset: u64) {
        let mut extent = self.extent.write();
        extent.index.note(first, offset);
        extent.end = end;
        extent.end_offset = end_offset;
        self.size_bytes.fetch_max(end_offset, Ordering::Relaxed);
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) -> Position {
        self.extent.read().end
    }

    /// Exclusive end of the durable records and of their bytes.
    pub(crate) fn durable_end(&self) -> (Position, u64) {
        let extent = self.extent.read();
        (extent.end, extent.end_offset)
    }

    /// Where to start walking towards `position`.
    pub(crate) fn seek(&self, position: Position) -> u64 {
        self.extent.read().index.offset_before(position).unwrap_or(FIRST_BATCH_OFFSET)
    }

    /// The damage that starts at this offset.
    pub(crate) fn hole_at(&self, offset: u64) -> Option<Hole> {
        self.extent.read().holes.iter().find(|hole| hole.offset == offset).cloned()
    }

    /// Whether some of its bytes are damaged.
    pub(crate) fn has_holes(&self) -> bool {
        !self.extent.read().holes.is_empty()
    }

    /// What is missing from `position` on, if that record is.
    pub(crate) fn missing_at(&self, position: Position) -> Option<Range<Position>> {
        let extent = self.extent.read();
        let hole = extent.holes.iter().find(|hole| hole.missing.contains(&position))?;
        Some(position..hole.missing.end)
    }
}

/// What the catalog knows about a position.
#[derive(Debug)]
pub(crate) enum Place {
    In(Arc<Segment>),
    /// No segment holds it, though earlier and later ones exist.
    Missing(Range<Position>),
    Released(Position),
}

/// The segments of a log, ascending.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    segments: RwLock<Vec<Arc<Segment>>>,
}

impl Catalog {
    pub(crate) fn new(found: Vec<SurveyedSegment>, lost: Vec<LostSegment>) -> Self {
        let found = found.into_iter().map(Segment::surveyed);
        let mut segments: Vec<_> = found.chain(lost.into_iter().map(Segment::lost)).map(Arc::new).collect();
        segments.sort_by_key(|segment| segment.base);
        Self { segments: RwLock::new(segments) }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Segment>> {
        self.segments.read().clone()
    }

    /// Bytes of the newest segment that nothing was written to.
    pub(crate) fn unwritten_bytes(&self) -> u64 {
        self.segments
            .read()
            .last()
            .map_or(0, |newest| newest.size_bytes().saturating_sub(newest.durable_end().1))
    }

    pub(crate) fn first(&self) -> Position {
        self.segments.read().first().map(|segment| segment.base).unwrap_or_default()
    }

    /// Adds the newest segment, in place of one that never took a record.
    pub(crate) fn push(&self, segment: Arc<Segment>) {
        let mut segments = self.segments.write();
        segments.retain(|other| other.base < segment.base);
        segments.push(segment);
    }

    pub(crate) fn remove(&self, segment: &Arc<Segment>) {
        self.segments.write().retain(|other| !Arc::ptr_eq(other, segment));
    }

    /// Adds the oldest segment again: it could not be removed from the disk.
    pub(crate) fn put_back(&self, segment: &Arc<Segment>) {
        self.segments.write().insert(0, Arc::clone(segment));
    }

    /// What is known to be missing from `position` on, if that record is.
    pub(crate) fn missing_from(&self, position: Position, durable: Position) -> Option<Range<Position>> {
        match self.find(position, durable) {
            Place::In(segment) => segment.missing_at(position),
            Place::Missing(missing) => Some(missing),
            Place::Released(_) => None,
        }
    }

    /// Where a position below `durable` is.
    pub(crate) fn find(&self, position: Position, durable: Position) -> Place {
        let segments = self.segments.read();
        let after = segments.partition_point(|segment| segment.base <= position);
        let Some(segment) = after.checked_sub(1).and_then(|at| segments.get(at)) else {
            return Place::Released(segments.first().map_or(durable, |first| first.base));
        };
        if position < segment.end() {
            return Place::In(Arc::clone(segment));
        }
        Place::Missing(position..segments.get(after).map_or(durable, |next| next.base))
    }
}
