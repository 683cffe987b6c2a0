use std::{collections::BTreeMap, ops::Range};

use super::{SegmentScan, Tail, scan_segment};
use crate::{
    LogId, OpenError, Position,
    disk::{Disk, read_full},
    error::{During, Operation},
    format::{self, BATCH_HEADER_SIZE, BatchHeader, FIRST_BATCH_OFFSET, HeaderState, SegmentHeader},
    recovery::{Damage, DamageKind},
    scan::Window,
};

/// A segment as found.
#[derive(Debug)]
pub(crate) struct SurveyedSegment {
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
    pub(crate) header: SegmentHeader,
    pub(crate) scan: SegmentScan,
}

/// A segment neither of whose headers is left, so that nothing in it can be validated.
#[derive(Debug)]
pub(crate) struct LostSegment {
    pub(crate) name: String,
    pub(crate) base: Position,
    pub(crate) size_bytes: u64,
}

/// The whole log as found, nothing changed.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// `None` if no header of any segment is left.
    pub(crate) log_id: Option<LogId>,
    /// Segments with a header, ascending.
    pub(crate) segments: Vec<SurveyedSegment>,
    /// Segments without one.
    pub(crate) lost: Vec<LostSegment>,
    pub(crate) damage: Vec<Damage>,
    /// A newest file with nothing in it: the log was killed while making it.
    pub(crate) unborn: Option<String>,
    /// Exclusive end of all positions known to have been given out and written.
    pub(crate) end: Position,
}

/// Reads the whole log.
pub(crate) fn survey(disk: &dyn Disk) -> Result<Survey, OpenError> {
    survey_from(disk, Position::default())
}

/// Reads the segments that may hold records from `from` on. Those before are not looked at.
pub(crate) fn survey_from(disk: &dyn Disk, from: Position) -> Result<Survey, OpenError> {
    let names = disk.list().during(Operation::List, ".")?;
    let mut files: BTreeMap<Position, String> =
        names.into_iter().filter_map(|name| Some((format::segment_position(&name)?, name))).collect();
    if let Some(first) = files.range(..=from).next_back().map(|(base, _)| *base) {
        files = files.split_off(&first);
    }
    let mut found = Vec::new();
    for (base, name) in files {
        found.push(FoundFile::read(disk, base, name)?);
    }
    let mut survey = Survey { log_id: newest_log_id(&found), ..Survey::default() };
    if let Some(first) = found.first() {
        survey.end = first.base;
    }
    for (at, file) in found.iter().enumerate() {
        survey.add(disk, file, found.get(at + 1).map(|next| next.base))?;
    }
    Ok(survey)
}

fn newest_log_id(found: &[FoundFile]) -> Option<LogId> {
    found.iter().rev().find_map(|file| file.header()).map(|header| header.log_id)
}

struct FoundFile {
    base: Position,
    name: String,
    size_bytes: u64,
    header: HeaderState,
}

impl FoundFile {
    fn read(disk: &dyn Disk, base: Position, name: String) -> Result<Self, OpenError> {
        let file = disk.open_read(&name).during(Operation::Open, &name)?;
        let size_bytes = file.size_bytes().during(Operation::Read, &name)?;
        let mut block = vec![0; FIRST_BATCH_OFFSET as usize];
        let count = read_full(&*file, &mut block, 0).during(Operation::Read, &name)?;
        block.truncate(count);
        Ok(Self { base, name, size_bytes, header: format::read_header(&block) })
    }

    fn header(&self) -> Option<&SegmentHeader> {
        match &self.header {
            HeaderState::Intact(header) | HeaderState::OneCopy(header) => Some(header),
            HeaderState::Lost => None,
        }
    }

    fn damage(&self, kind: DamageKind, offset: u64, missing: Range<Position>) -> Damage {
        Damage { segment: self.name.clone(), kind, offset, missing, quarantined: None }
    }
}

impl Survey {
    fn add(&mut self, disk: &dyn Disk, file: &FoundFile, next: Option<Position>) -> Result<(), OpenError> {
        let Some(header) = file.header() else {
            return self.add_without_header(disk, file, next);
        };
        self.check_identity(file, header)?;
        if matches!(file.header, HeaderState::OneCopy(_)) {
            self.damage.push(file.damage(DamageKind::Header, 0, file.base..file.base));
        }
        let handle = disk.open_read(&file.name).during(Operation::Open, &file.name)?;
        let scan = scan_segment(handle, &file.name, file.size_bytes, header, next)?;
        self.judge(file, header, &scan, next);
        self.segments.push(SurveyedSegment {
            name: file.name.clone(),
            size_bytes: file.size_bytes,
            header: *header,
            scan,
        });
        Ok(())
    }

