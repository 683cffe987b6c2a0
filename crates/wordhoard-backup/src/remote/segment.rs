//! Segments of the log on their way: mostly zeros here, where they are sparse files; compressed there.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::RemoteError;
use super::content::{self, hex};
use super::download::create;
use super::error::at;

const BLOCK_BYTES: usize = 64 << 10;
const LEVEL: i32 = 3;

/// What a segment holds. A segment is only ever written on behind what it holds, so of two states of the same segment
/// one begins with all that the other holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filled {
    /// The size of the file.
    pub(super) size_bytes: u64,
    /// Up to its last byte that is not zero.
    pub(super) filled_bytes: u64,
    /// Of the bytes up to there.
    pub(super) sha256: String,
}

/// How a segment here and the same segment there stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// They hold the same.
    Same,
    /// This one goes on where the other ends.
    Longer,
    /// The other one holds more.
    Shorter,
    /// They are not two states of one segment.
    Other,
}

/// Reads the segment here, and says how it stands to `there`.
pub(super) fn survey(path: &Path, there: Option<&Filled>) -> Result<(Filled, Standing), RemoteError> {
    let mut file = content::open(path)?;
    let mut reading = Reading::default();
    let mut buffer = vec![0; BLOCK_BYTES];
    let mark = there.map_or(u64::MAX, |there| there.filled_bytes);
    let mut at_mark = (mark == 0).then(|| hex(Sha256::new()));
    loop {
        let wanted = (mark.saturating_sub(reading.read_bytes)).clamp(1, BLOCK_BYTES as u64) as usize;
        let wanted = if reading.read_bytes >= mark { BLOCK_BYTES } else { wanted };
        let count = file.read(&mut buffer[..wanted]).map_err(at(path))?;
        if count == 0 {
            break;
        }
        reading.take(&buffer[..count]);
        if reading.read_bytes == mark {
            at_mark = Some(hex(reading.digest.clone()));
        }
    }
    let here = Filled {
        size_bytes: reading.read_bytes,
        filled_bytes: reading.filled_bytes,
        sha256: hex(reading.digest),
    };
    let standing = match there {
        None => Standing::Longer,
        Some(there) if there.filled_bytes > here.filled_bytes => Standing::Shorter,
        Some(there) if at_mark.as_ref() != Some(&there.sha256) => Standing::Other,
        Some(there) if there.filled_bytes == here.filled_bytes => Standing::Same,
        Some(_) => Standing::Longer,
    };
    Ok((here, standing))
}

/// The digest of a file up to its last byte that is not zero, as it is read.
#[derive(Default)]
struct Reading {
    digest: Sha256,
    read_bytes: u64,
    filled_bytes: u64,
}

impl Reading {
    fn take(&mut self, block: &[u8]) {
        if let Some(last) = block.iter().rposition(|byte| *byte != 0) {
            // Zeros count once it is known that something comes behind them.
            pad(&mut self.digest, self.read_bytes - self.filled_bytes);
            self.digest.update(&block[..=last]);
            self.filled_bytes = self.read_bytes + last as u64 + 1;
        }
        self.read_bytes += block.len() as u64;
    }
}

fn pad(digest: &mut Sha256, mut zeros: u64) {
    static ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
    while zeros > 0 {
        let count = zeros.min(BLOCK_BYTES as u64);
        digest.update(&ZEROS[..count as usize]);
        zeros -= count;
    }
}

/// Compresses what the segment holds, and only if it holds that.
pub(super) fn compress(from: &Path, filled: &Filled, to: &Path) -> Result<(), RemoteError> {
    let source = content::open(from)?;
    let sink = BufWriter::new(create(to)?);
    let mut encoder = zstd::Encoder::new(sink, LEVEL).map_err(at(to))?;
    encoder.include_checksum(true).map_err(at(to))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut source = source.take(filled.filled_bytes);
    loop {
        let count = source.read(&mut buffer).map_err(at(from))?;
        if count == 0 {
            break;
        }
        digest.update(&buffer[..count]);
        encoder.write_all(&buffer[..count]).map_err(at(to))?;
    }
    encoder.finish().and_then(|mut sink| sink.flush()).map_err(at(to))?;
    if hex(digest) == filled.sha256 { Ok(()) } else { Err(RemoteError::Changed { path: from.to_owned() }) }
}

/// Makes the file of a segment again, sparse. What is unpacked is compared with `filled` before anybody calls it a segment, and no
/// byte more than that is unpacked.
pub(super) fn unpack(from: &Path, filled: &Filled, to: &Path, name: &str) -> Result<(), RemoteError> {
    let damaged = |what| RemoteError::Mismatch { name: name.to_owned(), what };
    let decoder = zstd::Decoder::new(content::open(from)?).map_err(at(from))?;
    let mut source = decoder.take(filled.filled_bytes + 1);
    let sink = create(to)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut unpacked_bytes = 0;
    loop {
        let count = source.read(&mut buffer).map_err(|_| damaged("it cannot be unpacked"))?;
        if count == 0 {
            break;
        }
        digest.update(&buffer[..count]);
        write_sparse(&sink, &buffer[..count], unpacked_bytes).map_err(at(to))?;
        unpacked_bytes += count as u64;
    }
    if unpacked_bytes != filled.filled_bytes || hex(digest) != filled.sha256 {
        return Err(damaged("it unpacks to something else than was packed"));
    }
    sink.set_len(filled.size_bytes).and_then(|()| sink.sync_all()).map_err(at(to))
}

fn write_sparse(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    if bytes.iter().all(|byte| *byte == 0) { Ok(()) } else { file.write_all_at(bytes, offset) }
}
