use std::{io, sync::Arc};

use crate::{
    disk::{DiskFile, read_full},
    format::{BATCH_HEADER_SIZE, BATCH_MAGIC, BatchHeader, Seed},
};

/// Bytes read ahead at least.
const READ_AHEAD: usize = 1 << 20;
const BLOCK: usize = 4096;

/// A view that slides over a file: a slice of it is read once, with what follows it, up to a limit. Memory is
/// bounded by the largest batch, never by a length found in the file.
#[derive(Debug)]
pub(crate) struct Window {
    file: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    filled: usize,
    start: u64,
    read_ahead: usize,
    /// No byte at or past this offset is looked at.
    pub(crate) limit: u64,
}

/// A valid batch further on, and where it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundBatch {
    pub(crate) offset: u64,
    pub(crate) header: BatchHeader,
}

impl Window {
    pub(crate) fn new(file: Arc<dyn DiskFile>, limit: u64) -> Self {
        Self { file, buffer: Vec::new(), filled: 0, start: 0, read_ahead: READ_AHEAD, limit }
    }

    /// Reads ahead less, for a reader that wants little.
    pub(crate) fn with_read_ahead(mut self, size: usize) -> Self {
        self.read_ahead = size;
        self
    }

    /// `length` bytes at `offset`; `None` if the file or the limit ends before.
    pub(crate) fn slice(&mut self, offset: u64, length: usize) -> io::Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(length as u64).filter(|end| *end <= self.limit) else {
            return Ok(None);
        };
        if offset < self.start || end > self.start + self.filled as u64 {
            self.fill(offset, length)?;
        }
        let from = (offset - self.start) as usize;
        Ok(self.buffer[..self.filled].get(from..from + length))
    }

    fn fill(&mut self, offset: u64, length: usize) -> io::Result<()> {
        let wanted = ((self.limit - offset) as usize).min(length.max(self.read_ahead));
        let old_end = self.start + self.filled as u64;
        let kept = if offset >= self.start && offset < old_end {
            let from = (offset - self.start) as usize;
            self.buffer.copy_within(from..self.filled, 0);
            self.filled - from
        } else {
            0
        };
        self.start = offset;
        self.filled = kept;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        if let Some(rest) = self.buffer.get_mut(kept..wanted) {
            self.filled += read_full(&*self.file, rest, offset + kept as u64)?;
        }
        Ok(())
    }

    /// The header of the batch at `offset`, its own checksum verified, its payload not.
    pub(crate) fn batch_header(&mut self, offset: u64, seed: Seed) -> io::Result<Option<BatchHeader>> {
        Ok(self.slice(offset, BATCH_HEADER_SIZE)?.and_then(|bytes| BatchHeader::decode(bytes, seed)))
    }

    /// The payload of the batch at `offset`, if it is intact.
    pub(crate) fn payload(
        &mut self,
        offset: u64,
        header: &BatchHeader,
        seed: Seed,
    ) -> io::Result<Option<&[u8]>> {
        let size = header.payload_size as usize;
        let payload = self.slice(offset + BATCH_HEADER_SIZE as u64, size)?;
        Ok(payload.filter(|payload| header.matches(payload, seed)))
    }

    /// The header of the batch at `offset`, if all of it is intact.
    pub(crate) fn batch(&mut self, offset: u64, seed: Seed) -> io::Result<Option<BatchHeader>> {
        let Some(header) = self.batch_header(offset, seed)? else {
            return Ok(None);
        };
        Ok(self.payload(offset, &header, seed)?.map(|_| header))
    }

    /// Searches every aligned offset from `offset` for an intact batch that `accepts` takes. Gives it, or else
    /// the exclusive end of the last byte that is not zero.
    pub(crate) fn search(
        &mut self,
        offset: u64,
        seed: Seed,
        accepts: impl Fn(&BatchHeader) -> bool,
    ) -> io::Result<Result<FoundBatch, u64>> {
        let mut probe = Self::new(Arc::clone(&self.file), self.limit);
        let mut used_end = offset;
        let mut at = offset;
        while at < self.limit {
            let length = BLOCK.min((self.limit - at) as usize);
            let Some(block) = self.slice(at, length)? else {
                break;
            };
            if block.iter().fold(0, |all, byte| all | byte) != 0 {
                for (index, word) in block.chunks(8).enumerate().filter(|(_, word)| **word != [0; 8]) {
                    let offset = at + 8 * index as u64;
                    used_end = offset + word.len() as u64;
                    if !word.starts_with(&BATCH_MAGIC.to_le_bytes()) {
                        continue;
                    }
                    if let Some(header) = probe.batch(offset, seed)?.filter(&accepts) {
                        return Ok(Ok(FoundBatch { offset, header }));
                    }
                }
            }
            at += length as u64;
        }
        Ok(Err(used_end))
    }
}
