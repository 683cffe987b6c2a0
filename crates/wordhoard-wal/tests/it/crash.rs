use wordhoard_wal::{FaultDisk, Loss, Position};

use crate::rig::{append_durably, append_one, assert_holds_all, open};

#[test]
fn acknowledged_records_survive_a_power_loss_that_takes_all_that_was_not_synced() {
    let disk = FaultDisk::new();
    let mut expected = 0;
    for _ in 0..10 {
        let (wal, recovery) = open(&disk);
        assert_eq!((recovery.durable, recovery.damage), (Position(expected), vec![]));
        assert_holds_all(&wal, 0, expected);
        append_durably(&wal, 70);
        expected += 70;
        drop(wal);
        disk.lose_power(Loss::Everything);
    }
}

/// The simulated disk would notice: without the directory fsync, a rotation followed by a power loss loses
/// records that were acknowledged.
#[test]
fn a_missing_directory_fsync_loses_records_and_the_simulation_shows_it() {
    for forgets in [false, true] {
        let disk = FaultDisk::new();
        let (wal, _) = open(&disk);
        append_durably(&wal, 10);
        disk.set_ignore_directory_sync(forgets);
        wal.rotate();
        append_durably(&wal, 10);
        drop(wal);
        disk.lose_power(Loss::Everything);
        disk.set_ignore_directory_sync(false);
        let (_, recovery) = open(&disk);
        assert_eq!(recovery.durable == Position(20), !forgets);
    }
}

#[test]
fn a_batch_torn_by_power_loss_is_there_whole_or_not_at_all() {
    for seed in 1..200 {
        let disk = FaultDisk::new();
        let (wal, _) = open(&disk);
        append_durably(&wal, 20);
        // Stopped between the write and the sync: the fault leaves the bytes to chance.
        disk.set_slow_sync(std::time::Duration::from_millis(2));
        append_one(&wal);
        for _ in 0..30 {
            append_one(&wal);
        }
        disk.lose_power(Loss::Random(seed));
        drop(wal);
        let (wal, recovery) = open(&disk);
        assert!(recovery.durable >= Position(20), "seed {seed}");
        assert!(recovery.damage.is_empty(), "seed {seed}: {:?}", recovery.damage);
        assert_holds_all(&wal, 0, recovery.durable.0);
    }
}
