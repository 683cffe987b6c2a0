use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use wordhoard_backup::{ArchiveMirror, Remote};

use super::{KEY, Rig, names, noise, settings};

const LOG: &str = "5f0e3a7c00000000000000000000abcd";
const SEGMENT_BYTES: u64 = 100 << 20;

impl Rig {
    fn mirror(&self, archive: &str) -> ArchiveMirror {
        self.mirror_through(self.store.endpoint(), archive)
    }

    fn mirror_through(&self, endpoint: &str, archive: &str) -> ArchiveMirror {
        let scratch = self.path("scratch");
        ArchiveMirror::new(Remote::new(settings(endpoint, KEY)).unwrap(), self.path(archive), scratch)
    }

    /// A segment of a log's archive that holds these bytes, and a hole behind them.
    fn segment(&self, archive: &str, first: u64, bytes: &[u8]) -> PathBuf {
        let path = self.file(&format!("{archive}/{LOG}/{first:020}.wal"), bytes);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(SEGMENT_BYTES).unwrap();
        path
    }
}

fn write_on(path: &Path, bytes: &[u8], offset: u64) {
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, offset).unwrap();
}

fn object(first: u64) -> String {
    format!("archive/{LOG}/{first:020}.wal.zst")
}

#[tokio::test]
async fn segments_go_packed_and_come_back_sparse() {
    let rig = Rig::new();
    // Zeros inside count, also over many blocks.
    let mut bytes = noise(6, 300_000);
    bytes.extend(vec![0; 1_000_000]);
    bytes.extend(noise(7, 10));
    let first = rig.segment("archive", 0, &bytes);
    let second = rig.segment("archive", 4711, b"short");
    let empty = rig.segment("archive", 9000, b"");
    fs::write(rig.path("archive").join("note.txt"), b"no segment").unwrap();
    fs::write(rig.path("archive").join(LOG).join("copying.tmp"), b"no segment").unwrap();
    let mirror = rig.mirror("archive");
    let pushed = mirror.push().await.unwrap();
    assert_eq!(pushed.sent, [object(0), object(4711), object(9000)]);
    assert!(pushed.bytes_sent < 400_000 && pushed.conflicts.is_empty(), "{pushed:?}");
    let again = rig.mirror("archive").push().await.unwrap();
    assert_eq!((again.sent.len(), again.kept), (0, 3));

    let pulled = rig.mirror("restored").pull().await.unwrap();
    assert_eq!((pulled.fetched.len(), pulled.damaged.len()), (3, 0));
    for path in [&first, &second, &empty] {
        let back = rig.path("restored").join(LOG).join(path.file_name().unwrap());
        assert!(fs::read(path).unwrap() == fs::read(&back).unwrap(), "{path:?}");
        assert!(fs::metadata(&back).unwrap().blocks() * 512 < 2 << 20, "{back:?} is not sparse");
    }
    let nothing = rig.mirror("restored").pull().await.unwrap();
    assert_eq!((nothing.fetched.len(), nothing.kept), (0, 3));
    assert!(names(&rig.path("scratch")).is_empty());
}

#[tokio::test]
async fn a_segment_that_grows_is_sent_again_and_never_a_shorter_one() {
    let rig = Rig::new();
    let path = rig.segment("archive", 0, b"begin");
    let mirror = rig.mirror("archive");
    mirror.push().await.unwrap();
    write_on(&path, b"more", 5);
    assert_eq!(mirror.push().await.unwrap().sent, [object(0)]);
    rig.mirror("restored").pull().await.unwrap();

    rig.segment("archive", 0, b"begin");
    let kept = rig.mirror("archive").push().await.unwrap();
    assert_eq!((kept.sent.len(), kept.kept, kept.conflicts.len()), (0, 1, 0));
    let caught_up = rig.mirror("archive").pull().await.unwrap();
    assert_eq!(caught_up.fetched.as_slice(), std::slice::from_ref(&path));
    assert_eq!(&fs::read(&path).unwrap()[..10], b"beginmore\0");

    write_on(&path, b"even more", 9);
    let kept = rig.mirror("archive").pull().await.unwrap();
    assert_eq!((kept.fetched.len(), kept.kept), (0, 1));
}

