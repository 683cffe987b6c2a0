use wordhoard_wal::{DamageKind, Disk, FaultDisk, OpenError, Position, Wal, inspect};

use crate::rig::{append_durably, append_one, assert_holds_all, open, options, read_all, segments, wait};

const HEADER_BLOCK: usize = 4096;

/// A closed log of `count` records, each a batch.
fn closed_log(count: u64) -> FaultDisk {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, count);
    wal.close();
    disk
}

/// Offsets of all batches in a segment, by their magic.
fn batch_offsets(bytes: &[u8]) -> Vec<usize> {
    (HEADER_BLOCK..bytes.len().saturating_sub(4))
        .step_by(8)
        .filter(|at| bytes[*at..].starts_with(b"WHBT"))
        .collect()
}

fn flip_in_batch(bytes: &mut [u8], batch: usize) {
    let offset = batch_offsets(bytes)[batch];
    bytes[offset + 60] ^= 1;
}

#[test]
fn torn_tail_is_cut_and_counted() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 10);
    drop(wal);
    let name = segments(&disk)[0].clone();
    let last = *batch_offsets(&disk.contents(&name).unwrap()).last().unwrap();
    disk.edit(&name, |bytes| bytes[last + 60] ^= 1);

    let (wal, recovery) = open(&disk);
    assert_eq!((recovery.durable, recovery.torn_batches, recovery.damage.len()), (Position(9), 1, 0));
    assert!(recovery.torn_bytes >= 48);
    append_durably(&wal, 1);
    assert_holds_all(&wal, 0, 10);
    drop(wal);
    let (_, recovery) = open(&disk);
    assert_eq!((recovery.torn_batches, recovery.durable), (0, Position(10)), "cut for good");
}

#[test]
fn a_flipped_bit_before_intact_batches_is_damage_and_both_sides_are_read() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 10);
    drop(wal);
    let name = segments(&disk)[0].clone();
    let before = disk.contents(&name).unwrap();
    disk.edit(&name, |bytes| flip_in_batch(bytes, 4));
    let damaged = disk.contents(&name).unwrap();

    for _ in 0..2 {
        let (wal, recovery) = open(&disk);
        assert_eq!(recovery.durable, Position(10));
        let [damage] = &recovery.damage[..] else { panic!("{:?}", recovery.damage) };
        assert_eq!((damage.kind, damage.missing.clone()), (DamageKind::Batch, Position(4)..Position(5)));
        assert_eq!(damage.offset as usize, batch_offsets(&before)[4]);
        let copy = disk.contents(&format!("quarantine/{}", damage.quarantined.as_ref().unwrap())).unwrap();
        assert_eq!(copy, damaged);
        let (positions, missing) = read_all(&wal, Position(0));
        assert_eq!((positions, missing), (vec![0, 1, 2, 3, 5, 6, 7, 8, 9], vec![Position(4)..Position(5)]));
        assert_eq!(read_all(&wal, Position(4)).1, [Position(4)..Position(5)]);
        assert_eq!(read_all(&wal, Position(5)).1, []);
    }
    let (wal, _) = open(&disk);
    append_durably(&wal, 5);
    assert_eq!(read_all(&wal, Position(5)).0, (5..15).collect::<Vec<_>>());
    assert_ne!(segments(&disk).len(), 1, "a damaged segment is not written on");
}

#[test]
fn after_a_clean_close_the_last_batch_is_damage_too() {
    let disk = closed_log(10);
    let name = segments(&disk)[0].clone();
    disk.edit(&name, |bytes| {
        let offsets = batch_offsets(bytes);
        bytes[offsets[offsets.len() - 2] + 60] ^= 1;
    });
    let (_, recovery) = open(&disk);
    assert_eq!((recovery.durable, recovery.torn_batches), (Position(10), 0));
    assert_eq!(recovery.damage[0].missing, Position(9)..Position(10));
}

#[test]
fn a_damaged_end_of_an_older_segment_is_damage() {
    let disk = closed_log(300);
    let names = segments(&disk);
    disk.edit(&names[0], |bytes| {
        let last = *batch_offsets(bytes).last().unwrap();
        bytes[last + 50] ^= 0x80;
    });
    let (wal, recovery) = open(&disk);
    let missing = recovery.damage[0].missing.clone();
    assert_eq!((recovery.damage.len(), missing.end.0 - missing.start.0), (1, 1));
    let (positions, holes) = read_all(&wal, Position(0));
    assert_eq!((positions.len(), holes), (299, vec![missing]));
}

#[test]
fn a_missing_segment_is_damage() {
    let disk = closed_log(300);
    let survey = inspect::scan_disk(std::sync::Arc::new(disk.clone())).unwrap();
    let second = survey.summary().segments[1].clone();
    disk.remove(&second.name).unwrap();
    let (wal, recovery) = open(&disk);
    assert_eq!(recovery.damage[0].kind, DamageKind::Missing);
    assert_eq!(recovery.damage[0].missing, second.first..second.end);
    assert_eq!(read_all(&wal, Position(0)).1, [second.first..second.end]);
}

