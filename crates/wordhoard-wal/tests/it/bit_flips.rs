use crate::rig::{append_durably, open, read_all, segments};
use wordhoard_wal::{FaultDisk, Position};

/// The promise behind the seal: after a clean close, one flipped bit anywhere either changes nothing that can be
/// read, or is reported with what it cost.
#[test]
fn any_flipped_bit_of_a_closed_log_is_harmless_or_reported() {
    let whole = FaultDisk::new();
    let (wal, _) = open(&whole);
    append_durably(&wal, 12);
    wal.rotate();
    append_durably(&wal, 12);
    wal.close();
    for name in segments(&whole) {
        let used = used_end(&whole.contents(&name).unwrap());
        // Every bit of the batches and of both headers; every 97th of the zeros between and behind.
        let bits = (0..8 * 16384).filter(|bit| {
            let byte = bit / 8;
            byte < 64 || (4032..used).contains(&byte) || bit % 97 == 0
        });
        for bit in bits {
            check(&whole, &name, bit as u64);
        }
    }
}

fn check(whole: &FaultDisk, name: &str, bit: u64) {
    let disk = whole.duplicate();
    disk.flip_bit(name, bit);
    let (wal, recovery) = open(&disk);
    assert_eq!(recovery.durable, Position(24), "{name} bit {bit}");
    let (positions, missing) = read_all(&wal, recovery.first);
    let lost: Vec<_> = missing.iter().flat_map(|range| range.start.0..range.end.0).collect();
    let mut all: Vec<_> = positions.iter().chain(&lost).copied().collect();
    all.sort_unstable();
    assert_eq!(all, (0..24).collect::<Vec<_>>(), "{name} bit {bit}");
    let reported: Vec<_> =
        recovery.damage.iter().flat_map(|damage| damage.missing.start.0..damage.missing.end.0).collect();
    assert_eq!(reported, lost, "{name} bit {bit}");
}

fn used_end(bytes: &[u8]) -> usize {
    bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count()
}
