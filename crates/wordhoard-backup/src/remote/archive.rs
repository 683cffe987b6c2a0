//! The archive of the log in the store: `archive/LOG/SEGMENT.wal.zst`, one object for each segment.

mod names;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::download::{part_of, place};
use super::error::at;
use super::segment::{self, Filled, Standing};
use super::upload::Metadata;
use super::{Head, Remote, RemoteError, RemoteObject, blocking};
use names::SegmentName;

const FOLDER: &str = "archive";
/// The largest segment that is brought back. A segment ends at a fixed size, but for what its last batch may add.
const MAX_SEGMENT_BYTES: u64 = 2 << 30;
const SIZE: &str = "segment-size";
const FILLED: &str = "segment-filled";
const FILLED_SHA256: &str = "segment-sha256";
const NOTHING_SAYS: &str = "nothing says what it holds";
const DIFFERS: &str = "it differs from the segment here";

/// Keeps the archive in the store as long as the one here, segment by segment.
#[derive(Debug)]
pub struct ArchiveMirror {
    remote: Remote,
    archive: PathBuf,
    scratch: PathBuf,
    /// Segments that are there as they are here, by how the file looked then.
    known: Mutex<HashMap<SegmentName, Look>>,
    /// Held by the one call that uses `scratch`.
    turn: tokio::sync::Mutex<()>,
}

/// A file that was written more recently may be written again without a newer time.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// By this one sees that a file has not been written since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    size_bytes: u64,
    modified: SystemTime,
}

/// What it took to bring the archive there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchivePushed {
    /// Objects that were sent.
    pub sent: Vec<String>,
    /// Their bytes.
    pub bytes_sent: u64,
    /// How many segments were there already, or further than here.
    pub kept: usize,
    /// Segments that do not go on where the one there ends. The one there is left alone, the one here is sent under a
    /// name of its own, and somebody should look at it.
    pub conflicts: Vec<String>,
}

/// What it took to bring the archive here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchivePulled {
    /// Files that were fetched.
    pub fetched: Vec<PathBuf>,
    /// How many segments were here already, or further than there.
    pub kept: usize,
    /// Objects that are damaged, or that differ from the segment here.
    pub damaged: Vec<String>,
}

