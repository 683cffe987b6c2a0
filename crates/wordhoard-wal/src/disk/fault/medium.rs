use std::{collections::BTreeMap, io, mem};

use super::Loss;

const SECTOR: usize = 512;

#[derive(Clone, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(u64, Vec<u8>)>,
}

#[derive(Clone)]
enum DirectoryChange {
    Link(String, usize),
    Rename(String, String, usize),
    Unlink(String),
}

/// Files and names, each as seen and as durable.
#[derive(Clone, Default)]
pub(super) struct Medium {
    inodes: Vec<Inode>,
    seen: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    unsynced: Vec<DirectoryChange>,
    generation: u64,
}

fn put(target: &mut Vec<u8>, bytes: &[u8], offset: u64) {
    let start = offset as usize;
    let end = start + bytes.len();
    if target.len() < end {
        target.resize(end, 0);
    }
    target[start..end].copy_from_slice(bytes);
}

fn apply(names: &mut BTreeMap<String, usize>, change: &DirectoryChange) {
    match change {
        DirectoryChange::Link(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        DirectoryChange::Rename(from, to, inode) => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
        DirectoryChange::Unlink(name) => {
            names.remove(name);
        }
    }
}

impl Medium {
    pub(super) fn names(&self) -> Vec<String> {
        self.seen.keys().cloned().collect()
    }

    pub(super) fn lookup(&self, name: &str) -> io::Result<(usize, u64)> {
        let inode = self.seen.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok((*inode, self.generation))
    }

    /// Name of a file; empty if it was unlinked.
    pub(super) fn name_of(&self, inode: usize) -> String {
        let found = self.seen.iter().find(|(_, other)| **other == inode);
        found.map(|(name, _)| name.clone()).unwrap_or_default()
    }

    /// A handle from before a power loss is dead.
    pub(super) fn check(&self, generation: u64) -> io::Result<()> {
        if generation == self.generation { Ok(()) } else { Err(io::Error::from_raw_os_error(5)) }
    }

    fn change(&mut self, change: DirectoryChange) {
        apply(&mut self.seen, &change);
        self.unsynced.push(change);
    }

    pub(super) fn create(&mut self, name: &str) {
        self.inodes.push(Inode::default());
        self.change(DirectoryChange::Link(name.to_owned(), self.inodes.len() - 1));
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let (inode, _) = self.lookup(from)?;
        self.change(DirectoryChange::Rename(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.lookup(name)?;
        self.change(DirectoryChange::Unlink(name.to_owned()));
        Ok(())
    }

    pub(super) fn sync_directory(&mut self) {
        self.unsynced.clear();
        self.durable = self.seen.clone();
    }

    pub(super) fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.inodes.push(Inode { seen: bytes.clone(), durable: bytes, unsynced: Vec::new() });
        self.seen.insert(name.to_owned(), self.inodes.len() - 1);
        self.durable.insert(name.to_owned(), self.inodes.len() - 1);
    }

    pub(super) fn edit(&mut self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.contents(name).unwrap_or_default();
        change(&mut bytes);
        self.put(name, bytes);
    }

    pub(super) fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.seen.get(name).map(|inode| self.inodes[*inode].seen.clone())
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.seen.values().map(|inode| self.inodes[*inode].seen.len() as u64).sum()
    }

    pub(super) fn size_bytes(&self, inode: usize) -> u64 {
        self.inodes[inode].seen.len() as u64
    }

    pub(super) fn read(&self, inode: usize, buffer: &mut [u8], offset: u64) -> usize {
        let seen = &self.inodes[inode].seen;
        let from = (offset as usize).min(seen.len());
        let count = buffer.len().min(seen.len() - from);
        buffer[..count].copy_from_slice(&seen[from..from + count]);
        count
    }

    pub(super) fn write(&mut self, inode: usize, bytes: &[u8], offset: u64) {
        let inode = &mut self.inodes[inode];
        put(&mut inode.seen, bytes, offset);
        inode.unsynced.push((offset, bytes.to_vec()));
    }

    /// A failed sync drops the pages from the list of those to be written, as Linux does.
    pub(super) fn sync(&mut self, inode: usize, succeeds: bool) {
        let inode = &mut self.inodes[inode];
        for (offset, bytes) in mem::take(&mut inode.unsynced) {
            if succeeds {
                put(&mut inode.durable, &bytes, offset);
            }
        }
    }

    pub(super) fn lose_power(&mut self, loss: Loss) {
        self.generation += 1;
        if loss == Loss::Nothing {
            // The kernel lives on and still holds what was written but not synced.
            return;
        }
        let mut chance = Chance(match loss {
            Loss::Random(seed) => Some(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            Loss::Nothing | Loss::Everything => None,
        });
        for inode in &mut self.inodes {
            for (offset, bytes) in mem::take(&mut inode.unsynced) {
                let mut at = 0;
                while at < bytes.len() {
                    let sector_left = SECTOR - (offset as usize + at) % SECTOR;
                    let end = (at + sector_left).min(bytes.len());
                    if chance.keeps() {
                        put(&mut inode.durable, &bytes[at..end], offset + at as u64);
                    }
                    at = end;
                }
            }
            inode.seen = inode.durable.clone();
        }
        for change in mem::take(&mut self.unsynced) {
            if chance.keeps() {
                apply(&mut self.durable, &change);
            }
        }
        self.seen = self.durable.clone();
    }
}

/// Keeps each thing with a probability of one half; `None` keeps nothing. xorshift64.
struct Chance(Option<u64>);

impl Chance {
    fn keeps(&mut self) -> bool {
        let Some(state) = &mut self.0 else { return false };
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state & 0x100 != 0
    }
}