    fn check_identity(&self, file: &FoundFile, header: &SegmentHeader) -> Result<(), OpenError> {
        if header.version != format::FORMAT_VERSION {
            return Err(OpenError::Version { segment: file.name.clone(), version: header.version });
        }
        match self.log_id {
            Some(expected) if header.log_id != expected || header.base != file.base => {
                Err(OpenError::Foreign {
                    segment: file.name.clone(),
                    found: header.log_id,
                    base: header.base,
                    expected,
                })
            }
            _ => Ok(()),
        }
    }

    /// Tells damage from what a crash leaves. Batch N+1 is written only after N is durable, so only the last
    /// batch of the newest segment can be torn; everything else that does not validate was durable once.
    fn judge(
        &mut self,
        file: &FoundFile,
        header: &SegmentHeader,
        scan: &SegmentScan,
        next: Option<Position>,
    ) {
        for hole in &scan.holes {
            self.damage.push(file.damage(DamageKind::Batch, hole.offset, hole.missing.clone()));
        }
        self.end = self.end.max(scan.end);
        let truncated = file.size_bytes < header.reserved_bytes;
        match next {
            Some(next) if scan.end < next => {
                let kind = if scan.tail == Tail::Clean { DamageKind::Missing } else { DamageKind::Batch };
                self.damage.push(file.damage(kind, scan.end_offset, scan.end..next));
                self.end = next;
            }
            None if truncated => {
                self.damage.push(file.damage(DamageKind::Truncated, file.size_bytes, scan.end..scan.end));
            }
            _ => {}
        }
    }

    fn add_without_header(
        &mut self,
        disk: &dyn Disk,
        file: &FoundFile,
        next: Option<Position>,
    ) -> Result<(), OpenError> {
        let end = match next {
            Some(next) => next,
            None => match guess_end(disk, file)? {
                Some(end) => end,
                None => {
                    // A segment gets its name only when all its space is filled and synced, so a crash does not
                    // leave a file without room for a header: somebody has cut it, and what it held is lost.
                    if file.size_bytes < FIRST_BATCH_OFFSET {
                        let lost = file.base..file.base;
                        self.damage.push(file.damage(DamageKind::Truncated, file.size_bytes, lost));
                    }
                    self.unborn = Some(file.name.clone());
                    return Ok(());
                }
            },
        };
        self.damage.push(file.damage(DamageKind::Header, 0, file.base..end));
        self.lost.push(LostSegment { name: file.name.clone(), base: file.base, size_bytes: file.size_bytes });
        self.end = end;
        Ok(())
    }
}

impl SurveyedSegment {
    /// Bytes of a torn last batch, if this is the newest segment.
    pub(crate) fn torn(&self) -> Option<Range<u64>> {
        match self.scan.tail {
            Tail::Garbage { end_offset } => Some(self.scan.end_offset..end_offset),
            Tail::Clean => None,
        }
    }
}

/// The end of a newest segment whose header, and so the means to validate its batches, is lost. Taken from what
/// looks like batch headers and believed only as far as the file could hold so many records: a position given out
/// twice would be worse than a few left out, so there is at least one. `None` if there is nothing behind the
/// header block.
fn guess_end(disk: &dyn Disk, file: &FoundFile) -> Result<Option<Position>, OpenError> {
    let handle = disk.open_read(&file.name).during(Operation::Open, &file.name)?;
    let mut window = Window::new(handle, file.size_bytes);
    let most = file.base.plus(file.size_bytes / format::RECORD_HEADER_SIZE as u64);
    let mut end = file.base;
    let mut empty = true;
    let mut offset = FIRST_BATCH_OFFSET;
    while let Some(bytes) = window.slice(offset, 8).during(Operation::Read, &file.name)? {
        if bytes != [0; 8] {
            empty = false;
            let bytes = window.slice(offset, BATCH_HEADER_SIZE).during(Operation::Read, &file.name)?;
            if let Some(header) = bytes.and_then(BatchHeader::decode_unsealed)
                && header.first >= file.base
                && header.end() <= most
            {
                end = end.max(header.end());
            }
        }
        offset += 8;
    }
    Ok((!empty).then_some(end.max(file.base.plus(1))))
}
