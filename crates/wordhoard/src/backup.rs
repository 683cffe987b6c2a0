//! Backups as the configuration wants them: where, with which key, for how long, and where they go besides. The command
//! line and the administration share it.

mod restoring;
mod shipping;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use jiff::ToSpan;
use parking_lot::Mutex;
pub(crate) use restoring::{RestoreOptions, describe as describe_phase};
use serde_json::{Value, json};
use wordhoard_backup::{
    ArchiveMirror, BackupKey, BackupName, Backups, Error, Listed, Making, Manifest, Phase, Remote,
    RemoteSettings,
};
use wordhoard_model::Timestamp;
use wordhoard_store::Store;

use crate::config::{BackupKeySource, Config, S3Config};

/// Backups of one server. Clones are the same ones.
#[derive(Clone, Debug)]
pub(crate) struct BackupService {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    backups: Backups,
    remote: Option<Remote>,
    mirror: Option<ArchiveMirror>,
    known: Mutex<Option<Known>>,
    last_failed: Mutex<Option<bool>>,
}

/// What was seen when the folder of backups was last looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// Good ones.
    pub(crate) count: u64,
    pub(crate) newest_at: Option<Timestamp>,
    pub(crate) newest_size_bytes: Option<u64>,
}

/// What making a backup has led to.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) manifest: Manifest,
    /// Older ones that went.
    pub(crate) expired: Vec<BackupName>,
    pub(crate) archived_segments_removed: usize,
    /// Why it is not in the object store, where it should be and is not.
    pub(crate) remote_problem: Option<String>,
}

impl BackupService {
    /// The backups of this configuration, for whoever reads them: without their key none can be trusted.
    pub(crate) fn existing(config: &Config) -> anyhow::Result<Self> {
        let key = match &config.backup.key {
            BackupKeySource::Given(key) => BackupKey::given(key)?,
            BackupKeySource::File(path) => BackupKey::read(path).context(
                "without the key with which the backups were made none can be trusted: put it there",
            )?,
        };
        Self::with_key(config, key)
    }

