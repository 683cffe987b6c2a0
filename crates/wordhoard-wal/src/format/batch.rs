use std::time::Instant;

use super::{Fields, MAX_BATCH_PAYLOAD, RECORD_HEADER_SIZE, Seed, encode_record, framing_is_intact};
use crate::Position;

pub(crate) const BATCH_HEADER_SIZE: usize = 48;
pub(crate) const BATCH_MAGIC: u32 = u32::from_le_bytes(*b"WHBT");
const SEAL: u32 = 1;

/// Size in the file of `size` bytes: batches start at multiples of 8.
pub(crate) const fn padded(size: u64) -> u64 {
    size.next_multiple_of(8)
}

/// The head of a batch. An *empty* batch with the seal flag ends a log that was closed: behind it, a bit flipped
/// in the last real batch is seen to be damage and not a torn write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    /// Counts the batches of its segment from 0.
    pub(crate) number: u64,
    /// The durable mark when this batch was written; never above `first`.
    pub(crate) previous_durable: Position,
    pub(crate) first: Position,
    pub(crate) records: u32,
    pub(crate) payload_size: u32,
    pub(crate) seal: bool,
    payload_crc: u32,
}

impl BatchHeader {
    fn encode(&self, seed: Seed) -> [u8; BATCH_HEADER_SIZE] {
        let mut out = [0; BATCH_HEADER_SIZE];
        out[..4].copy_from_slice(&BATCH_MAGIC.to_le_bytes());
        out[4..8].copy_from_slice(&self.payload_crc.to_le_bytes());
        out[8..16].copy_from_slice(&self.number.to_le_bytes());
        out[16..24].copy_from_slice(&self.previous_durable.0.to_le_bytes());
        out[24..32].copy_from_slice(&self.first.0.to_le_bytes());
        out[32..36].copy_from_slice(&self.records.to_le_bytes());
        out[36..40].copy_from_slice(&self.payload_size.to_le_bytes());
        out[40..44].copy_from_slice(&(if self.seal { SEAL } else { 0 }).to_le_bytes());
        let crc = seed.checksum(&out[..44]);
        out[44..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// The header at the front of `bytes`, if its own checksum and its numbers hold.
    pub(crate) fn decode(bytes: &[u8], seed: Seed) -> Option<Self> {
        let bytes: &[u8; BATCH_HEADER_SIZE] = bytes.first_chunk()?;
        let crc = Fields(&bytes[44..]).u32()?;
        (crc == seed.checksum(&bytes[..44])).then(|| Self::decode_unsealed(bytes)).flatten()
    }

    /// The same without the checksum, for a segment whose id is lost: good for a guess, never for records.
    pub(crate) fn decode_unsealed(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.u32()? != BATCH_MAGIC {
            return None;
        }
        let payload_crc = fields.u32()?;
        let header = Self {
            number: fields.u64()?,
            previous_durable: Position(fields.u64()?),
            first: Position(fields.u64()?),
            records: fields.u32()?,
            payload_size: fields.u32()?,
            seal: fields.u32()? == SEAL,
            payload_crc,
        };
        header.is_plausible().then_some(header)
    }

    fn is_plausible(&self) -> bool {
        let payload_size = u64::from(self.payload_size);
        self.previous_durable <= self.first
            && self.first.0.checked_add(u64::from(self.records)).is_some()
            && payload_size <= MAX_BATCH_PAYLOAD as u64
            && u64::from(self.records) * RECORD_HEADER_SIZE as u64 <= payload_size
            && (self.records > 0 || payload_size == 0)
    }

    /// Exclusive end of the batch's records.
    pub(crate) fn end(&self) -> Position {
        self.first.plus(u64::from(self.records))
    }

    /// Bytes of the batch in the file, padding included.
    pub(crate) fn size_bytes(&self) -> u64 {
        padded(BATCH_HEADER_SIZE as u64 + u64::from(self.payload_size))
    }

    /// True if `payload` is what was written with this header.
    pub(crate) fn matches(&self, payload: &[u8], seed: Seed) -> bool {
        payload.len() as u64 == u64::from(self.payload_size)
            && seed.checksum(payload) == self.payload_crc
            && framing_is_intact(payload, self.records)
    }
}

/// A batch in the making: records are encoded behind room for the header, which is filled in last, so that the
/// whole goes to disk in one write without being copied.
#[derive(Debug)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    pub(crate) first: Position,
    pub(crate) records: u32,
    /// When the first record was queued.
    pub(crate) since: Instant,
}

impl Chunk {
    /// An empty batch in `bytes`, whose capacity is used again.
    pub(crate) fn new(mut bytes: Vec<u8>, first: Position) -> Self {
        bytes.clear();
        bytes.resize(BATCH_HEADER_SIZE, 0);
        Self { bytes, first, records: 0, since: Instant::now() }
    }

    pub(crate) fn push(&mut self, kind: u8, version: u8, payload: &[u8]) {
        encode_record(&mut self.bytes, kind, version, payload);
        self.records += 1;
    }

    /// Bytes of the records so far.
    pub(crate) fn payload_size(&self) -> usize {
        self.bytes.len() - BATCH_HEADER_SIZE
    }

    pub(crate) fn end(&self) -> Position {
        self.first.plus(u64::from(self.records))
    }

    /// Fills in the header and pads. A batch without records becomes a seal.
    pub(crate) fn finish(&mut self, seed: Seed, number: u64, previous_durable: Position) -> &[u8] {
        let header = BatchHeader {
            number,
            previous_durable,
            first: self.first,
            records: self.records,
            payload_size: self.payload_size() as u32,
            seal: self.records == 0,
            payload_crc: seed.checksum(&self.bytes[BATCH_HEADER_SIZE..]),
        };
        self.bytes[..BATCH_HEADER_SIZE].copy_from_slice(&header.encode(seed));
        self.bytes.resize(padded(self.bytes.len() as u64) as usize, 0);
        &self.bytes
    }

    /// Gives the buffer back for another batch.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(seed: Seed) -> Vec<u8> {
        let mut chunk = Chunk::new(Vec::new(), Position(5));
        chunk.push(1, 1, b"one");
        chunk.push(2, 1, b"three");
        chunk.finish(seed, 9, Position(5)).to_vec()
    }

    #[test]
    fn a_batch_comes_back_as_it_went_in() {
        let seed = Seed::of_segment(77);
        let bytes = encoded(seed);
        let header = BatchHeader::decode(&bytes, seed).unwrap();
        assert_eq!((header.number, header.first, header.end()), (9, Position(5), Position(7)));
        assert_eq!(header.size_bytes(), bytes.len() as u64);
        assert!(header.matches(&bytes[48..48 + header.payload_size as usize], seed));
    }

    #[test]
    fn bytes_of_another_segment_never_validate() {
        let bytes = encoded(Seed::of_segment(77));
        assert_eq!(BatchHeader::decode(&bytes, Seed::of_segment(78)), None);
    }

    #[test]
    fn every_flipped_bit_of_header_and_payload_is_noticed() {
        let seed = Seed::of_segment(77);
        let bytes = encoded(seed);
        let size = 48 + BatchHeader::decode(&bytes, seed).unwrap().payload_size as usize;
        for bit in 0..size * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let intact = BatchHeader::decode(&bytes, seed).is_some_and(|h| h.matches(&bytes[48..size], seed));
            assert!(!intact, "bit {bit}");
        }
    }
}
