use std::sync::Arc;

use wordhoard_wal::{Archive, FaultDisk, FaultPoint, Loss, Position, Wal, inspect};

use crate::rig::{append_durably, append_many, assert_as_appended, open, segments, wait};

const EIO: i32 = 5;

/// What the archive gives, as a reader who has nothing else would see it.
fn archived(disk: &FaultDisk) -> Vec<u64> {
    let scan = inspect::scan_disk(Arc::new(disk.clone())).unwrap();
    assert_eq!(scan.summary().damage, []);
    let records = scan.map(|record| record.unwrap());
    records.inspect(assert_as_appended).map(|record| record.position.0).collect()
}

fn archive_of(disk: &FaultDisk) -> Archive {
    Archive::new(Arc::new(disk.clone()))
}

fn append_all(wal: &Wal, count: u64) {
    let last = append_many(wal, count);
    wait(wal.durable(last)).unwrap();
}

#[test]
fn the_archive_follows_the_log_and_keeps_what_the_log_lets_go() {
    let (disk, kept) = (FaultDisk::new(), FaultDisk::new());
    let (wal, _) = open(&disk);
    let mut archive = archive_of(&kept);
    assert_eq!(wal.archive(&mut archive).unwrap().through, Position(0));
    let mut end = 0;
    for round in 0..12 {
        append_durably(&wal, 17 + round);
        end += 17 + round;
        let done = wal.archive(&mut archive).unwrap();
        assert_eq!(done.through, Position(end));
        assert_eq!(archived(&kept), (0..end).collect::<Vec<_>>());
        wal.release(done.through).unwrap();
    }
    assert!(segments(&disk).len() < segments(&kept).len(), "{:?}", segments(&kept));
    assert_eq!(wal.archive(&mut archive).unwrap().size_bytes, 0);
    wal.close();
    wal.archive(&mut archive).unwrap();
    assert_eq!(archived(&kept), (0..end).collect::<Vec<_>>());
}

#[test]
fn a_later_process_goes_on_where_the_copy_ends() {
    let (disk, kept) = (FaultDisk::new(), FaultDisk::new());
    let (wal, _) = open(&disk);
    append_all(&wal, 40);
    wal.archive(&mut archive_of(&kept)).unwrap();
    append_all(&wal, 5);
    drop(wal);
    let (wal, _) = open(&disk);
    append_all(&wal, 30);
    let mut archive = archive_of(&kept);
    let done = wal.archive(&mut archive).unwrap();
    assert_eq!(archived(&kept), (0..75).collect::<Vec<_>>());
    let whole: u64 = wal.segments().iter().map(|segment| segment.size_bytes).sum();
    assert!(done.size_bytes < whole, "{} of {whole}", done.size_bytes);
}

#[test]
fn a_copy_that_was_altered_is_made_anew_and_kept_for_a_look() {
    let (disk, kept) = (FaultDisk::new(), FaultDisk::new());
    let (wal, _) = open(&disk);
    append_all(&wal, 60);
    wal.archive(&mut archive_of(&kept)).unwrap();
    let first = segments(&kept)[0].clone();
    for offset in [20, 4096 + 100, 5000] {
        kept.flip_bit(&first, offset * 8);
        wal.archive(&mut archive_of(&kept)).unwrap();
        assert_eq!(archived(&kept), (0..60).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_whole_in_the_archive_is_never_lost_to_a_log_that_is_damaged() {
    let (disk, kept) = (FaultDisk::new(), FaultDisk::new());
    let (wal, _) = open(&disk);
    append_durably(&wal, 60);
    wal.close();
    wal.archive(&mut archive_of(&kept)).unwrap();
    drop(wal);
    let first = segments(&disk)[0].clone();
    disk.flip_bit(&first, 5000 * 8);
    let (wal, recovery) = open(&disk);
    assert_eq!(recovery.damage.len(), 1);
    append_durably(&wal, 5);
    let mut archive = archive_of(&kept);
    wal.archive(&mut archive).unwrap();
    wal.archive(&mut archive).unwrap();
    assert_eq!(archived(&kept), (0..65).collect::<Vec<_>>());
}

#[test]
fn a_sync_that_failed_is_not_believed_the_second_time() {
    for skip in 0..3 {
        let (disk, kept) = (FaultDisk::new(), FaultDisk::new());
        let (wal, _) = open(&disk);
        let mut archive = archive_of(&kept);
        append_all(&wal, 20);
        wal.archive(&mut archive).unwrap();
        append_all(&wal, 20);
        kept.fail(FaultPoint::Sync, "", skip, EIO);
        let failed = wal.archive(&mut archive).is_err();
        kept.heal();
        let told = wal.archive(&mut archive).unwrap().through;
        assert_eq!(told, Position(40), "{skip}: {failed}");
        kept.lose_power(Loss::Everything);
        assert_eq!(archived(&kept), (0..40).collect::<Vec<_>>(), "{skip}");
    }
}

#[test]
fn an_archive_whose_disk_fails_or_loses_power_is_behind_and_never_wrong() {
    let points = [
        FaultPoint::Create,
        FaultPoint::Write,
        FaultPoint::Sync,
        FaultPoint::Rename,
        FaultPoint::SyncDirectory,
    ];
    for (point, skip) in points.into_iter().flat_map(|point| (0..4).map(move |skip| (point, skip))) {
        let (disk, kept) = (FaultDisk::new(), FaultDisk::new());
        let (wal, _) = open(&disk);
        let mut archive = archive_of(&kept);
        append_all(&wal, 50);
        let before = wal.archive(&mut archive).unwrap().through;
        append_all(&wal, 300);
        kept.fail(point, "", skip, EIO);
        let told = wal.archive(&mut archive).map_or(before, |done| done.through);
        kept.heal();
        kept.lose_power(Loss::Everything);
        let found = archived(&kept);
        assert!(found.len() as u64 >= told.0, "{point:?} {skip}: {} of {told}", found.len());
        assert_eq!(found, (0..found.len() as u64).collect::<Vec<_>>(), "{point:?} {skip}");
        wal.archive(&mut archive_of(&kept)).unwrap();
        assert_eq!(archived(&kept), (0..350).collect::<Vec<_>>(), "{point:?} {skip}");
    }
}