    /// The backups of this configuration. Makes their key where there is none.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let key = match &config.backup.key {
            BackupKeySource::Given(key) => BackupKey::given(key)?,
            BackupKeySource::File(path) => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)
                        .with_context(|| format!("cannot make {}", folder.display()))?;
                }
                BackupKey::read_or_make(path)?
            }
        };
        Self::with_key(config, key)
    }

    fn with_key(config: &Config, key: BackupKey) -> anyhow::Result<Self> {
        let remote = config.backup.s3.as_ref().map(remote).transpose()?;
        let mirror = match (&remote, &config.archive) {
            (Some(remote), Some(archive)) => {
                Some(ArchiveMirror::new(remote.clone(), archive.dir.clone(), scratch(config)))
            }
            _ => None,
        };
        let backups = Backups::new(config.backup.dir.clone(), key);
        Ok(Self {
            inner: Arc::new(Inner {
                config: config.clone(),
                backups,
                remote,
                mirror,
                known: Mutex::default(),
                last_failed: Mutex::default(),
            }),
        })
    }

    /// Makes a backup, sends it to the object store if there is one, and removes what is too old.
    pub(crate) async fn make(
        &self,
        store: &dyn Store,
        now: Timestamp,
        progress: &(dyn Fn(Phase) + Send + Sync),
    ) -> Result<Made, Error> {
        let made = self.make_and_expire(store, now, progress).await;
        *self.inner.last_failed.lock() = Some(made.is_err());
        self.look().await;
        made
    }

    /// What is known of the backups. From memory.
    pub(crate) fn known(&self) -> Option<Known> {
        *self.inner.known.lock()
    }

    /// Whether the newest try of this server failed.
    pub(crate) fn last_failed(&self) -> Option<bool> {
        *self.inner.last_failed.lock()
    }

    /// Looks at the folder, so that it is known.
    pub(crate) async fn look(&self) {
        match self.list().await {
            Ok(listed) => {
                let good: Vec<_> = listed.iter().filter(|one| one.manifest.is_ok()).collect();
                *self.inner.known.lock() = Some(Known {
                    count: good.len() as u64,
                    newest_at: good.first().map(|newest| newest.name.begun_at()),
                    newest_size_bytes: good.first().map(|newest| newest.size_bytes),
                });
            }
            Err(error) => tracing::warn!(%error, "the folder of backups cannot be read"),
        }
    }

    async fn make_and_expire(
        &self,
        store: &dyn Store,
        now: Timestamp,
        progress: &(dyn Fn(Phase) + Send + Sync),
    ) -> Result<Made, Error> {
        let config = &self.inner.config;
        let making = Making {
            now,
            pg_bin_dir: config.backup.pg_bin_dir.clone(),
            min_free_bytes: config.limits.disk_reserve_bytes,
        };
        let manifest = self.inner.backups.make(store, &making, progress).await?;
        // It is there and good; what cannot be done besides must not make a failure of it.
        let remote_problem = self.send(&manifest).await.err().map(|error| error.to_string());
        if let Some(problem) = &remote_problem {
            tracing::error!(backup = manifest.name, problem, "the backup is not in the object store");
        }
        let expired = self.inner.backups.expire(self.oldest_kept(now)).unwrap_or_else(|error| {
            tracing::warn!(%error, "old backups could not be removed");
            Vec::new()
        });
        let removed = self.expire_archive(now).await;
        let archived_segments_removed = removed.unwrap_or_else(|error| {
            tracing::warn!(%error, "the archive keeps what it has");
            0
        });
        Ok(Made { manifest, expired, archived_segments_removed, remote_problem })
    }

    /// All local backups, newest first.
    pub(crate) async fn list(&self) -> Result<Vec<Listed>, Error> {
        let backups = self.inner.backups.clone();
        tokio::task::spawn_blocking(move || backups.list()).await.map_err(|_| Error::BrokenOff)?
    }

    /// Reads a backup whole and compares it with its manifest; fetches it first where only the object store has it.
    pub(crate) async fn verify(&self, name: &BackupName) -> Result<Manifest, Error> {
        self.fetch(name).await?;
        let (backups, name) = (self.inner.backups.clone(), name.clone());
        tokio::task::spawn_blocking(move || backups.verify(&name)).await.map_err(|_| Error::BrokenOff)?
    }

    fn oldest_kept(&self, now: Timestamp) -> Timestamp {
        let days = i64::from(self.inner.config.backup.retention_days);
        let now = jiff::Timestamp::from_millisecond(now.as_millis()).unwrap_or_default();
        let oldest = now.checked_sub((days * 24).hours()).unwrap_or(jiff::Timestamp::MIN);
        Timestamp::from_millis(oldest.as_millisecond())
    }

    /// Removes what the archive has for backups that are gone. Gives how many segments went.
    async fn expire_archive(&self, now: Timestamp) -> Result<usize, Error> {
        let Some(archive) = &self.inner.config.archive else { return Ok(0) };
        let (backups, dir, before) = (self.inner.backups.clone(), archive.dir.clone(), self.oldest_kept(now));
        let work = tokio::task::spawn_blocking(move || {
            wordhoard_backup::expire_archive(&dir, &backups.floors()?, before)
        });
        let (segments, begins) = work.await.map_err(|_| Error::BrokenOff)??;
        self.expire_remote_archive(&begins).await;
        Ok(segments)
    }
}

impl Made {
    pub(crate) fn json(&self) -> Value {
        let expired: Vec<_> = self.expired.iter().map(ToString::to_string).collect();
        let rows = self.manifest.rows;
        json!({
            "filename": self.manifest.name,
            "created_at": self.manifest.created_at,
            "size_bytes": self.manifest.files.iter().map(|file| file.size_bytes).sum::<u64>(),
            "requests": rows.llm_requests,
            "attempts": rows.llm_attempts,
            "tokens": rows.llm_token_log,
            "expired": expired,
            "archived_segments_removed": self.archived_segments_removed,
            "remote_problem": self.remote_problem,
        })
    }
}

/// A phase of making one, in words.
pub(crate) fn describe_making(phase: Phase) -> String {
    match phase {
        Phase::Copying { done_bytes, all_bytes: Some(all_bytes) } if all_bytes > 0 => {
            format!("copying: {} %", done_bytes.saturating_mul(100) / all_bytes)
        }
        Phase::Copying { done_bytes, .. } => format!("copying: {} MiB", done_bytes >> 20),
        Phase::Compressing => "compressing".into(),
        Phase::Verifying => "reading it back".into(),
    }
}

fn remote(s3: &S3Config) -> anyhow::Result<Remote> {
    let settings = RemoteSettings {
        bucket: s3.bucket.clone(),
        prefix: s3.prefix.clone(),
        endpoint: s3.endpoint.clone(),
        region: s3.region.clone(),
        access_key_id: s3.access_key_id.clone(),
        secret_access_key: s3.secret_access_key.clone(),
        allow_http: s3.allow_http,
        limits: Default::default(),
    };
    Remote::new(settings).context("backup.s3")
}

/// Where what goes to the object store is compressed.
fn scratch(config: &Config) -> PathBuf {
    config.data_dir.join("shipping")
}
