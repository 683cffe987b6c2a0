//! Any bytes as a segment: opening, reading and inspecting must neither panic nor use memory without bound, and
//! must account for every position.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use wordhoard_wal::{FaultDisk, Options, Position, ReadError, Wal, inspect};

const NAME: &str = "00000000000000000000.wal";
const HEADER_BLOCK: usize = 4096;

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    let mut bytes = rest.to_vec();
    if mode & 1 != 0 {
        bytes.splice(0..0, header_block());
    }
    if mode & 2 != 0 {
        repair_batches(&mut bytes);
    }
    let disk = FaultDisk::new();
    disk.edit(NAME, |file| *file = bytes);

    if let Ok(scan) = inspect::scan_disk(Arc::new(disk.clone())) {
        let _ = scan.count();
    }
    let options = Options { segment_size_bytes: 8192, ..Options::default() };
    let Ok((wal, recovery)) = Wal::open(Arc::new(disk), options) else { return };
    let mut next = recovery.first;
    let mut reader = wal.reader(next).expect("the first position can be read");
    loop {
        match reader.next_batch(1000) {
            Ok(records) if records.is_empty() => break,
            Ok(records) => {
                for record in records {
                    assert_eq!(record.position, next);
                    next = Position(next.0 + 1);
                }
            }
            Err(ReadError::Damaged { missing }) => {
                assert_eq!(missing.start, next);
                assert!(missing.end > missing.start);
                next = missing.end;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(next, recovery.durable);
    wal.close();
});

/// A valid header, so that the fuzzer gets behind it.
fn header_block() -> Vec<u8> {
    let mut header = [0; 64];
    header[..8].copy_from_slice(b"WHWALSEG");
    header[8] = 1;
    header[48..56].copy_from_slice(&4096_u64.to_le_bytes());
    let crc = crc32c::crc32c(&header[..60]);
    header[60..].copy_from_slice(&crc.to_le_bytes());
    let mut block = vec![0; HEADER_BLOCK];
    block[..64].copy_from_slice(&header);
    block[HEADER_BLOCK - 64..].copy_from_slice(&header);
    block
}

/// Puts right the checksums of whatever could be a batch, so that its numbers are what is tried.
fn repair_batches(bytes: &mut [u8]) {
    let seed = crc32c::crc32c(&0_u64.to_le_bytes());
    let mut at = HEADER_BLOCK;
    while at + 48 <= bytes.len() {
        if bytes[at] == b'W' {
            bytes[at..at + 4].copy_from_slice(b"WHBT");
            let size = u32::from_le_bytes([bytes[at + 36], bytes[at + 37], bytes[at + 38], bytes[at + 39]]);
            let end = (at + 48).saturating_add(size as usize).min(bytes.len());
            let crc = crc32c::crc32c_append(seed, &bytes[at + 48..end]);
            bytes[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
            let crc = crc32c::crc32c_append(seed, &bytes[at..at + 44]);
            bytes[at + 44..at + 48].copy_from_slice(&crc.to_le_bytes());
        }
        at += 8;
    }
}
