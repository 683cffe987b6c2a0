use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use wordhoard_wal::{FaultDisk, Options, Position, State, Wal};

use crate::rig::{SEGMENT_SIZE, append_durably, append_one, assert_holds_all, open, options, wait};

fn until(what: &str, wal: &Wal, holds: impl Fn(&Wal) -> bool) {
    let started = Instant::now();
    while !holds(wal) {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn without_space_for_the_next_segment_the_log_goes_on_and_says_so() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    // Room for the current segment, the spare, and little more.
    disk.set_space_bytes(Some(2 * SEGMENT_SIZE + SEGMENT_SIZE / 2));
    append_durably(&wal, 120);
    until("reserved: false", &wal, |wal| !wal.usage().reserved);
    assert_eq!(wal.usage().segments, 2);
    assert!(matches!(wal.progress().state, State::Open));
    let before = wal.progress().durable.0;
    append_durably(&wal, 20);
    assert_holds_all(&wal, 0, before + 20);

    disk.set_space_bytes(None);
    until("reserved: true", &wal, |wal| wal.usage().reserved);
    append_durably(&wal, 200);
    assert!(wal.usage().segments > 2);
    assert_holds_all(&wal, 0, before + 220);
    wal.close();
    let (wal, recovery) = open(&disk);
    assert_eq!((recovery.durable, recovery.damage.len()), (Position(before + 220), 0));
    assert_holds_all(&wal, 0, before + 220);
}

#[test]
fn a_disk_full_to_the_last_byte_latches_and_works_again_when_there_is_space() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    disk.set_space_bytes(Some(2 * SEGMENT_SIZE + 1000));
    let durable = loop {
        let position = append_one(&wal);
        if wait(wal.durable(position)).is_err() {
            break position.0;
        }
    };
    let State::Latched(fault) = wal.progress().state else { panic!("latched") };
    assert!(fault.is_out_of_space());
    assert!(wal.reopen().is_err(), "still full");
    assert_eq!(wal.progress().durable, Position(durable));

    disk.set_space_bytes(None);
    wal.reopen().unwrap();
    append_durably(&wal, 100);
    assert_holds_all(&wal, 0, durable + 100);
}

#[test]
fn releasing_gives_space_back() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    disk.set_space_bytes(Some(8 * SEGMENT_SIZE));
    for _ in 0..20 {
        append_durably(&wal, 100);
        wal.release(wal.progress().durable).unwrap();
    }
    assert!(wal.usage().size_bytes <= 4 * SEGMENT_SIZE, "{:?}", wal.usage());
    assert_holds_all(&wal, wal.usage().first.0, 2000);
}

/// Its first segments have [`SEGMENT_SIZE`].
fn small_first(disk: &FaultDisk) -> Wal {
    let options =
        Options { first_segment_size_bytes: SEGMENT_SIZE, segment_size_bytes: 8 * SEGMENT_SIZE, ..options() };
    Wal::open(Arc::new(disk.clone()), options).unwrap().0
}

#[test]
fn segments_begin_small_and_double_up_to_their_limit() {
    let disk = FaultDisk::new();
    let wal = small_first(&disk);
    until("a spare", &wal, |wal| wal.usage().size_bytes >= 2 * SEGMENT_SIZE);
    assert_eq!(wal.usage().size_bytes, 2 * SEGMENT_SIZE);
    let mut records = 0;
    let mut sizes = Vec::new();
    while sizes.len() < 7 {
        append_durably(&wal, 20);
        records += 20;
        // As long as it takes to make the spare as large as is wanted.
        thread::sleep(Duration::from_millis(2));
        sizes = wal.segments().iter().map(|segment| segment.size_bytes / SEGMENT_SIZE).collect();
    }
    assert_eq!(sizes, [1, 1, 2, 4, 8, 8, 8], "in first segments");
    assert_holds_all(&wal, 0, records);
    wal.close();
    // It goes on where it was.
    let wal = small_first(&disk);
    until("a spare", &wal, |wal| wal.usage().reserved_bytes >= 8 * SEGMENT_SIZE);
    append_durably(&wal, 20);
    assert_holds_all(&wal, 0, records + 20);
}

#[test]
fn what_is_reserved_grows_as_is_asked_for_and_a_lack_is_told() {
    const MIB: u64 = 1 << 20;
    let disk = FaultDisk::new();
    let options = Options { first_segment_size_bytes: MIB, segment_size_bytes: 16 * MIB, ..options() };
    let (wal, _) = Wal::open(Arc::new(disk.clone()), options).unwrap();
    wal.reserve(5 * MIB);
    until("grown", &wal, |wal| wal.usage().reserved_bytes >= 5 * MIB);
    assert!(wal.usage().reserved);
    disk.set_space_bytes(Some(wal.usage().size_bytes + 2 * MIB));
    wal.reserve(12 * MIB);
    until("reserved: false", &wal, |wal| !wal.usage().reserved);
    append_durably(&wal, 100);
    disk.set_space_bytes(None);
    until("reserved: true", &wal, |wal| wal.usage().reserved && wal.usage().reserved_bytes >= 12 * MIB);
    append_durably(&wal, 100);
    assert_holds_all(&wal, 0, 200);
}
