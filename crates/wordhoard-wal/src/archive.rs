//! The archive: a directory into which a log is mirrored, so that its records outlive their release.
//!
//! An archived segment is a copy of the segment as far as it is durable, under the same name, so an archive is read by
//! [`inspect::scan`](crate::inspect::scan) like a log. The copy of a segment that is still written grows with it. A
//! crash in the middle of that leaves a torn end, which is what a reader makes of it, and the next call goes on from
//! the last batch that is whole.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
};

use crate::{
    Position,
    catalog::Segment,
    disk::{Disk, DiskFile, read_full},
    error::{During, Fault, Operation},
    format::{self, FIRST_BATCH_OFFSET, HeaderState, Seed},
    scan::scan_segment,
    shared::Shared,
};

/// A copy in the making.
const NEW_COPY: &str = "copying.tmp";
/// Bytes that are read and written at once.
const STEP_BYTES: usize = 1 << 20;

/// A directory that a log is mirrored into. One log at a time, by one process at a time.
#[derive(Debug)]
pub struct Archive {
    disk: Arc<dyn Disk>,
    /// By name of the segment: up to where its copy is known to be equal, and durable.
    copied: HashMap<String, u64>,
    /// Copies whose last write or sync failed: they are never synced again, but made anew.
    suspect: HashSet<String>,
    through: Position,
}

/// What a call of [`Wal::archive`](crate::Wal::archive) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    /// Exclusive end of what the archive has durably.
    pub through: Position,
    /// Bytes that were copied.
    pub size_bytes: u64,
}

impl Archive {
    /// An archive in this directory. Nothing is read or written yet.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, copied: HashMap::new(), suspect: HashSet::new(), through: Position::default() }
    }

    /// Exclusive end of what it has durably, as far as this process knows.
    #[must_use]
    pub fn through(&self) -> Position {
        self.through
    }
}

/// Copies what became durable since the last call, oldest first, so that the archive never has a hole that the log
/// has not.
pub(crate) fn archive(shared: &Shared, archive: &mut Archive) -> Result<Archived, Fault> {
    let mut done = Archived { through: archive.through, size_bytes: 0 };
    let segments = shared.catalog.all();
    archive.copied.retain(|name, _| segments.iter().any(|segment| segment.name == *name));
    archive.suspect.retain(|name| segments.iter().any(|segment| segment.name == *name));
    for segment in &segments {
        let (end, end_offset) = segment.durable_end();
        if end > segment.base {
            done.size_bytes += bring_up(shared, archive, segment, end_offset)?;
        }
        archive.through = archive.through.max(end);
        done.through = archive.through;
    }
    Ok(done)
}

/// Brings the copy of one segment up to `end_offset`. Gives the bytes that were copied.
fn bring_up(
    shared: &Shared,
    archive: &mut Archive,
    segment: &Segment,
    end_offset: u64,
) -> Result<u64, Fault> {
    let name = &segment.name;
    if archive.copied.get(name).is_some_and(|copied| *copied >= end_offset) {
        return Ok(0);
    }
    let source = shared.disk.open_read(name).during(Operation::Open, name)?;
    let from = match archive.copied.get(name).filter(|_| !archive.suspect.contains(name)) {
        Some(copied) => *copied,
        None => found(archive, segment, &*source, end_offset)?,
    };
    // Until it is synced it counts as lost: a second sync of the same file would say that all is well.
    archive.suspect.insert(name.clone());
    if from < FIRST_BATCH_OFFSET {
        copy_anew(&*archive.disk, segment, &*source, end_offset)?;
    } else if from < end_offset {
        let target = archive.disk.open(name).during(Operation::Open, name)?;
        copy(&*source, &*target, from, end_offset).during(Operation::Write, name)?;
        target.sync_data().during(Operation::Sync, name)?;
    }
    archive.suspect.remove(name);
    archive.copied.insert(name.clone(), end_offset);
    Ok(end_offset.saturating_sub(from))
}

