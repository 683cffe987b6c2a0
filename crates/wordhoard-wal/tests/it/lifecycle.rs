use std::sync::Arc;

use wordhoard_wal::{
    AppendError, FaultDisk, MAX_RECORD_SIZE_BYTES, OpenError, Options, Position, ReadError, ReleaseError,
    State, Wal,
};

use crate::rig::{
    append_durably, append_many, append_one, assert_holds_all, open, options, read_all, segments, wait,
};

#[test]
fn a_new_log_is_empty_and_keeps_its_identity() {
    let disk = FaultDisk::new();
    let (wal, recovery) = open(&disk);
    assert!(recovery.created);
    assert_eq!((recovery.first, recovery.durable), (Position(0), Position(0)));
    wal.close();
    let (again, recovery) = open(&disk);
    assert!(!recovery.created);
    assert_eq!(again.log_id(), wal.log_id());
}

#[test]
fn records_survive_a_clean_close_across_rotations() {
    let disk = FaultDisk::new();
    for round in 0..4 {
        let (wal, recovery) = open(&disk);
        assert_eq!(recovery.durable, Position(round * 100));
        assert_eq!((recovery.torn_batches, recovery.damage.len()), (0, 0));
        append_durably(&wal, 100);
        assert_holds_all(&wal, 0, (round + 1) * 100);
        wal.close();
    }
    assert!(segments(&disk).len() > 2);
}

#[test]
fn close_makes_durable_what_was_queued_and_refuses_more() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    let last = append_many(&wal, 50);
    wal.close();
    wal.close();
    assert!(matches!(wal.progress().state, State::Closed));
    wait(wal.durable(last)).unwrap();
    assert!(matches!(wal.append(0, 0, b""), Err(AppendError::Closed)));
    assert!(matches!(wait(wal.has_room()), Err(AppendError::Closed)));
    assert!(matches!(wal.release(Position(1)), Err(ReleaseError::Closed)));
    assert!(matches!(wal.reopen(), Err(OpenError::Closed)));
    assert_holds_all(&wal, 0, 50);
}

#[test]
fn dropped_without_close_keeps_what_was_acknowledged() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 30);
    append_one(&wal);
    let reader = wal.reader(Position(0)).unwrap();
    drop(wal);
    drop(reader);
    let (wal, recovery) = open(&disk);
    assert!(recovery.durable >= Position(30) && recovery.damage.is_empty());
    assert_holds_all(&wal, 0, recovery.durable.0);
}

#[test]
fn a_record_over_the_limit_is_refused_and_one_at_the_limit_is_kept() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 3);
    let size_bytes = MAX_RECORD_SIZE_BYTES + 1;
    let error = wal.append(1, 1, &vec![0; size_bytes]).unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { size_bytes: said } if said == size_bytes));

    let big = vec![7; MAX_RECORD_SIZE_BYTES];
    let position = wal.append(1, 1, &big).unwrap();
    assert_eq!(position, Position(3));
    wait(wal.durable(position)).unwrap();
    append_durably(&wal, 3);
    wal.close();
    let (wal, recovery) = open(&disk);
    assert_eq!((recovery.durable, recovery.damage.len()), (Position(7), 0));
    let mut reader = wal.reader(position).unwrap();
    assert_eq!(reader.next_batch(1).unwrap()[0].payload, big);
    assert_eq!(reader.position(), Position(4));
    assert_eq!(wal.segments()[1].first, position, "a segment of its own");
}

#[test]
fn a_reader_follows_the_writer_and_can_start_anywhere() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    let mut reader = wal.reader(Position(0)).unwrap();
    assert_eq!(reader.next_batch(100).unwrap(), []);
    let mut next = 0;
    for count in [1, 40, 3, 200] {
        append_durably(&wal, count);
        loop {
            let records = reader.next_batch(500).unwrap();
            if records.is_empty() {
                break;
            }
            assert!(records.iter().rev().skip(1).map(|record| record.payload.len()).sum::<usize>() < 500);
            for record in records {
                assert_eq!(record.position, Position(next));
                next += 1;
            }
        }
        assert_eq!((next, reader.position()), (wal.progress().durable.0, wal.progress().durable));
    }
    for from in (0..=next).step_by(7) {
        assert_holds_all(&wal, from, next);
    }
    assert!(matches!(wal.reader(Position(next + 1)), Err(ReadError::Ahead { .. })));
}

#[test]
fn a_read_that_ends_inside_a_batch_goes_on_there() {
    let disk = FaultDisk::new();
    let options = Options { segment_size_bytes: 1 << 20, ..options() };
    disk.set_slow_sync(std::time::Duration::from_millis(30));
    let (wal, _) = Wal::open(Arc::new(disk), options).unwrap();
    let last = append_many(&wal, 2000);
    wait(wal.durable(last)).unwrap();
    assert!(wal.commit_stats().commits < 20, "batches hold many records");
    assert_eq!(wal.commit_stats().records, 2000);
    let stats = wal.commit_stats();
    assert_eq!(stats.buckets.iter().sum::<u64>(), stats.commits);
    assert!(stats.total_commit_micros >= stats.max_commit_micros);
    assert_holds_all(&wal, 777, 2000);
}

#[test]
fn release_removes_whole_segments_below_the_mark() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 400);
    let before = wal.segments();
    let (second, third) = (before[1].first, before[2].first);
    let mut early = wal.reader(Position(0)).unwrap();
    early.next_batch(1).unwrap();

    assert_eq!(wal.release(Position(second.0 - 1)).unwrap().segments, 0);
    let released = wal.release(Position(third.0 + 1)).unwrap();
    assert_eq!((released.segments, released.first), (2, third));
    assert_eq!((wal.usage().first, wal.usage().segments), (third, before.len() - 2));
    assert!(
        matches!(wal.reader(Position(0)), Err(ReadError::Released { first_available }) if first_available == third)
    );
    assert!(
        matches!(early.next_batch(1), Err(ReadError::Released { first_available }) if first_available == third)
    );
    assert!(matches!(wal.release(Position(401)), Err(ReleaseError::NotDurable { .. })));

    // Everything may go but the current segment.
    wal.release(Position(400)).unwrap();
    assert_eq!(wal.usage().segments, 1);
    wal.close();
    let (wal, recovery) = open(&disk);
    assert_eq!((recovery.durable, recovery.damage.len()), (Position(400), 0));
    assert_eq!(read_all(&wal, recovery.first).0.last(), Some(&399));
}

#[test]
fn rotate_starts_a_segment_at_the_next_batch_only() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    wal.rotate();
    append_durably(&wal, 1);
    assert_eq!(wal.usage().segments, 1, "the first one was still empty");
    wal.rotate();
    assert_eq!(wal.usage().segments, 1);
    append_durably(&wal, 2);
    assert_eq!(wal.segments().iter().map(|segment| segment.first.0).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(wal.release(Position(1)).unwrap().segments, 1);
    assert_holds_all(&wal, 1, 3);
}

#[test]
fn positions_survive_when_all_but_an_empty_segment_is_released() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    append_durably(&wal, 5);
    disk.fail(wordhoard_wal::FaultPoint::Sync, "0", 0, 5);
    let lost = append_one(&wal);
    wait(wal.durable(lost)).unwrap_err();
    wal.reopen().unwrap();
    wal.release(Position(5)).unwrap();
    drop(wal);
    let (wal, recovery) = open(&disk);
    assert_eq!((recovery.first, recovery.durable), (Position(5), Position(5)));
    append_durably(&wal, 1);
    assert_holds_all(&wal, 5, 6);
}
