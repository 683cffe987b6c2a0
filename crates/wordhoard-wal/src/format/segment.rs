use super::Fields;
use crate::{LogId, Position};

const MAGIC: [u8; 8] = *b"WHWALSEG";
const SIZE: usize = 64;
/// The header stands twice in the first 4 KiB, at both ends, so that one bad sector or bit does not take the
/// segment id, and with it the means to validate any batch.
const COPY_AT: usize = FIRST_BATCH_OFFSET as usize - SIZE;

/// The version this code writes, and the only one it reads.
pub(crate) const FORMAT_VERSION: u32 = 2;
/// Offset of the first batch: behind the header block.
pub(crate) const FIRST_BATCH_OFFSET: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) version: u32,
    /// Counts the reopenings after a fault. A segment supersedes what lies at or past its base in segments of a
    /// lower epoch.
    pub(crate) epoch: u32,
    pub(crate) log_id: LogId,
    pub(crate) segment_id: u64,
    pub(crate) base: Position,
    /// Bytes reserved before first use. The file never gets shorter than this, so a shorter one was truncated.
    pub(crate) reserved_bytes: u64,
}

/// What the header block of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderState {
    Intact(SegmentHeader),
    /// One of the two copies does not validate; the other one serves.
    OneCopy(SegmentHeader),
    Lost,
}

impl SegmentHeader {
    fn encode(&self) -> [u8; SIZE] {
        let mut out = [0; SIZE];
        out[..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&self.version.to_le_bytes());
        out[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        out[16..32].copy_from_slice(&self.log_id.0);
        out[32..40].copy_from_slice(&self.segment_id.to_le_bytes());
        out[40..48].copy_from_slice(&self.base.0.to_le_bytes());
        out[48..56].copy_from_slice(&self.reserved_bytes.to_le_bytes());
        let crc = crc32c::crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SIZE] = bytes.first_chunk()?;
        let mut fields = Fields(bytes);
        if fields.array()? != MAGIC {
            return None;
        }
        let header = Self {
            version: fields.u32()?,
            epoch: fields.u32()?,
            log_id: LogId(fields.array()?),
            segment_id: fields.u64()?,
            base: Position(fields.u64()?),
            reserved_bytes: fields.u64()?,
        };
        let _reserved = fields.u32()?;
        (fields.u32()? == crc32c::crc32c(&bytes[..60])).then_some(header)
    }

    /// The first [`FIRST_BATCH_OFFSET`] bytes of the segment.
    pub(crate) fn block(&self) -> Vec<u8> {
        let mut block = vec![0; FIRST_BATCH_OFFSET as usize];
        let header = self.encode();
        block[..SIZE].copy_from_slice(&header);
        block[COPY_AT..].copy_from_slice(&header);
        block
    }
}

/// Reads a header block; fewer bytes than a whole one are a lost copy.
pub(crate) fn read_header(block: &[u8]) -> HeaderState {
    let first = SegmentHeader::decode(block);
    let copy = block.get(COPY_AT..).and_then(SegmentHeader::decode);
    match (first, copy) {
        (Some(first), Some(copy)) if first == copy => HeaderState::Intact(first),
        (Some(header), _) | (None, Some(header)) => HeaderState::OneCopy(header),
        (None, None) => HeaderState::Lost,
    }
}

/// `00000000000000004711.wal`: the first position, in 20 digits, so that names sort as positions do.
pub(crate) fn segment_name(base: Position) -> String {
    format!("{:020}.wal", base.0)
}

pub(crate) fn segment_position(name: &str) -> Option<Position> {
    let digits = name.strip_suffix(".wal")?;
    let well_formed = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| digits.parse().ok().map(Position)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader {
        version: FORMAT_VERSION,
        epoch: 3,
        log_id: LogId([0xab; 16]),
        segment_id: 0x0123_4567_89ab_cdef,
        base: Position(4711),
        reserved_bytes: 100 << 20,
    };

    #[test]
    fn header_has_the_documented_bytes() {
        let expected = [
            "574857414c534547",
            "02000000",
            "03000000",
            "abababababababababababababababab",
            "efcdab8967452301",
            "6712000000000000",
            "0000400600000000",
        ];
        let hex: String = HEADER.encode()[..56].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected.concat());
    }

    #[test]
    fn either_copy_of_the_header_serves() {
        assert_eq!(read_header(&HEADER.block()), HeaderState::Intact(HEADER));
        for at in [10, COPY_AT + 10] {
            let mut block = HEADER.block();
            block[at] ^= 1;
            assert_eq!(read_header(&block), HeaderState::OneCopy(HEADER));
        }
        assert_eq!(read_header(&HEADER.block()[..SIZE]), HeaderState::OneCopy(HEADER));
        assert_eq!(read_header(&[]), HeaderState::Lost);
    }

    #[test]
    fn only_twenty_digits_name_a_segment() {
        assert_eq!(segment_position(&segment_name(Position(4711))), Some(Position(4711)));
        assert_eq!(segment_position(&segment_name(Position(u64::MAX))), Some(Position(u64::MAX)));
        for name in ["1.wal", "spare.tmp", "99999999999999999999.wal", "+0000000000000000001.wal"] {
            assert_eq!(segment_position(name), None, "{name}");
        }
    }
}
