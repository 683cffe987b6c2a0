use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use object_store::{GetOptions, ObjectStore};
use sha2::{Digest, Sha256};
use wordhoard_wal::disk::rename_durably;

use super::content::{self, Content};
use super::error::at;
use super::{Head, Remote, RemoteError, SHA256, Stored, blocking};

/// Written at once.
const WRITE_BYTES: usize = 1 << 20;
/// What a file is called that is not whole, behind its name.
pub(super) const PART: &str = ".part";

impl Remote {
    /// Brings an object here as the file `to`, in place of any file of that name, if it has at most `max_bytes`.
    ///
    /// It is written aside, compared with its digest and synced before it gets its name: whatever happens, `to` is as it
    /// was, or whole and durable. An object that somebody else put there has no digest; of such a one only the size is
    /// compared.
    ///
    /// # Errors
    /// Where there is none, it is too large or damaged, the store does not give it, or the file cannot be written.
    pub async fn get_file(&self, name: &str, to: &Path, max_bytes: u64) -> Result<Stored, RemoteError> {
        self.get_with(name, to, max_bytes).await.map(|(_, stored)| stored)
    }

    /// The same, with the object's metadata.
    pub(super) async fn get_with(
        &self,
        name: &str,
        to: &Path,
        max_bytes: u64,
    ) -> Result<(Head, Stored), RemoteError> {
        let path = self.path(name)?;
        let found = self.within(0, self.store.get_opts(&path, GetOptions::default()), name).await?;
        let head = Head { size_bytes: found.meta.size, metadata: found.attributes.clone() };
        if head.size_bytes > max_bytes {
            return Err(RemoteError::TooLarge { name: name.to_owned() });
        }
        let part = part_of(to);
        let arrived = self.receive(found.into_stream(), &head, name, &part).await;
        let placed = match arrived {
            Ok(content) => place(part.clone(), to.to_owned()).await.map(|()| content),
            Err(error) => Err(error),
        };
        match placed {
            Ok(content) => {
                let stored = Stored { size_bytes: content.size_bytes, sha256: content.sha256, moved: true };
                Ok((head, stored))
            }
            Err(error) => {
                // It has no name that anybody takes for a whole file; the next try replaces it.
                drop(std::fs::remove_file(&part));
                Err(error)
            }
        }
    }

    /// A small object, whole.
    ///
    /// # Errors
    /// As [`get_file`](Remote::get_file).
    pub async fn get_bytes(&self, name: &str, max_bytes: u64) -> Result<Vec<u8>, RemoteError> {
        let path = self.path(name)?;
        let found = self.within(0, self.store.get_opts(&path, GetOptions::default()), name).await?;
        let head = Head { size_bytes: found.meta.size, metadata: found.attributes.clone() };
        if head.size_bytes > max_bytes {
            return Err(RemoteError::TooLarge { name: name.to_owned() });
        }
        let bytes = self.within(head.size_bytes, found.bytes(), name).await?;
        let digest = Sha256::new_with_prefix(&bytes);
        let content = Content { size_bytes: bytes.len() as u64, sha256: content::hex(digest) };
        head.compare(&content, name)?;
        Ok(bytes.into())
    }

    async fn receive(
        &self,
        stream: BoxStream<'static, object_store::Result<Bytes>>,
        head: &Head,
        name: &str,
        part: &Path,
    ) -> Result<Content, RemoteError> {
        let writing = self.write_all(stream, head, name, part);
        let content = match tokio::time::timeout(self.patience(head.size_bytes), writing).await {
            Ok(written) => written?,
            Err(_) => return Err(RemoteError::Unavailable("it took too long".into())),
        };
        head.compare(&content, name)?;
        Ok(content)
    }

    async fn write_all(
        &self,
        mut stream: BoxStream<'static, object_store::Result<Bytes>>,
        head: &Head,
        name: &str,
        part: &Path,
    ) -> Result<Content, RemoteError> {
        let mut sink = Sink::create(part)?;
        let mut waiting = Vec::new();
        loop {
            let next = self.within(0, stream.try_next(), name).await?;
            let ended = next.is_none();
            waiting.extend_from_slice(&next.unwrap_or_default());
            if sink.written_bytes + waiting.len() as u64 > head.size_bytes {
                return Err(RemoteError::TooLarge { name: name.to_owned() });
            }
            if ended || waiting.len() >= WRITE_BYTES {
                sink = sink.write(std::mem::take(&mut waiting)).await?;
            }
            if ended {
                let sha256 = content::hex(sink.digest);
                return Ok(Content { size_bytes: sink.written_bytes, sha256 });
            }
        }
    }
}

impl Head {
    fn compare(&self, content: &Content, name: &str) -> Result<(), RemoteError> {
        let wrong = if content.size_bytes != self.size_bytes {
            "it ended early"
        } else if self.metadata(SHA256).is_some_and(|sha256| sha256 != content.sha256) {
            "its SHA-256 is not that of what was put there"
        } else {
            return Ok(());
        };
        Err(RemoteError::Mismatch { name: name.to_owned(), what: wrong })
    }
}

struct Sink {
    file: File,
    path: PathBuf,
    digest: Sha256,
    written_bytes: u64,
}

impl Sink {
    fn create(path: &Path) -> Result<Self, RemoteError> {
        Ok(Self { file: create(path)?, path: path.to_owned(), digest: Sha256::new(), written_bytes: 0 })
    }

    async fn write(mut self, bytes: Vec<u8>) -> Result<Self, RemoteError> {
        blocking(move || {
            self.file.write_all(&bytes).map_err(at(&self.path))?;
            self.digest.update(&bytes);
            self.written_bytes += bytes.len() as u64;
            Ok(self)
        })
        .await
    }
}

/// Where a file is written that will be `to`.
pub(super) fn part_of(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(PART);
    name.into()
}

/// A new file, in place of what an earlier try left; never through a link.
pub(super) fn create(path: &Path) -> Result<File, RemoteError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(path)(error)),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).open(path).map_err(at(path))
}

/// Makes a file that is whole durable under its name.
pub(super) async fn place(part: PathBuf, to: PathBuf) -> Result<(), RemoteError> {
    blocking(move || rename_durably(&part, &to).map_err(at(&to))).await
}
