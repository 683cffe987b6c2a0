//! Brings a log found on disk into a state in which it can be written again.

use std::{ops::Range, time::Duration};

use crate::{
    LogId, OpenError, Position,
    disk::{Disk, DiskFile, read_full, write_zeros},
    error::{During, Fault, Operation},
    format::FIRST_BATCH_OFFSET,
    scan::{Survey, SurveyedSegment},
};

/// What was found and done when a log was opened.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// Identity of the log.
    pub log_id: LogId,
    /// Exclusive end of the durable records.
    pub durable: Position,
    /// First position still held.
    pub first: Position,
    /// Segment files.
    pub segments: usize,
    /// Bytes of unfinished batches that were cut: never acknowledged.
    pub torn_bytes: u64,
    /// Unfinished batches that were cut, and segments removed that a crash left without a header.
    pub torn_batches: u64,
    /// What was acknowledged once and is no longer intact. Reported at each open until it is released.
    pub damage: Vec<Damage>,
    /// The directory held no log; this one is new.
    pub created: bool,
    /// Time it took.
    pub elapsed: Duration,
}

/// One place where the log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// File name of the segment.
    pub segment: String,
    /// What kind of damage.
    pub kind: DamageKind,
    /// Where in the file it starts.
    pub offset: u64,
    /// The records that are lost, exclusive end. Empty if none is, as far as can be told.
    pub missing: Range<Position>,
    /// Name of the copy in `quarantine/`; `None` if none could be made.
    pub quarantined: Option<String>,
}

/// How a segment is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DamageKind {
    /// A copy of the header does not validate, or both.
    Header,
    /// A batch does not validate though it was durable.
    Batch,
    /// The file is shorter than what was reserved for it: records at its end may be missing.
    Truncated,
    /// Nothing is left of these records: a file between this segment and the next is gone, or this one's end was
    /// zeroed.
    Missing,
}

/// What recovery had to do, and where the log can be written on.
pub(crate) struct Recovered {
    pub(crate) torn_bytes: u64,
    pub(crate) torn_batches: u64,
    /// False if the newest segment is damaged and a fresh one has to follow.
    pub(crate) can_continue: bool,
}

/// Quarantines what is damaged, cuts what is torn, and makes the recovered tail durable.
pub(crate) fn recover(disk: &dyn Disk, survey: &mut Survey) -> Result<Recovered, OpenError> {
    for damage in &mut survey.damage {
        quarantine(disk, damage);
    }
    let mut recovered = Recovered { torn_bytes: 0, torn_batches: 0, can_continue: false };
    if let Some(name) = &survey.unborn {
        tracing::warn!(segment = %name, "removing a segment that a crash left unfinished");
        disk.remove(name).during(Operation::Remove, name)?;
        recovered.torn_batches += 1;
    }
    if let Some(newest) = survey.segments.last() {
        recover_tail(disk, newest, &mut recovered)?;
        // A damaged file is not written on, and a hole at its end (a later file without header) not filled.
        let damaged = survey.damage.iter().any(|damage| damage.segment == newest.name);
        recovered.can_continue = !damaged && newest.scan.end == survey.end;
    }
    // The last rename may not have been synced before the crash.
    disk.sync_directory().during(Operation::SyncDirectory, ".")?;
    Ok(recovered)
}

fn quarantine(disk: &dyn Disk, damage: &mut Damage) {
    tracing::error!(
        segment = %damage.segment, kind = ?damage.kind, offset = damage.offset,
        missing_from = damage.missing.start.0, missing_to = damage.missing.end.0,
        "damage in the log"
    );
    let copy = format!("{}.at-{}", damage.segment, damage.offset);
    match disk.quarantine(&damage.segment, &copy) {
        Ok(()) => damage.quarantined = Some(copy),
        Err(error) => tracing::error!(segment = %damage.segment, %error, "cannot copy to quarantine"),
    }
}

fn recover_tail(disk: &dyn Disk, newest: &SurveyedSegment, recovered: &mut Recovered) -> Result<(), Fault> {
    let name = &newest.name;
    let file = disk.open(name).during(Operation::Open, name)?;
    if let Some(torn) = newest.torn() {
        tracing::warn!(segment = %name, offset = torn.start, bytes = torn.end - torn.start, "cutting a torn batch");
        write_zeros(&*file, torn.start, torn.end).during(Operation::Write, name)?;
        recovered.torn_bytes = torn.end - torn.start;
        recovered.torn_batches += 1;
    }
    rewrite_last_batch(&*file, newest)?;
    file.sync_data().during(Operation::Sync, name)
}

/// Writes the last batch, or the bare header block, again as it is. The process before may have died just after a
/// failed fsync; then the kernel holds those pages as clean, and a sync alone would call durable what never
/// reached the disk. Earlier batches were durable before the last one was written.
fn rewrite_last_batch(file: &dyn DiskFile, newest: &SurveyedSegment) -> Result<(), Fault> {
    let (offset, size) = match &newest.scan.last {
        Some((offset, header)) => (*offset, header.size_bytes()),
        None => (0, FIRST_BATCH_OFFSET),
    };
    let mut bytes = vec![0; size.min(newest.size_bytes.saturating_sub(offset)) as usize];
    let count = read_full(file, &mut bytes, offset).during(Operation::Read, &newest.name)?;
    bytes.truncate(count);
    file.write_all_at(&bytes, offset).during(Operation::Write, &newest.name)
}
