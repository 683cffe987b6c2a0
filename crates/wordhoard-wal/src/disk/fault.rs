//! A disk in memory that behaves like a real one on its worst day.
//!
//! It keeps apart what a running process sees from what a power loss leaves: writes are durable after a
//! successful sync of their file, names after a successful sync of the directory. A failed sync behaves as on
//! Linux: the pages stay readable, count as clean, and no later sync brings them to the disk.

mod medium;

use std::{fmt, io, sync::Arc, time::Duration};

use parking_lot::Mutex;

use self::medium::Medium;
use super::{Disk, DiskFile};

/// Where an error can be injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPoint {
    /// A write to a file. Half of the bytes are written before it fails.
    Write,
    /// fdatasync of a file.
    Sync,
    /// fsync of the directory.
    SyncDirectory,
    /// Making a file.
    Create,
    /// Giving a file another name.
    Rename,
    /// Reading.
    Read,
}

/// What a power loss takes of all that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: as after `kill -9`.
    Nothing,
    /// Everything.
    Everything,
    /// A random part, by this seed: single sectors of writes, single directory operations.
    Random(u64),
}

#[derive(Debug)]
struct Planned {
    point: FaultPoint,
    /// File names that start so.
    prefix: String,
    skip: u32,
    errno: i32,
}

#[derive(Debug, Default)]
struct State {
    medium: Medium,
    planned: Vec<Planned>,
    journal: Vec<(FaultPoint, String)>,
    space_bytes: Option<u64>,
    slow_sync: Duration,
    ignore_directory_sync: bool,
}

/// See the module. Cloning gives another handle to the same disk.
#[derive(Clone, Default)]
pub struct FaultDisk {
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for FaultDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultDisk")
    }
}

impl FaultDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the operation after `skip` further ones of its kind, on files whose name starts with `prefix`, fail
    /// once with `errno` (5 is EIO, 28 ENOSPC).
    pub fn fail(&self, point: FaultPoint, prefix: &str, skip: u32, errno: i32) {
        self.state.lock().planned.push(Planned { point, prefix: prefix.to_owned(), skip, errno });
    }

    /// Forgets the faults that have not happened yet.
    pub fn heal(&self) {
        self.state.lock().planned.clear();
    }

    /// Limits what all files together may hold; `None` lifts the limit.
    pub fn set_space_bytes(&self, limit: Option<u64>) {
        self.state.lock().space_bytes = limit;
    }

    /// Makes every sync of a file take this long.
    pub fn set_slow_sync(&self, delay: Duration) {
        self.state.lock().slow_sync = delay;
    }

    /// Lets `sync_directory` answer "done" and do nothing, like a program that forgot to call it.
    pub fn set_ignore_directory_sync(&self, ignore: bool) {
        self.state.lock().ignore_directory_sync = ignore;
    }

    /// Cuts the power: loses what was not durable, by `loss`. Handles opened before fail from now on.
    pub fn lose_power(&self, loss: Loss) {
        let mut state = self.state.lock();
        state.medium.lose_power(loss);
        state.planned.clear();
    }

    /// Flips one bit of a file, on the medium itself.
    pub fn flip_bit(&self, name: &str, bit: u64) {
        self.edit(name, |bytes| {
            if let Some(byte) = bytes.get_mut((bit / 8) as usize) {
                *byte ^= 1 << (bit % 8);
            }
        });
    }

    /// Replaces a file's contents by what `change` makes of them, durably.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        self.state.lock().medium.edit(name, change);
    }

    /// Contents of a file as a process sees them; `None` if there is none.
    #[must_use]
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.state.lock().medium.contents(name)
    }

    /// A copy of this disk, without its planned faults.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let medium = self.state.lock().medium.clone();
        Self { state: Arc::new(Mutex::new(State { medium, ..State::default() })) }
    }

    /// All operations so far but reads, in order, with the name of the file at that time (of a rename the new one).
    #[must_use]
    pub fn journal(&self) -> Vec<(FaultPoint, String)> {
        self.state.lock().journal.clone()
    }
}

impl State {
    fn enter_file(&mut self, point: FaultPoint, inode: usize) -> io::Result<()> {
        let name = self.medium.name_of(inode);
        self.enter(point, &name)
    }

    /// Notes the operation and fails it if that was planned.
    fn enter(&mut self, point: FaultPoint, name: &str) -> io::Result<()> {
        if point != FaultPoint::Read {
            self.journal.push((point, name.to_owned()));
        }
        let matches = |planned: &Planned| planned.point == point && name.starts_with(&planned.prefix);
        let due = self.planned.iter().position(|planned| matches(planned) && planned.skip == 0);
        for planned in self.planned.iter_mut().filter(|planned| matches(planned)) {
            planned.skip = planned.skip.saturating_sub(1);
        }
        match due {
            Some(at) => Err(io::Error::from_raw_os_error(self.planned.remove(at).errno)),
            None => Ok(()),
        }
    }

    fn room_bytes(&self) -> u64 {
        self.space_bytes.map_or(u64::MAX, |limit| limit.saturating_sub(self.medium.used_bytes()))
    }
}

impl Disk for FaultDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state.lock().medium.names())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let (inode, generation) = self.state.lock().medium.lookup(name)?;
        Ok(Arc::new(FaultFile { state: Arc::clone(&self.state), inode, generation }))
    }

    fn open_read(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.open(name)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        {
            let mut state = self.state.lock();
            state.enter(FaultPoint::Create, name)?;
            state.medium.create(name);
        }
        self.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.enter(FaultPoint::Rename, to)?;
        state.medium.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state.lock().medium.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.enter(FaultPoint::SyncDirectory, ".")?;
        if !state.ignore_directory_sync {
            state.medium.sync_directory();
        }
        Ok(())
    }

    fn quarantine(&self, name: &str, copy: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        let bytes = state.medium.contents(name).ok_or(io::ErrorKind::NotFound)?;
        state.medium.put(&format!("quarantine/{copy}"), bytes);
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.state.lock().room_bytes())
    }
}

#[derive(Debug)]
struct FaultFile {
    state: Arc<Mutex<State>>,
    inode: usize,
    generation: u64,
}

impl fmt::Debug for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl DiskFile for FaultFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state.lock();
        state.medium.check(self.generation)?;
        state.enter_file(FaultPoint::Read, self.inode)?;
        Ok(state.medium.read(self.inode, buffer, offset))
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.medium.check(self.generation)?;
        if let Err(error) = state.enter_file(FaultPoint::Write, self.inode) {
            state.medium.write(self.inode, &bytes[..bytes.len() / 2], offset);
            return Err(error);
        }
        let growth = (offset + bytes.len() as u64).saturating_sub(state.medium.size_bytes(self.inode));
        let room = state.room_bytes();
        if growth > room {
            let fits = bytes.len() - ((growth - room) as usize).min(bytes.len());
            state.medium.write(self.inode, &bytes[..fits], offset);
            return Err(io::Error::from_raw_os_error(28));
        }
        state.medium.write(self.inode, bytes, offset);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let delay = self.state.lock().slow_sync;
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        let mut state = self.state.lock();
        state.medium.check(self.generation)?;
        let outcome = state.enter_file(FaultPoint::Sync, self.inode);
        state.medium.sync(self.inode, outcome.is_ok());
        outcome
    }

    fn size_bytes(&self) -> io::Result<u64> {
        let state = self.state.lock();
        state.medium.check(self.generation)?;
        Ok(state.medium.size_bytes(self.inode))
    }
}
