//! The segment that is being written.

use std::sync::Arc;

use crate::{
    LogId, Position,
    catalog::Segment,
    disk::{Disk, DiskFile, write_zeros},
    error::{During, Fault, Operation},
    format::{FIRST_BATCH_OFFSET, FORMAT_VERSION, SegmentHeader, segment_name},
    reserve::{SPARE_NAME, Spare},
    scan::SurveyedSegment,
};

/// Name of a segment in the making for which no spare was at hand.
const FRESH_NAME: &str = "fresh.tmp";

#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) segment: Arc<Segment>,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) offset: u64,
    pub(crate) reserved_bytes: u64,
    pub(crate) next_number: u64,
    /// The last batch is a seal.
    pub(crate) sealed: bool,
}

/// What a new segment is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth {
    pub(crate) log_id: LogId,
    pub(crate) base: Position,
    pub(crate) epoch: u32,
    /// Room wanted for the first batch.
    pub(crate) first_batch_bytes: u64,
}

impl Active {
    /// Makes a segment out of the spare, or an unreserved one without it. Its header is durable before it gets
    /// its name, and its name before anything is written to it.
    pub(crate) fn create(disk: &dyn Disk, spare: Option<Spare>, birth: Birth) -> Result<Self, Fault> {
        let (temporary, file, mut reserved_bytes) = match spare {
            Some(spare) => (SPARE_NAME, spare.file, spare.size_bytes),
            None => (FRESH_NAME, disk.create(FRESH_NAME).during(Operation::Create, FRESH_NAME)?, 0),
        };
        let wanted = FIRST_BATCH_OFFSET + if reserved_bytes > 0 { birth.first_batch_bytes } else { 0 };
        if reserved_bytes < wanted {
            write_zeros(&*file, reserved_bytes, wanted).during(Operation::Write, temporary)?;
            reserved_bytes = wanted;
        }
        let header = SegmentHeader {
            version: FORMAT_VERSION,
            epoch: birth.epoch,
            log_id: birth.log_id,
            segment_id: random_id().during(Operation::Create, temporary)?,
            base: birth.base,
            reserved_bytes,
        };
        let name = segment_name(birth.base);
        file.write_all_at(&header.block(), 0).during(Operation::Write, temporary)?;
        file.sync_data().during(Operation::Sync, temporary)?;
        disk.rename(temporary, &name).during(Operation::Rename, &name)?;
        disk.sync_directory().during(Operation::SyncDirectory, &name)?;
        Ok(Self {
            segment: Arc::new(Segment::fresh(&header)),
            file,
            offset: FIRST_BATCH_OFFSET,
            reserved_bytes,
            next_number: 0,
            sealed: false,
        })
    }

    /// Goes on behind the last batch of a recovered segment.
    pub(crate) fn resume(disk: &dyn Disk, found: SurveyedSegment) -> Result<Self, Fault> {
        let file = disk.open(&found.name).during(Operation::Open, &found.name)?;
        Ok(Self {
            file,
            offset: found.scan.end_offset,
            reserved_bytes: found.size_bytes,
            next_number: found.scan.next_number,
            sealed: found.scan.last.is_some_and(|(_, header)| header.seal),
            segment: Arc::new(Segment::surveyed(found)),
        })
    }

    /// True if a batch of this size lies within what was reserved.
    pub(crate) fn has_room(&self, size_bytes: u64) -> bool {
        self.offset + size_bytes <= self.reserved_bytes
    }

    /// True if it holds no record, so that a fresh one would have the same name.
    pub(crate) fn is_empty(&self) -> bool {
        self.segment.end() == self.segment.base
    }
}

pub(crate) fn random_id() -> std::io::Result<u64> {
    Ok(getrandom::u64()?)
}
