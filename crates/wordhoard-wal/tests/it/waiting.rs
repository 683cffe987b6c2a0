use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wordhoard_wal::{AppendError, FaultDisk, FaultPoint, Options, Position, State, SyncPolicy, Wal};

use crate::rig::{append_durably, append_many, append_one, open, options, wait};

#[test]
fn one_fsync_serves_all_that_waited() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    disk.set_slow_sync(Duration::from_millis(50));
    append_durably(&wal, 1);
    let last = append_many(&wal, 200);
    wait(wal.durable(last)).unwrap();
    let stats = wal.commit_stats();
    assert!(stats.commits <= 5, "{stats:?}");
    assert!(stats.last_commit_micros >= 50_000 && stats.max_commit_micros >= stats.last_commit_micros);
}

#[test]
fn producers_are_held_back_at_the_queue_limit() {
    let disk = FaultDisk::new();
    let options = Options { queue_limit_bytes: 1000, ..options() };
    let (wal, _) = Wal::open(Arc::new(disk.clone()), options).unwrap();
    disk.set_slow_sync(Duration::from_millis(100));
    wait(async {
        for _ in 0..8 {
            wal.append(0, 0, &[0; 200]).unwrap();
        }
        let held_at = Instant::now();
        assert!(tokio::time::timeout(Duration::from_millis(10), wal.has_room()).await.is_err());
        wal.has_room().await.unwrap();
        assert!(held_at.elapsed() >= Duration::from_millis(20));
    });
}

#[test]
fn grouped_records_wait_for_their_number_or_their_time() {
    let disk = FaultDisk::new();
    let sync = SyncPolicy::Grouped { records: 4, max_delay: Duration::from_millis(300) };
    let (wal, _) = Wal::open(Arc::new(disk), Options { sync, ..options() }).unwrap();

    let started = Instant::now();
    let last = append_many(&wal, 4);
    wait(wal.durable(last)).unwrap();
    assert!(started.elapsed() < Duration::from_millis(200), "four records wait for nothing");
    assert_eq!(wal.commit_stats().commits, 1);

    let started = Instant::now();
    let last = append_one(&wal);
    wait(wal.durable(last)).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(290), "one record waits its time");

    append_one(&wal);
    let started = Instant::now();
    wal.close();
    assert!(started.elapsed() < Duration::from_millis(200), "close waits for nothing");
    assert_eq!(wal.progress().durable, Position(6));
}

#[test]
fn everyone_who_waits_hears_of_the_latch() {
    let disk = FaultDisk::new();
    let options = Options { queue_limit_bytes: 1, ..options() };
    let (wal, _) = Wal::open(Arc::new(disk.clone()), options).unwrap();
    disk.set_slow_sync(Duration::from_millis(50));
    disk.fail(FaultPoint::Sync, "0", 0, 5);
    let first = append_one(&wal);
    let second = append_one(&wal);
    wait(async {
        let (room, first, second) = tokio::join!(wal.has_room(), wal.durable(first), wal.durable(second));
        for outcome in [room, first, second] {
            assert!(
                matches!(outcome, Err(AppendError::Latched(fault)) if fault.source.raw_os_error() == Some(5))
            );
        }
    });
    assert!(matches!(wal.append(0, 0, b""), Err(AppendError::Latched(_))));
    assert!(matches!(wal.progress().state, State::Latched(_)));
}

#[test]
fn who_waited_before_a_reopening_is_not_told_of_another_record() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    disk.fail(FaultPoint::Sync, "0", 0, 5);
    let lost = append_one(&wal);
    let waiting = wal.durable(lost);
    wait(wal.durable(lost)).unwrap_err();
    wal.reopen().unwrap();
    let other = append_one(&wal);
    assert_eq!(other, lost, "the position is given out again");
    wait(wal.durable(other)).unwrap();
    assert!(matches!(wait(waiting), Err(AppendError::Latched(_))));
}

#[test]
fn progress_is_told_in_order_while_many_append() {
    let disk = FaultDisk::new();
    let (wal, _) = open(&disk);
    let mut watch = wal.watch();
    let producers: Vec<_> = (0..4)
        .map(|_| {
            let wal = wal.clone();
            std::thread::spawn(move || (0..500).map(|_| wal.append(1, 1, b"x").unwrap()).collect::<Vec<_>>())
        })
        .collect();
    let mut last = Position(0);
    wait(async {
        while last < Position(2000) {
            watch.changed().await.unwrap();
            let durable = watch.borrow_and_update().durable;
            assert!(durable > last);
            last = durable;
        }
    });
    let mut all: Vec<_> = producers
        .into_iter()
        .flat_map(|producer| {
            let own = producer.join().unwrap();
            assert!(own.is_sorted(), "a producer's records keep their order");
            own
        })
        .collect();
    all.sort();
    assert_eq!(all, (0..2000).map(Position).collect::<Vec<_>>());
}
