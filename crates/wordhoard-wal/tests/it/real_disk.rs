use std::{fs, path::Path, sync::Arc};

use wordhoard_wal::{DamageKind, DirLock, Options, OsDisk, Position, Wal, inspect};

use crate::rig::{append_durably, assert_as_appended, assert_holds_all, options};

fn open(dir: &Path) -> (Wal, wordhoard_wal::Recovery) {
    Wal::open(Arc::new(OsDisk::new(dir).unwrap()), options()).unwrap()
}

#[test]
fn real_files_hold_the_log_and_inspection_reads_them_live_and_closed() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data/tokens.wal");
    let (wal, recovery) = open(&dir);
    assert!(recovery.created);
    append_durably(&wal, 300);
    let live = inspect::scan(&dir).unwrap();
    assert!(!live.summary().segments.last().unwrap().sealed);
    assert_eq!(live.from(Position(100)).map(|record| assert_as_appended(&record.unwrap())).count(), 200);
    wal.release(Position(150)).unwrap();
    wal.close();

    let (wal, recovery) = open(&dir);
    assert_eq!((recovery.durable, recovery.created, recovery.torn_batches), (Position(300), false, 0));
    assert_holds_all(&wal, recovery.first.0, 300);
    assert!(recovery.first > Position(0));
    let usage = wal.usage();
    assert!(usage.free_bytes > 0 && usage.size_bytes >= 2 * options().segment_size_bytes);
    let summary = inspect::verify(&dir).unwrap();
    assert_eq!(
        (summary.first, summary.end, summary.log_id),
        (recovery.first, Position(300), Some(wal.log_id()))
    );
}

#[test]
fn a_damaged_real_segment_is_copied_to_quarantine() {
    let temp = tempfile::tempdir().unwrap();
    let (wal, _) = open(temp.path());
    append_durably(&wal, 10);
    wal.close();
    let path = temp.path().join("00000000000000000000.wal");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + 60] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (wal, recovery) = open(temp.path());
    assert_eq!((recovery.damage[0].kind, recovery.damage[0].missing.end), (DamageKind::Batch, Position(1)));
    let copy = temp.path().join("quarantine").join(recovery.damage[0].quarantined.as_ref().unwrap());
    assert_eq!(fs::read(copy).unwrap(), bytes);
    assert_holds_all(&wal, 1, 10);
}

#[test]
fn segments_are_reserved_in_full_before_use() {
    let temp = tempfile::tempdir().unwrap();
    let size = 3 << 20;
    let options = Options { segment_size_bytes: size, ..Options::default() };
    let (wal, _) = Wal::open(Arc::new(OsDisk::new(temp.path()).unwrap()), options).unwrap();
    append_durably(&wal, 1);
    let metadata = fs::metadata(temp.path().join("00000000000000000000.wal")).unwrap();
    assert_eq!(metadata.len(), size);
    assert!(std::os::unix::fs::MetadataExt::blocks(&metadata) * 512 >= size, "real blocks, no hole");
}

#[test]
fn leftovers_of_a_killed_process_do_no_harm() {
    let temp = tempfile::tempdir().unwrap();
    let (wal, _) = open(temp.path());
    append_durably(&wal, 10);
    drop(wal);
    for name in ["spare.tmp", "fresh.tmp", "notes.txt"] {
        fs::write(temp.path().join(name), b"left over").unwrap();
    }
    fs::create_dir(temp.path().join("00000000000000000099.wal")).unwrap();
    let (wal, recovery) = open(temp.path());
    assert_eq!((recovery.durable, recovery.damage.len()), (Position(10), 0));
    append_durably(&wal, 300);
    assert_holds_all(&wal, 0, 310);
    assert!(temp.path().join("notes.txt").exists());
}

#[test]
fn a_locked_directory_refuses_a_second_holder() {
    let temp = tempfile::tempdir().unwrap();
    let lock = DirLock::acquire(&temp.path().join("lock")).unwrap();
    let error = DirLock::acquire(&temp.path().join("lock")).unwrap_err();
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    drop(lock);
}

#[test]
fn inspecting_a_place_without_a_log_makes_nothing() {
    let temp = tempfile::tempdir().unwrap();
    assert!(inspect::scan(&temp.path().join("absent")).is_err());
    assert!(!temp.path().join("absent").exists());
    let summary = inspect::verify(temp.path()).unwrap();
    assert_eq!((summary.log_id, summary.segments.len()), (None, 0));
}
