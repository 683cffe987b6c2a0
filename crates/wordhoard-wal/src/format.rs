//! The bytes on disk, pure and without I/O. `docs/storage-format.md` shows the same as tables.
//!
//! All integers are little-endian. Nothing here trusts a length before it has been checked against the bytes
//! that are really there.

mod batch;
mod record;
mod segment;

pub(crate) use batch::{BATCH_HEADER_SIZE, BATCH_MAGIC, BatchHeader, Chunk, padded};
pub(crate) use record::{RECORD_HEADER_SIZE, encode_record, framing_is_intact, split_record};
pub(crate) use segment::{
    FIRST_BATCH_OFFSET, FORMAT_VERSION, HeaderState, SegmentHeader, read_header, segment_name,
    segment_position,
};

/// Longest payload of one record: 64 MiB, which the longest body of a request (50 MiB) fits into.
pub const MAX_RECORD_SIZE_BYTES: usize = 64 << 20;

/// Longest payload of a batch: `batch_limit_bytes` is at most this, and one record may fill a batch alone.
pub(crate) const MAX_BATCH_PAYLOAD: usize = MAX_RECORD_SIZE_BYTES + RECORD_HEADER_SIZE;

/// Start value of the checksums of a segment's batches, made from the segment's random id, so that the bytes of
/// another segment (or a payload crafted to look like a batch) never validate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn of_segment(id: u64) -> Self {
        Self(crc32c::crc32c(&id.to_le_bytes()))
    }

    pub(crate) fn checksum(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }
}

/// Takes integers off the front of a slice; `None` when too few bytes are left.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