impl ArchiveMirror {
    /// Of the archive in the folder `archive`. Segments are packed in the folder `scratch`, which is made where it is
    /// missing, must be on a disk with space for one of them, and be used by nobody else.
    #[must_use]
    pub fn new(remote: Remote, archive: PathBuf, scratch: PathBuf) -> Self {
        Self { remote, archive, scratch, known: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// Sends what is new. A segment that has not been written since the last call costs one look at its file.
    ///
    /// # Errors
    /// At the first segment that cannot be read or sent; those before it are there.
    pub async fn push(&self) -> Result<ArchivePushed, RemoteError> {
        let _turn = self.turn.lock().await;
        let mut pushed = ArchivePushed::default();
        for name in names::here(&self.archive)? {
            let path = name.path(&self.archive);
            let look = Look::at(&path)?;
            if self.known.lock().get(&name) == Some(&look) {
                pushed.kept += 1;
                continue;
            }
            if self.push_segment(&name, &path, &mut pushed).await? && look.is_settled() {
                self.known.lock().insert(name, look);
            }
        }
        Ok(pushed)
    }

    /// Fetches what is not here. What is fetched is compared with what was sent before it gets its name. Damaged objects
    /// are passed over and told.
    ///
    /// # Errors
    /// Where the store does not give them, or a file cannot be written.
    pub async fn pull(&self) -> Result<ArchivePulled, RemoteError> {
        let _turn = self.turn.lock().await;
        let mut pulled = ArchivePulled::default();
        for (name, object) in self.there().await? {
            match self.pull_segment(&name, &object, &mut pulled).await {
                Err(RemoteError::Mismatch { name, .. } | RemoteError::TooLarge { name }) => {
                    pulled.damaged.push(name);
                }
                other => other?,
            }
        }
        Ok(pulled)
    }

    /// Removes from the store the segments of a log all of whose records lie before `position`, as the beginning of the
    /// next one tells; the last one stays. Gives how many.
    ///
    /// # Errors
    /// Where the store does not say that they are gone.
    pub async fn remove_before(&self, log_id: &str, position: u64) -> Result<usize, RemoteError> {
        let mut of_log: Vec<_> = self.there().await?;
        of_log.retain(|(name, _)| name.log_id == log_id);
        let gone = of_log.windows(2).take_while(|pair| pair[1].0.first_position <= position).count();
        for (_, object) in &of_log[..gone] {
            self.remote.delete(&object.name).await?;
        }
        Ok(gone)
    }

    /// Segments there, by log and position.
    async fn there(&self) -> Result<Vec<(SegmentName, RemoteObject)>, RemoteError> {
        let objects = self.remote.list(FOLDER).await?.into_iter();
        let mut found: Vec<_> =
            objects.filter_map(|object| Some((SegmentName::of_object(&object.name)?, object))).collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(found)
    }

    /// Whether there is nothing more to do about the segment as it is now.
    async fn push_segment(
        &self,
        name: &SegmentName,
        path: &Path,
        pushed: &mut ArchivePushed,
    ) -> Result<bool, RemoteError> {
        let object = name.object();
        let head = self.remote.head(&object).await?;
        let there = head.as_ref().and_then(filled);
        // An object that does not say what it holds is nothing of ours to replace.
        let foreign = head.is_some() && there.is_none();
        let (here, standing) = self.survey(path, there).await?;
        let conflict = standing == Standing::Other || foreign;
        let object = match standing {
            Standing::Same | Standing::Shorter => {
                pushed.kept += 1;
                return Ok(true);
            }
            Standing::Longer | Standing::Other if conflict => name.conflicting_object(),
            Standing::Longer | Standing::Other => object,
        };
        let packed = self.packed(name)?;
        let (from, to, what) = (path.to_owned(), packed.clone(), here.clone());
        let sent = match blocking(move || segment::compress(&from, &what, &to)).await {
            Ok(()) => self.remote.put_with(&packed, &object, metadata(&here)).await,
            Err(error) => Err(error),
        };
        drop(fs::remove_file(&packed));
        let stored = match sent {
            // It is being written just now: the next call finds more.
            Err(RemoteError::Changed { .. }) => return Ok(false),
            sent => sent?,
        };
        if conflict {
            pushed.conflicts.push(name.object());
        }
        if stored.moved {
            pushed.bytes_sent += stored.size_bytes;
            pushed.sent.push(object);
        }
        Ok(true)
    }

    async fn pull_segment(
        &self,
        name: &SegmentName,
        object: &RemoteObject,
        pulled: &mut ArchivePulled,
    ) -> Result<(), RemoteError> {
        let damaged = |what| RemoteError::Mismatch { name: object.name.clone(), what };
        let path = name.path(&self.archive);
        let there = self.remote.head(&object.name).await?.as_ref().and_then(filled);
        let there = there.ok_or_else(|| damaged(NOTHING_SAYS))?;
        let mut here = None;
        if path.symlink_metadata().is_ok() {
            let (found, standing) = self.survey(&path, Some(there)).await?;
            match standing {
                Standing::Same | Standing::Longer => {
                    pulled.kept += 1;
                    return Ok(());
                }
                Standing::Shorter => here = Some(found),
                Standing::Other => return Err(damaged(DIFFERS)),
            }
        }
        let folder = self.archive.join(&name.log_id);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let packed = self.packed(name)?;
        let fetched = self.fetch(object, &packed, &path, here).await;
        drop(fs::remove_file(&packed));
        fetched?;
        pulled.fetched.push(path);
        Ok(())
    }

    /// Makes the segment at `path`, which is to go on where `here` ends if that is there already.
    async fn fetch(
        &self,
        object: &RemoteObject,
        packed: &Path,
        path: &Path,
        here: Option<Filled>,
    ) -> Result<(), RemoteError> {
        let damaged = |what| RemoteError::Mismatch { name: object.name.clone(), what };
        let (head, _) = self.remote.get_with(&object.name, packed, MAX_SEGMENT_BYTES).await?;
        let what = filled(&head).filter(|what| what.size_bytes <= MAX_SEGMENT_BYTES);
        let what = what.ok_or_else(|| damaged(NOTHING_SAYS))?;
        let part = part_of(path);
        let (from, to, name) = (packed.to_owned(), part.clone(), object.name.clone());
        let mut unpacked = blocking(move || segment::unpack(&from, &what, &to, &name)).await;
        if unpacked.is_ok() && here.is_some() && self.survey(&part, here).await?.1 != Standing::Longer {
            unpacked = Err(damaged(DIFFERS));
        }
        match unpacked {
            Ok(()) => place(part, path.to_owned()).await,
            Err(error) => {
                drop(fs::remove_file(&part));
                Err(error)
            }
        }
    }

    /// Where a segment is while it is packed.
    fn packed(&self, name: &SegmentName) -> Result<PathBuf, RemoteError> {
        fs::create_dir_all(&self.scratch).map_err(at(&self.scratch))?;
        Ok(self.scratch.join(format!("{}-{}.zst", name.log_id, name.file())))
    }

    async fn survey(&self, path: &Path, there: Option<Filled>) -> Result<(Filled, Standing), RemoteError> {
        let path = path.to_owned();
        blocking(move || segment::survey(&path, there.as_ref())).await
    }
}

impl Look {
    fn at(path: &Path) -> Result<Self, RemoteError> {
        let about = path.symlink_metadata().map_err(at(path))?;
        Ok(Self { size_bytes: about.len(), modified: about.modified().map_err(at(path))? })
    }

    fn is_settled(&self) -> bool {
        self.modified.elapsed().is_ok_and(|age| age > SETTLED_AFTER)
    }
}

/// What the metadata of an object says of the segment in it.
fn filled(head: &Head) -> Option<Filled> {
    let number = |field| head.metadata(field)?.parse::<u64>().ok();
    let what = Filled {
        size_bytes: number(SIZE)?,
        filled_bytes: number(FILLED)?,
        sha256: head.metadata(FILLED_SHA256)?.to_owned(),
    };
    (what.filled_bytes <= what.size_bytes).then_some(what)
}

fn metadata(filled: &Filled) -> Metadata {
    vec![
        (SIZE, filled.size_bytes.to_string()),
        (FILLED, filled.filled_bytes.to_string()),
        (FILLED_SHA256, filled.sha256.clone()),
    ]
}
