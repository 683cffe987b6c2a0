//! A reader whose segment is removed just before it opens the file.

use std::io;
use std::sync::{Arc, Mutex};

use wordhoard_wal::{Disk, DiskFile, FaultDisk, Position, ReadError, Reader, Wal};

use crate::rig::{append_durably, options};

/// A disk that reads the log in the middle of its release: as soon as a file is gone.
#[derive(Debug)]
struct ReadsWhenRemoved {
    disk: FaultDisk,
    reader: Mutex<Option<Reader>>,
    outcome: Mutex<Option<Result<usize, ReadError>>>,
}

impl Disk for ReadsWhenRemoved {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(name)
    }
    fn open_read(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open_read(name)
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)?;
        if let Some(mut reader) = self.reader.lock().unwrap().take() {
            let read = reader.next_batch(1).map(|records| records.len());
            *self.outcome.lock().unwrap() = Some(read);
        }
        Ok(())
    }
    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }
    fn quarantine(&self, name: &str, copy: &str) -> io::Result<()> {
        self.disk.quarantine(name, copy)
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

#[test]
fn it_is_told_where_the_log_begins_now() {
    let disk = Arc::new(ReadsWhenRemoved {
        disk: FaultDisk::new(),
        reader: Mutex::default(),
        outcome: Mutex::default(),
    });
    let (wal, _) = Wal::open(Arc::clone(&disk) as Arc<dyn Disk>, options()).unwrap();
    append_durably(&wal, 400);
    *disk.reader.lock().unwrap() = Some(wal.reader(Position(0)).unwrap());
    let second = wal.segments()[1].first;
    wal.release(second).unwrap();
    let outcome = disk.outcome.lock().unwrap().take().unwrap();
    assert!(
        matches!(outcome, Err(ReadError::Released { first_available }) if first_available == second),
        "{outcome:?}"
    );
}