/// Up to where a copy is there that this process has not made or cannot be sure of; 0 where it has to be made anew.
///
/// What validates in the archive is never overwritten: the log may have been damaged since. Where the two differ, the
/// copy is kept in quarantine.
fn found(archive: &Archive, segment: &Segment, source: &dyn DiskFile, end: u64) -> Result<u64, Fault> {
    let (disk, name) = (&*archive.disk, &segment.name);
    let target = match disk.open_read(name) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(Fault::new(Operation::Open, name, error)),
    };
    if archive.suspect.contains(name) {
        return Ok(0);
    }
    // What the kernel remembers is not what the disk has, if the process before died after a failed sync.
    target.sync_data().during(Operation::Sync, name)?;
    target.forget_cached();
    let size_bytes = target.size_bytes().during(Operation::Read, name)?;
    let mut block = vec![0; FIRST_BATCH_OFFSET as usize];
    let count = read_full(&*target, &mut block, 0).during(Operation::Read, name)?;
    block.truncate(count);
    let intact = match format::read_header(&block) {
        HeaderState::Intact(header) if Seed::of_segment(header.segment_id) == segment.seed => {
            let scan = scan_segment(Arc::clone(&target), name, size_bytes, &header, None)?;
            scan.holes.is_empty().then_some(scan.end_offset)
        }
        _ => None,
    };
    if let Some(intact) = intact
        && equal_until(source, &*target, intact.min(end)).during(Operation::Read, name)? >= intact.min(end)
        && intact <= end
    {
        return Ok(intact);
    }
    let copy = format!("{name}.differs-{size_bytes}-{}", intact.unwrap_or(0));
    tracing::error!(
        segment = %name, copy,
        "a segment of the log and its copy in the archive are not the same; the copy is kept in the archive's quarantine"
    );
    disk.quarantine(name, &copy).during(Operation::Create, name)?;
    // A log that is damaged itself takes nothing from an archive that is not: the batches have the same places in both.
    Ok(intact.filter(|_| segment.has_holes()).map_or(0, |intact| intact.min(end)))
}

/// Up to where the two are equal.
fn equal_until(source: &dyn DiskFile, target: &dyn DiskFile, end: u64) -> io::Result<u64> {
    let (mut ours, mut theirs) = (vec![0; STEP_BYTES], vec![0; STEP_BYTES]);
    let mut at = 0;
    while at < end {
        let count = (end - at).min(STEP_BYTES as u64) as usize;
        let read = read_full(source, &mut ours[..count], at)?;
        let found = read_full(target, &mut theirs[..count], at)?;
        let differs = ours[..read].iter().zip(&theirs[..found]).position(|(one, other)| one != other);
        if differs.is_some() || read.min(found) < count {
            return Ok(at + differs.unwrap_or(read.min(found)) as u64);
        }
        at += count as u64;
    }
    Ok(end)
}

/// Makes the copy aside, and gives it its name when it is durable.
fn copy_anew(disk: &dyn Disk, segment: &Segment, source: &dyn DiskFile, end: u64) -> Result<(), Fault> {
    let name = &segment.name;
    let target = disk.create(NEW_COPY).during(Operation::Create, NEW_COPY)?;
    copy(source, &*target, 0, end).during(Operation::Write, name)?;
    // As long as the segment, or it would be taken for a truncated one; the rest is a hole in the file.
    let size_bytes = segment.size_bytes();
    if size_bytes > end {
        target.write_all_at(&[0], size_bytes - 1).during(Operation::Write, name)?;
    }
    target.sync_data().during(Operation::Sync, name)?;
    disk.rename(NEW_COPY, name).during(Operation::Rename, name)?;
    disk.sync_directory().during(Operation::SyncDirectory, name)
}

fn copy(source: &dyn DiskFile, target: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let mut buffer = vec![0; STEP_BYTES];
    let mut at = from;
    while at < to {
        let wanted = (to - at).min(STEP_BYTES as u64) as usize;
        let count = read_full(source, &mut buffer[..wanted], at)?;
        if count < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        target.write_all_at(&buffer[..count], at)?;
        at += count as u64;
    }
    Ok(())
}
