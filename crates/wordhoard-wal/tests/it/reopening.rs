use wordhoard_wal::{AppendError, FaultDisk, FaultPoint, Loss, OpenError, Position, State, Wal};

use crate::rig::{append_durably, append_one, assert_holds_all, open, segments, wait};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Appends until the log latches; gives the durable end at that moment.
fn run_into_fault(wal: &Wal) -> Position {
    for _ in 0..10_000 {
        let outcome = wal.append(0, 1, b"").map(drop);
        let latched = outcome.is_err() || wait(wal.durable(Position(wal.queued().0 - 1))).is_err();
        if latched {
            return wal.progress().durable;
        }
    }
    panic!("no fault");
}

fn operations_on(disk: &FaultDisk, point: FaultPoint, name: &str) -> usize {
    disk.journal().iter().filter(|(at, file)| *at == point && file == name).count()
}

#[test]
fn failed_fsync_latches_and_the_file_is_never_touched_again() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 20);
    let name = segments(&disk)[0].clone();
    disk.fail(FaultPoint::Sync, &name, 0, EIO);
    let lost = append_one(&wal);
    assert!(matches!(wait(wal.durable(lost)), Err(AppendError::Latched(_))));
    assert_eq!(wal.progress().durable, Position(20), "nothing false is acknowledged");

    let touched = |disk: &FaultDisk| {
        (operations_on(disk, FaultPoint::Sync, &name), operations_on(disk, FaultPoint::Write, &name))
    };
    let before = touched(&disk);
    let recovery = wal.reopen().unwrap();
    assert_eq!((recovery.durable, recovery.damage.len()), (Position(20), 0));
    append_durably(&wal, 200);
    wal.close();
    assert_eq!(touched(&disk), before);
    assert_holds_all(&wal, 0, 220);

    // All of it also after a power loss, and the batch that failed is not among it.
    disk.lose_power(Loss::Everything);
    let (wal, recovery) = open(&disk);
    assert_eq!((recovery.durable, recovery.damage.len()), (Position(220), 0));
    assert_holds_all(&wal, 0, 220);
}

#[test]
fn readers_never_see_what_was_written_but_not_synced() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 3);
    disk.fail(FaultPoint::Sync, "0", 0, EIO);
    let lost = wal.append(9, 9, b"never acknowledged").unwrap();
    wait(wal.durable(lost)).unwrap_err();
    assert_holds_all(&wal, 0, 3);
    wal.reopen().unwrap();
    assert_holds_all(&wal, 0, 3);
    append_durably(&wal, 2);
    assert_holds_all(&wal, 0, 5);
}

#[test]
fn a_batch_that_was_superseded_is_not_damage_and_not_read() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 3);
    disk.fail(FaultPoint::Sync, "0", 0, EIO);
    // Whole in the file, but never acknowledged.
    let lost = wal.append(9, 9, b"never acknowledged").unwrap();
    wait(wal.durable(lost)).unwrap_err();
    wal.reopen().unwrap();
    append_durably(&wal, 1);
    drop(wal);
    let (wal, recovery) = open(&disk);
    assert_eq!((recovery.torn_batches, recovery.damage.len(), recovery.durable), (0, 0, Position(4)));
    assert_holds_all(&wal, 0, 4);
}

#[test]
fn a_process_that_died_after_a_failed_fsync_does_not_make_the_next_one_lie() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 3);
    disk.fail(FaultPoint::Sync, "0", 0, EIO);
    let lost = append_one(&wal);
    wait(wal.durable(lost)).unwrap_err();
    drop(wal);
    // The next process finds the batch in the page cache, clean, and serves it: so it must be on the disk too.
    let (wal, recovery) = open(&disk);
    assert_holds_all(&wal, 0, recovery.durable.0);
    drop(wal);
    disk.lose_power(Loss::Everything);
    let (wal, after) = open(&disk);
    assert_eq!(after.durable, recovery.durable);
    assert_holds_all(&wal, 0, after.durable.0);
}

#[test]
fn every_fault_of_the_write_path_latches_and_reopen_goes_on_without_a_gap() {
    let faults = [
        (FaultPoint::Write, EIO),
        (FaultPoint::Write, ENOSPC),
        (FaultPoint::Sync, EIO),
        (FaultPoint::SyncDirectory, EIO),
        (FaultPoint::Rename, EIO),
    ];
    for (point, errno) in faults {
        for skip in [0, 1, 2, 3] {
            let disk = FaultDisk::new();
            let (wal, _) = open(&disk);
            append_durably(&wal, 20);
            wal.rotate();
            disk.fail(point, if point == FaultPoint::SyncDirectory { "." } else { "" }, skip, errno);
            for round in 0..60 {
                wal.rotate();
                let position = append_one(&wal);
                if wait(wal.durable(position)).is_err() {
                    assert!(matches!(wal.progress().state, State::Latched(_)));
                    assert_eq!(wal.progress().durable, position, "{point:?} {skip} {round}");
                    wal.reopen().unwrap();
                }
            }
            let end = wal.progress().durable.0;
            assert_holds_all(&wal, 0, end);
            drop(wal);
            disk.lose_power(Loss::Everything);
            let (wal, recovery) = open(&disk);
            assert_eq!((recovery.durable, recovery.damage), (Position(end), vec![]), "{point:?} {skip}");
            assert_holds_all(&wal, 0, end);
        }
    }
}

#[test]
fn failed_directory_fsync_at_rotation_acknowledges_nothing() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 5);
    wal.rotate();
    disk.fail(FaultPoint::SyncDirectory, ".", 0, EIO);
    let durable = run_into_fault(&wal);
    assert_eq!(durable, Position(5));
    drop(wal);
    disk.lose_power(Loss::Everything);
    let (wal, recovery) = open(&disk);
    assert_eq!((recovery.durable, recovery.damage.len()), (Position(5), 0));
    assert_holds_all(&wal, 0, 5);
}

#[test]
fn latching_again_and_again_before_anything_is_durable_keeps_the_log_whole() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 2);
    for _ in 0..5 {
        disk.fail(FaultPoint::Sync, "0", 0, EIO);
        let lost = wal.append(9, 9, b"lost").unwrap();
        assert_eq!(lost, Position(2));
        wait(wal.durable(lost)).unwrap_err();
        assert!(matches!(wal.append(9, 9, b""), Err(AppendError::Latched(_))));
        while let Err(error) = wal.reopen() {
            assert!(matches!(error, OpenError::Disk(_)), "{error}");
        }
    }
    append_durably(&wal, 1);
    wal.close();
    let (wal, recovery) = open(&disk);
    assert_eq!((recovery.durable, recovery.damage.len()), (Position(3), 0));
    assert_holds_all(&wal, 0, 3);
}

#[test]
fn reopen_refuses_when_acknowledged_records_are_no_longer_intact() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 300);
    let intact = disk.contents(&segments(&disk)[1]).unwrap();
    disk.fail(FaultPoint::Sync, "0", 0, EIO);
    run_into_fault(&wal);
    disk.flip_bit(&segments(&disk)[1], 8 * 5000);
    assert!(matches!(wal.reopen(), Err(OpenError::Lost { .. })));
    assert!(matches!(wal.append(0, 0, b""), Err(AppendError::Latched(_))), "it stays latched");
    // The disk is put right: it works again.
    disk.edit(&segments(&disk)[1], |bytes| *bytes = intact);
    wal.reopen().unwrap();
    assert!(matches!(wal.reopen(), Err(OpenError::NotLatched)));
}