#[test]
fn one_lost_header_copy_is_reported_and_nothing_is_lost() {
    for at in [20, HEADER_BLOCK - 30] {
        let disk = closed_log(10);
        let name = segments(&disk)[0].clone();
        disk.edit(&name, |bytes| bytes[at] ^= 4);
        let (wal, recovery) = open(&disk);
        assert_eq!((recovery.damage[0].kind, recovery.durable), (DamageKind::Header, Position(10)));
        assert!(recovery.damage[0].missing.is_empty());
        assert_holds_all(&wal, 0, 10);
    }
}

#[test]
fn a_segment_without_any_header_is_damage_and_its_positions_stay_taken() {
    for (count, which) in [(10, 0), (300, 0), (300, 1)] {
        let disk = closed_log(count);
        let names = segments(&disk);
        disk.edit(&names[which], |bytes| bytes[..HEADER_BLOCK].fill(0));
        let (wal, recovery) = open(&disk);
        assert_eq!(recovery.durable, Position(count));
        let missing = recovery.damage[0].missing.clone();
        assert_eq!(recovery.damage[0].kind, DamageKind::Header);
        assert!(recovery.damage[0].quarantined.is_some());
        append_durably(&wal, 3);
        let (positions, holes) = read_all(&wal, Position(0));
        assert_eq!(positions.len() as u64, count + 3 - (missing.end.0 - missing.start.0));
        assert_eq!(holes, [missing]);
        wal.release(Position(count)).unwrap();
        assert!(which != 0 || !segments(&disk).contains(&names[0]), "it can be released");
    }
}

#[test]
fn a_newest_segment_with_nothing_in_it_is_removed_and_counted() {
    let disk = closed_log(10);
    let unborn = "00000000000000000010.wal";
    // Without room for a header it cannot be what a crash left: it was cut, and that is told.
    for (contents, damaged) in [(vec![], 1), (vec![0; 16384], 0)] {
        disk.edit(unborn, |bytes| *bytes = contents);
        let (wal, recovery) = open(&disk);
        assert_eq!(
            (recovery.torn_batches, recovery.damage.len(), recovery.durable),
            (1, damaged, Position(10))
        );
        assert!(!segments(&disk).contains(&unborn.to_owned()));
        wal.close();
    }
}

#[test]
fn truncated_anywhere_is_reported_after_a_clean_close() {
    let whole = closed_log(20);
    let name = segments(&whole)[0].clone();
    let size = whole.contents(&name).unwrap().len();
    for length in (0..size).step_by(61).chain([64, 4095, 4096, 4097, size - 1]) {
        let disk = whole.duplicate();
        disk.edit(&name, |bytes| bytes.truncate(length));
        let (wal, recovery) = open(&disk);
        assert!(!recovery.damage.is_empty(), "{length}");
        let (positions, _) = read_all(&wal, recovery.first);
        assert!(positions.iter().copied().eq(0..positions.len() as u64), "{length}");
        assert!(append_one(&wal).0 >= positions.len() as u64);
    }
}

#[test]
fn damage_that_arises_while_the_log_is_open_is_told_to_readers() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 10);
    let name = segments(&disk)[0].clone();
    disk.edit(&name, |bytes| flip_in_batch(bytes, 4));
    let (positions, missing) = read_all(&wal, Position(0));
    assert_eq!((positions, missing), (vec![0, 1, 2, 3, 5, 6, 7, 8, 9], vec![Position(4)..Position(5)]));
}

#[test]
fn other_logs_and_other_versions_are_refused_and_left_alone() {
    let disk = closed_log(10);
    let other = closed_log(10);
    let name = segments(&disk)[0].clone();
    disk.edit("00000000000000000010.wal", |bytes| {
        *bytes = other.contents(&name).unwrap();
    });
    let refused = |disk: &FaultDisk| Wal::open(std::sync::Arc::new(disk.clone()), options()).unwrap_err();
    assert!(matches!(refused(&disk), OpenError::Foreign { .. }));

    for version in [1, 3] {
        let future = closed_log(10);
        future.edit(&name, |bytes| {
            for at in [0, HEADER_BLOCK - 64] {
                bytes[at + 8] = version;
                let crc = crc32c::crc32c(&bytes[at..at + 60]);
                bytes[at + 60..at + 64].copy_from_slice(&crc.to_le_bytes());
            }
        });
        let before = future.contents(&name);
        assert!(
            matches!(refused(&future), OpenError::Version { version: told, .. } if told == u32::from(version))
        );
        assert_eq!(future.contents(&name), before);
    }
}

#[test]
fn inspection_changes_nothing_and_finds_what_recovery_finds() {
    let disk = closed_log(300);
    let names = segments(&disk);
    disk.edit(&names[1], |bytes| flip_in_batch(bytes, 2));
    let before: Vec<_> = disk.list().unwrap();
    let scan = inspect::scan_disk(std::sync::Arc::new(disk.clone())).unwrap();
    let damage = scan.summary().damage.clone();
    assert!(scan.summary().segments.last().unwrap().sealed);
    let (good, bad): (Vec<_>, Vec<_>) = scan.partition(Result::is_ok);
    assert_eq!((good.len(), bad.len(), damage.len()), (299, 1, 1));
    assert_eq!(disk.list().unwrap(), before);
    let (wal, recovery) = open(&disk);
    assert_eq!(recovery.damage[0].missing, damage[0].missing);
    wait(wal.has_room()).unwrap();
}