#[tokio::test]
async fn a_segment_that_is_damaged_here_does_not_replace_the_good_one() {
    let rig = Rig::new();
    let path = rig.segment("archive", 0, b"begin and more");
    rig.mirror("archive").push().await.unwrap();
    write_on(&path, b"X", 3);
    let pushed = rig.mirror("archive").push().await.unwrap();
    assert_eq!((pushed.conflicts, pushed.sent.len()), (vec![object(0)], 1));
    assert!(pushed.sent[0].contains('~'), "{:?}", pushed.sent);
    let again = rig.mirror("archive").push().await.unwrap();
    assert_eq!((again.conflicts.len(), again.sent.len()), (1, 0));

    let pulled = rig.mirror("restored").pull().await.unwrap();
    assert_eq!(pulled.fetched.len(), 1);
    assert_eq!(&fs::read(&pulled.fetched[0]).unwrap()[..14], b"begin and more");
    for differs_here in ["begin", "begXn and", "begXn and more"] {
        rig.segment("archive", 0, differs_here.as_bytes());
        let beside = rig.mirror("archive").pull().await.unwrap();
        let expected = if differs_here == "begin" { (1, vec![]) } else { (0, vec![object(0)]) };
        assert_eq!((beside.fetched.len(), beside.damaged), expected, "{differs_here}");
    }
}

#[tokio::test]
async fn damaged_objects_are_told_and_the_others_are_fetched() {
    let rig = Rig::new();
    for first in [0, 10, 20, 30] {
        rig.segment("archive", first, &noise(first + 1, 50_000));
    }
    rig.mirror("archive").push().await.unwrap();
    rig.store.flip(&format!("site-1/{}", object(0)), 20_000).unwrap();
    rig.store.truncate(&format!("site-1/{}", object(10)), 1000).unwrap();
    rig.store.put(&format!("site-1/{}", object(20)), "planted by somebody").unwrap();
    let pulled = rig.mirror("restored").pull().await.unwrap();
    assert_eq!(pulled.damaged, [object(0), object(10), object(20)]);
    assert_eq!(pulled.fetched.len(), 1);
    assert_eq!(names(&rig.path("restored").join(LOG)), [format!("{:020}.wal", 30)]);
}

#[tokio::test]
async fn what_lies_before_a_position_is_removed() {
    let rig = Rig::new();
    for first in [0, 10, 20] {
        rig.segment("archive", first, b"records");
    }
    let mirror = rig.mirror("archive");
    mirror.push().await.unwrap();
    assert_eq!(mirror.remove_before(LOG, 9).await.unwrap(), 0);
    assert_eq!(mirror.remove_before("another-log", 100).await.unwrap(), 0);
    assert_eq!(mirror.remove_before(LOG, 10).await.unwrap(), 1);
    assert_eq!(mirror.remove_before(LOG, 1000).await.unwrap(), 1);
    assert_eq!(rig.store.keys().unwrap(), [format!("site-1/{}", object(20))]);
}

#[tokio::test]
async fn one_mirror_sends_and_fetches_at_the_same_time() {
    let rig = Rig::new();
    for first in [0, 10, 20] {
        rig.segment("of-another", first, &noise(first + 11, 40_000));
        let ours = "ab".repeat(16);
        rig.file(&format!("ours/{ours}/{first:020}.wal"), &noise(first + 12, 40_000));
    }
    rig.mirror("of-another").push().await.unwrap();
    let mirror = rig.mirror("ours");
    let (pushed, pulled) = tokio::join!(mirror.push(), mirror.pull());
    assert_eq!((pushed.unwrap().sent.len(), pulled.unwrap().fetched.len()), (3, 3));
    let everything = rig.mirror("restored").pull().await.unwrap();
    assert_eq!((everything.fetched.len(), everything.damaged.len()), (6, 0));
}
