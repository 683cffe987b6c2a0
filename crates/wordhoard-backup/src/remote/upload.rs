use std::fs::File;
use std::io::Read;
use std::path::Path;

use object_store::{
    Attribute, Attributes, MultipartUpload, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
};
use sha2::{Digest, Sha256};

use super::content::{self, Content};
use super::error::at;
use super::{Remote, RemoteError, SHA256, Stored, blocking};

/// S3 takes 10,000; some stores count differently.
const MAX_PARTS: u64 = 9_000;
/// The largest object that goes whole from memory.
const MAX_BYTES_AT_ONCE: usize = 4 << 20;

/// Further metadata of an object, by name.
pub(super) type Metadata = Vec<(&'static str, String)>;

impl Remote {
    /// Brings a file there under `name`, in place of any object of that name. What is there with the same size and
    /// digest is not sent again.
    ///
    /// Nobody sees it there before it is whole. A file that changes meanwhile is not stored.
    ///
    /// # Errors
    /// Where the file cannot be read, or the store does not say that it has it.
    pub async fn put_file(&self, file: &Path, name: &str) -> Result<Stored, RemoteError> {
        self.put_with(file, name, Metadata::new()).await
    }

    pub(super) async fn put_with(
        &self,
        file: &Path,
        name: &str,
        metadata: Metadata,
    ) -> Result<Stored, RemoteError> {
        self.path(name)?;
        let content = Content::of(file).await?;
        let there = self.head(name).await?;
        let moved = !there.is_some_and(|there| there.holds(&content));
        if moved {
            self.send(file, name, &content, metadata).await?;
        }
        Ok(Stored { size_bytes: content.size_bytes, sha256: content.sha256, moved })
    }

    /// Brings a small object there, if there is none of that name; one with the same content is as good.
    ///
    /// # Errors
    /// Where there is another of that name, it is too large to be small, or the store does not say that it has it.
    pub async fn put_new(&self, bytes: Vec<u8>, name: &str) -> Result<Stored, RemoteError> {
        let path = self.path(name)?;
        if bytes.len() > MAX_BYTES_AT_ONCE {
            return Err(RemoteError::TooLarge { name: name.to_owned() });
        }
        let content =
            Content { size_bytes: bytes.len() as u64, sha256: content::hex(Sha256::new_with_prefix(&bytes)) };
        let attributes = attributes(&content, Metadata::new());
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        let put = self.store.put_opts(&path, bytes.into(), options);
        let moved = match self.within(content.size_bytes, put, name).await {
            Ok(_) => true,
            // Also what a call finds that is made again because its first answer was lost.
            Err(RemoteError::AlreadyExists { .. })
                if self.head(name).await?.is_some_and(|there| there.holds(&content)) =>
            {
                false
            }
            Err(error) => return Err(error),
        };
        Ok(Stored { size_bytes: content.size_bytes, sha256: content.sha256, moved })
    }

    async fn send(
        &self,
        file: &Path,
        name: &str,
        content: &Content,
        metadata: Metadata,
    ) -> Result<(), RemoteError> {
        let source = Source::open(file)?;
        let attributes = attributes(content, metadata);
        if content.size_bytes <= self.limits.part_bytes {
            self.send_whole(source, name, content, attributes).await?;
        } else {
            self.send_parts(source, name, content, attributes).await?;
        }
        match self.head(name).await? {
            Some(there) if there.holds(content) => Ok(()),
            Some(_) => Err(mismatch(name, "it is not what was sent")),
            None => Err(mismatch(name, "it is gone at once")),
        }
    }

    async fn send_whole(
        &self,
        source: Source,
        name: &str,
        content: &Content,
        attributes: Attributes,
    ) -> Result<(), RemoteError> {
        let (source, bytes) = source.read(content.size_bytes).await?;
        source.check(content)?;
        let options = PutOptions { attributes, ..PutOptions::default() };
        let path = self.path(name)?;
        let put = self.store.put_opts(&path, bytes.into(), options);
        self.within(content.size_bytes, put, name).await.map(drop)
    }

    async fn send_parts(
        &self,
        source: Source,
        name: &str,
        content: &Content,
        attributes: Attributes,
    ) -> Result<(), RemoteError> {
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let path = self.path(name)?;
        let mut upload = self.within(0, self.store.put_multipart_opts(&path, options), name).await?;
        let sent = self.send_each_part(source, &mut *upload, name, content).await;
        if sent.is_err() {
            // What cannot be taken back now is left to the rule of the bucket for unfinished uploads.
            if let Err(error) = self.within(0, upload.abort(), name).await {
                tracing::warn!(name, %error, "parts of an upload that failed stay in the object store");
            }
        }
        sent
    }

    async fn send_each_part(
        &self,
        mut source: Source,
        upload: &mut dyn MultipartUpload,
        name: &str,
        content: &Content,
    ) -> Result<(), RemoteError> {
        let part_bytes = self.limits.part_bytes.max(content.size_bytes.div_ceil(MAX_PARTS));
        loop {
            let bytes;
            (source, bytes) = source.read(part_bytes).await?;
            if bytes.is_empty() {
                break;
            }
            self.within(bytes.len() as u64, upload.put_part(bytes.into()), name).await?;
        }
        source.check(content)?;
        self.within(0, upload.complete(), name).await.map(drop)
    }
}

/// A file that is read from its beginning to its end, and what has been read.
struct Source {
    file: File,
    path: std::path::PathBuf,
    digest: Sha256,
    read_bytes: u64,
}

impl Source {
    fn open(path: &Path) -> Result<Self, RemoteError> {
        Ok(Self { file: content::open(path)?, path: path.to_owned(), digest: Sha256::new(), read_bytes: 0 })
    }

    /// The next bytes, as many as asked for unless the file ends.
    async fn read(mut self, size_bytes: u64) -> Result<(Self, Vec<u8>), RemoteError> {
        blocking(move || {
            let mut bytes = Vec::new();
            (&self.file).take(size_bytes).read_to_end(&mut bytes).map_err(at(&self.path))?;
            self.digest.update(&bytes);
            self.read_bytes += bytes.len() as u64;
            Ok((self, bytes))
        })
        .await
    }

    /// That all that was read is what was to be sent.
    fn check(self, content: &Content) -> Result<(), RemoteError> {
        let read = Content { size_bytes: self.read_bytes, sha256: content::hex(self.digest) };
        if read == *content { Ok(()) } else { Err(RemoteError::Changed { path: self.path }) }
    }
}

fn attributes(content: &Content, metadata: Metadata) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::Metadata(SHA256.into()), content.sha256.clone().into());
    for (field, value) in metadata {
        attributes.insert(Attribute::Metadata(field.into()), value.into());
    }
    attributes
}

fn mismatch(name: &str, what: &'static str) -> RemoteError {
    RemoteError::Mismatch { name: name.to_owned(), what }
}
