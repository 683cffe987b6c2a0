use std::{
    thread,
    time::{Duration, Instant},
};

use wordhoard_wal::{FaultDisk, Position, State, Wal};

use crate::rig::{SEGMENT_SIZE, append_durably, append_one, assert_holds_all, open, wait};

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
