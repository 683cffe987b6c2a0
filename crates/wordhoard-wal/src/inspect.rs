//! Looks at a log without opening it: takes no lock, changes nothing, works on a live log or a dead one.
//!
//! On a live log the last batch may be seen half written; it then shows as torn.

use std::{io, path::Path, sync::Arc};

use crate::{
    Damage, LogId, OpenError, OsDisk, Position, ReadError, Record,
    catalog::Catalog,
    cursor::Cursor,
    disk::Disk,
    error::{Fault, Operation},
    format,
    scan::{self, Survey, SurveyedSegment},
};

/// Bytes of records read at once.
const READ_SIZE: usize = 256 << 10;
/// How often a survey begins anew because a live log released a segment under it.
const SURVEY_TRIES: u32 = 10;

/// What a log holds.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Identity of the log; `None` if no segment header is left, or there is no log.
    pub log_id: Option<LogId>,
    /// First position held.
    pub first: Position,
    /// Exclusive end of what is held.
    pub end: Position,
    /// Every readable segment, ascending.
    pub segments: Vec<SegmentSummary>,
    /// What was written durably once and is no longer intact.
    pub damage: Vec<Damage>,
    /// Bytes of an unfinished batch at the very end: torn by a crash, or being written just now.
    pub torn_bytes: u64,
}

/// What one segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSummary {
    /// File name.
    pub name: String,
    /// Size of the file.
    pub size_bytes: u64,
    /// Reopenings after a fault before it was made.
    pub epoch: u32,
    /// First position.
    pub first: Position,
    /// Exclusive end of its records.
    pub end: Position,
    /// Intact batches.
    pub batches: u64,
    /// The log was closed with this as its last batch.
    pub sealed: bool,
    /// Bytes behind the last batch that are none, and superseded by the next segment if there is one.
    pub torn_bytes: u64,
}

/// The segment files in a folder, each with the position of its first record, in no order. Nothing of them is read.
///
/// # Errors
/// Where the folder cannot be read.
pub fn segment_files(dir: &Path) -> io::Result<Vec<(Position, String)>> {
    let names = OsDisk::existing(dir)?.list()?;
    Ok(names.into_iter().filter_map(|name| Some((format::segment_position(&name)?, name))).collect())
}

/// Reads and verifies a whole log.
pub fn verify(dir: &Path) -> Result<Summary, OpenError> {
    Ok(scan(dir)?.summary)
}

/// Verifies a log and gives its records in order.
pub fn scan(dir: &Path) -> Result<Scan, OpenError> {
    let disk = OsDisk::existing(dir)
        .map_err(|source| Fault::new(Operation::Open, &dir.to_string_lossy(), source))?;
    scan_disk(Arc::new(disk))
}

/// Verifies what a log holds from `from` on, and gives those records in order. The segments before are not read.
pub fn scan_from(dir: &Path, from: Position) -> Result<Scan, OpenError> {
    let disk = OsDisk::existing(dir)
        .map_err(|source| Fault::new(Operation::Open, &dir.to_string_lossy(), source))?;
    Ok(scan_disk_from(Arc::new(disk), from)?.from(from))
}

/// The same as [`scan`] for any disk.
pub fn scan_disk(disk: Arc<dyn Disk>) -> Result<Scan, OpenError> {
    scan_disk_from(disk, Position::default())
}

fn scan_disk_from(disk: Arc<dyn Disk>, from: Position) -> Result<Scan, OpenError> {
    let survey = survey(&*disk, from)?;
    let summary = Summary::of(&survey);
    let catalog = Arc::new(Catalog::new(survey.segments, survey.lost));
    let cursor = Cursor::new(disk, Arc::clone(&catalog), catalog.first());
    Ok(Scan { summary, catalog, cursor, ready: Vec::new().into_iter(), ended: false })
}

fn survey(disk: &dyn Disk, from: Position) -> Result<Survey, OpenError> {
    let mut tries = 1;
    loop {
        match scan::survey_from(disk, from) {
            Err(OpenError::Disk(fault)) if is_gone(&fault) && tries < SURVEY_TRIES => tries += 1,
            surveyed => return surveyed,
        }
    }
}

/// Whether a segment went away: on a live log it was released.
fn is_gone(fault: &Fault) -> bool {
    fault.operation == Operation::Open && fault.source.kind() == io::ErrorKind::NotFound
}

/// An iterator over the records of a log. A segment that a live log releases meanwhile comes as
/// [`ReadError::Released`], and the records behind it follow. Damaged records come as one [`ReadError::Damaged`] in their place; after
/// another error it ends.
#[derive(Debug)]
pub struct Scan {
    summary: Summary,
    catalog: Arc<Catalog>,
    cursor: Cursor,
    ready: std::vec::IntoIter<Record>,
    ended: bool,
}

impl Scan {
    /// What the log holds.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Skips the records below `position`.
    #[must_use]
    pub fn from(mut self, position: Position) -> Self {
        self.cursor.position = self.cursor.position.max(position);
        self
    }
}

impl Scan {
    /// Where the records go on behind the segment that is gone.
    fn behind_released(&self) -> Position {
        let segments = self.catalog.all();
        let behind = segments.iter().map(|segment| segment.base).find(|base| *base > self.cursor.position);
        behind.unwrap_or(self.summary.end)
    }
}

impl Iterator for Scan {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(record) = self.ready.next() {
            return Some(Ok(record));
        }
        if self.ended {
            return None;
        }
        match self.cursor.next_batch(self.summary.end, READ_SIZE) {
            Ok(records) => {
                self.ready = records.into_iter();
                self.ready.next().map(Ok)
            }
            Err(ReadError::Disk(fault)) if is_gone(&fault) => {
                let first_available = self.behind_released();
                self.cursor.position = first_available;
                Some(Err(ReadError::Released { first_available }))
            }
            Err(error) => {
                self.ended = !matches!(error, ReadError::Damaged { .. });
                Some(Err(error))
            }
        }
    }
}

impl Summary {
    fn of(survey: &Survey) -> Self {
        let segments: Vec<_> = survey.segments.iter().map(SegmentSummary::of).collect();
        let lost = survey.lost.iter().map(|lost| lost.base);
        let first = segments.iter().map(|segment| segment.first).chain(lost).min();
        Self {
            log_id: survey.log_id,
            first: first.unwrap_or(survey.end),
            end: survey.end,
            damage: survey.damage.clone(),
            torn_bytes: segments.last().map_or(0, |segment| segment.torn_bytes),
            segments,
        }
    }
}

impl SegmentSummary {
    fn of(found: &SurveyedSegment) -> Self {
        Self {
            name: found.name.clone(),
            size_bytes: found.size_bytes,
            epoch: found.header.epoch,
            first: found.header.base,
            end: found.scan.end,
            batches: found.scan.batches,
            sealed: found.scan.last.is_some_and(|(_, header)| header.seal),
            torn_bytes: found.torn().map_or(0, |torn| torn.end - torn.start),
        }
    }
}
