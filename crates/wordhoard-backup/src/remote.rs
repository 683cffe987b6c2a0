//! An object store of the S3 kind. Files go there streamed and checked, and come back the same way.
//!
//! Beside each object stands the SHA-256 of its bytes, as metadata. What is sent is signed by its digest, so the store
//! refuses what the way has changed; what comes back is compared with the metadata before it gets its name.
//!
//! An upload in parts whose process dies leaves its parts in the store, unseen but paid for: the bucket should have a
//! rule that removes unfinished uploads after some days.

mod archive;
mod backups;
mod content;
mod download;
mod error;
mod name;
mod segment;
mod settings;
mod upload;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, GetOptions, ObjectStore, ObjectStoreExt, RetryConfig,
};

pub use archive::{ArchiveMirror, ArchivePulled, ArchivePushed};
pub use backups::{BackupPushed, RemoteBackup};
pub use error::RemoteError;
pub use settings::{RemoteLimits, RemoteSettings};

use content::Content;

/// The first pause before a call is made again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The slowest transfer that is still waited for.
const SLOWEST_BYTES_PER_SECOND: u64 = 64 << 10;
/// The most objects that a list may have.
const MAX_LISTED: usize = 1_000_000;
/// The name of the SHA-256 in an object's metadata.
const SHA256: &str = "sha256";

/// An object store, or that part of it whose names begin with our prefix. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Remote {
    store: Arc<AmazonS3>,
    prefix: String,
    limits: RemoteLimits,
}

/// What a list says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteObject {
    /// Its name, without our prefix.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
    /// When it was put there.
    pub modified: SystemTime,
}

/// A file that is in the store as it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Whether it had to be transferred: what was there already is left alone.
    pub moved: bool,
}

/// What the store says of one object.
#[derive(Debug)]
struct Head {
    size_bytes: u64,
    metadata: Attributes,
}

impl Remote {
    /// The store of these settings. Touches no network.
    ///
    /// # Errors
    /// Where the settings cannot be ones of a store.
    pub fn new(settings: RemoteSettings) -> Result<Self, RemoteError> {
        settings.check()?;
        let limits = settings.limits;
        let client = ClientOptions::new()
            .with_allow_http(settings.allow_http)
            .with_connect_timeout(limits.connect)
            .with_read_timeout(limits.silence)
            .with_timeout_disabled();
        let backoff = BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: 2.0 };
        let retry = RetryConfig { backoff, max_retries: limits.retries, retry_timeout: limits.retry_for };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(settings.bucket)
            .with_region(settings.region)
            .with_access_key_id(settings.access_key_id)
            .with_secret_access_key(settings.secret_access_key)
            .with_allow_http(settings.allow_http)
            .with_disable_bulk_delete(true)
            .with_client_options(client)
            .with_retry(retry);
        if let Some(endpoint) = settings.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let store = builder.build().map_err(|error| RemoteError::Settings(error::without_body(&error)))?;
        Ok(Self { store: Arc::new(store), prefix: settings.prefix, limits })
    }

    /// All objects whose names begin with `folder` and a slash; all of ours where it is empty. Objects whose names
    /// cannot be ours are left out.
    ///
    /// # Errors
    /// Where the store does not give the list, or it is too long to be one of ours.
    pub async fn list(&self, folder: &str) -> Result<Vec<RemoteObject>, RemoteError> {
        let mut objects = Vec::new();
        let path = match folder {
            "" => object_store::path::Path::from(self.prefix.trim_end_matches('/')),
            folder => self.path(folder)?,
        };
        let mut listed = self.store.list(Some(&path));
        while let Some(meta) = self.within(0, listed.try_next(), folder).await? {
            let full = meta.location.to_string();
            let Some(name) = full.strip_prefix(&self.prefix).filter(|name| name::is_good(name)) else {
                continue;
            };
            let modified = SystemTime::from(meta.last_modified);
            objects.push(RemoteObject { name: name.to_owned(), size_bytes: meta.size, modified });
            if objects.len() > MAX_LISTED {
                return Err(RemoteError::TooLarge { name: folder.to_owned() });
            }
        }
        Ok(objects)
    }

    /// Removes an object. One that is not there is removed already.
    ///
    /// # Errors
    /// Where the store does not say that it is gone.
    pub async fn delete(&self, name: &str) -> Result<(), RemoteError> {
        let path = self.path(name)?;
        match self.within(0, self.store.delete(&path), name).await {
            Err(RemoteError::NotFound { .. }) => Ok(()),
            removed => removed,
        }
    }

    /// What the store says of this object, if it is there.
    async fn head(&self, name: &str) -> Result<Option<Head>, RemoteError> {
        let path = self.path(name)?;
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.within(0, self.store.get_opts(&path, options), name).await {
            Ok(found) => Ok(Some(Head { size_bytes: found.meta.size, metadata: found.attributes })),
            Err(RemoteError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn path(&self, name: &str) -> Result<object_store::path::Path, RemoteError> {
        name::check(name)?;
        object_store::path::Path::parse(format!("{}{name}", self.prefix))
            .map_err(|_| RemoteError::Name { name: name.to_owned() })
    }

    /// Waits for a call that moves so many bytes, but not for ever.
    async fn within<T>(
        &self,
        size_bytes: u64,
        call: impl Future<Output = object_store::Result<T>>,
        name: &str,
    ) -> Result<T, RemoteError> {
        match tokio::time::timeout(self.patience(size_bytes), call).await {
            Ok(ended) => ended.map_err(|error| error::of_store(&error, name)),
            Err(_) => Err(RemoteError::Unavailable("it took too long".into())),
        }
    }

    /// How long a transfer of so many bytes may take.
    fn patience(&self, size_bytes: u64) -> Duration {
        self.limits.call + Duration::from_secs(size_bytes / SLOWEST_BYTES_PER_SECOND)
    }
}

impl Head {
    fn metadata(&self, field: &'static str) -> Option<&str> {
        self.metadata.get(&Attribute::Metadata(field.into())).map(AsRef::as_ref)
    }

    fn holds(&self, content: &Content) -> bool {
        self.size_bytes == content.size_bytes && self.metadata(SHA256) == Some(content.sha256.as_str())
    }
}

/// Runs work on files where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RemoteError> + Send + 'static,
) -> Result<T, RemoteError> {
    // The task ends without a result only if the runtime is going down or the work panicked.
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|_| Err(RemoteError::Unavailable("the program is stopping".into())))
}
