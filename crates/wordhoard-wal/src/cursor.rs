use std::{io, sync::Arc};

use crate::{
    Position, ReadError, Record,
    catalog::{Catalog, Place, Segment},
    disk::Disk,
    error::{During, Fault, Operation},
    format::{BatchHeader, split_record},
    scan::{FoundBatch, Window},
};

/// Bytes a reader reads ahead.
const READ_AHEAD: usize = 256 << 10;

/// Walks the durable records of a log in order.
#[derive(Debug)]
pub(crate) struct Cursor {
    disk: Arc<dyn Disk>,
    catalog: Arc<Catalog>,
    pub(crate) position: Position,
    spot: Option<Spot>,
}

/// Where in a file the cursor stands: at a batch, and perhaps inside it.
#[derive(Debug)]
struct Spot {
    segment: Arc<Segment>,
    window: Window,
    offset: u64,
    inside: Option<Inside>,
}

/// A batch whose checksum was verified, and the record to read next from it.
#[derive(Debug)]
struct Inside {
    header: BatchHeader,
    position: Position,
    payload_offset: usize,
}

impl Cursor {
    pub(crate) fn new(disk: Arc<dyn Disk>, catalog: Arc<Catalog>, position: Position) -> Self {
        Self { disk, catalog, position, spot: None }
    }

    /// Records below `durable`, about `max_bytes` of them, at least one if there is any.
    pub(crate) fn next_batch(
        &mut self,
        durable: Position,
        max_bytes: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::new();
        let mut budget = max_bytes;
        while self.position < durable && (records.is_empty() || budget > 0) {
            match self.step(durable, &mut budget, &mut records) {
                Ok(()) => {}
                Err(error) if records.is_empty() => {
                    self.spot = None;
                    if let ReadError::Damaged { missing } = &error {
                        self.position = missing.end;
                    }
                    return Err(error);
                }
                // Position is still before the trouble, so the next call meets it again and tells.
                Err(_) => {
                    self.spot = None;
                    break;
                }
            }
        }
        Ok(records)
    }

    /// Reads from one batch.
    fn step(
        &mut self,
        durable: Position,
        budget: &mut usize,
        records: &mut Vec<Record>,
    ) -> Result<(), ReadError> {
        let segment = match self.catalog.find(self.position, durable) {
            Place::In(segment) => segment,
            Place::Missing(missing) => return Err(ReadError::Damaged { missing }),
            Place::Released(first_available) => return Err(ReadError::Released { first_available }),
        };
        if let Some(missing) = segment.missing_at(self.position) {
            return Err(ReadError::Damaged { missing });
        }
        let mut spot = match self.spot.take().filter(|spot| Arc::ptr_eq(&spot.segment, &segment)) {
            Some(spot) => spot,
            None => self.enter(segment)?,
        };
        spot.enter_batch(self.position)?;
        self.position = spot.take_records(self.position, durable, budget, records)?;
        self.spot = Some(spot);
        Ok(())
    }

    fn enter(&self, segment: Arc<Segment>) -> Result<Spot, ReadError> {
        let file = match self.disk.open_read(&segment.name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.catalog.first() > self.position => {
                return Err(ReadError::Released { first_available: self.catalog.first() });
            }
            Err(error) => return Err(Fault::new(Operation::Open, &segment.name, error).into()),
        };
        let offset = segment.seek(self.position);
        let window = Window::new(file, offset).with_read_ahead(READ_AHEAD);
        Ok(Spot { segment, window, offset, inside: None })
    }
}

impl Spot {
    /// Moves to the batch that holds `position` and verifies it.
    fn enter_batch(&mut self, position: Position) -> Result<(), ReadError> {
        let (end, end_offset) = self.segment.durable_end();
        self.window.limit = end_offset;
        while self.inside.is_none() {
            if let Some(hole) = self.segment.hole_at(self.offset) {
                self.offset = hole.resume;
            }
            let header = self
                .window
                .batch_header(self.offset, self.segment.seed)
                .during(Operation::Read, &self.segment.name)?;
            match header {
                Some(header) if header.end() <= position => self.offset += header.size_bytes(),
                Some(header) if header.first <= position && self.is_intact(&header)? => {
                    self.inside = Some(Inside { header, position: header.first, payload_offset: 0 });
                }
                _ => return self.damaged(position, end),
            }
        }
        Ok(())
    }

    fn is_intact(&mut self, header: &BatchHeader) -> Result<bool, Fault> {
        let payload = self.window.payload(self.offset, header, self.segment.seed);
        Ok(payload.during(Operation::Read, &self.segment.name)?.is_some())
    }

    /// Damage that was not there when the log was opened: tells up to where.
    fn damaged(&mut self, position: Position, end: Position) -> Result<(), ReadError> {
        let found = self
            .window
            .search(self.offset, self.segment.seed, |header| header.first > position)
            .during(Operation::Read, &self.segment.name)?;
        let behind = match found {
            Ok(FoundBatch { header, .. }) => header.first,
            Err(_) => end,
        };
        tracing::error!(
            segment = %self.segment.name, offset = self.offset,
            missing_from = position.0, missing_to = behind.0,
            "damage found while reading"
        );
        Err(ReadError::Damaged { missing: position..behind })
    }

    /// Takes records from `position` on, and gives the position after them. Records below it are passed over.
    fn take_records(
        &mut self,
        mut position: Position,
        durable: Position,
        budget: &mut usize,
        records: &mut Vec<Record>,
    ) -> Result<Position, ReadError> {
        let Some(inside) = &mut self.inside else {
            return Ok(position);
        };
        let size = inside.header.payload_size as usize;
        let start = self.offset + crate::format::BATCH_HEADER_SIZE as u64;
        let payload = self.window.slice(start, size).during(Operation::Read, &self.segment.name)?;
        let end = inside.header.end().min(durable).min(self.segment.end());
        let mut rest = payload.and_then(|payload| payload.get(inside.payload_offset..)).unwrap_or_default();
        while position < end && (records.is_empty() || *budget > 0) {
            let Some((raw, after)) = split_record(rest) else {
                return Err(ReadError::Damaged { missing: position..end });
            };
            if inside.position == position {
                *budget = budget.saturating_sub(raw.payload.len().max(1));
                let payload = raw.payload.to_vec();
                records.push(Record { position, kind: raw.kind, version: raw.version, payload });
                position = position.plus(1);
            }
            inside.position = inside.position.plus(1);
            inside.payload_offset = size - after.len();
            rest = after;
        }
        if inside.position >= inside.header.end() {
            self.offset += inside.header.size_bytes();
            self.inside = None;
        }
        Ok(position)
    }
}
