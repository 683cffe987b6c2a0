//! To the object store, and back.

use std::collections::BTreeMap;

use wordhoard_backup::{BackupName, Error, FENCE_FILE, Manifest};

use super::BackupService;

/// The largest backup that is fetched.
const MAX_FETCHED_BYTES: u64 = 1 << 40;

impl BackupService {
    /// Sends a backup, and older ones that are not there yet.
    pub(super) async fn send(&self, newest: &Manifest) -> Result<(), Error> {
        let Some(remote) = &self.inner.remote else { return Ok(()) };
        for listed in self.list().await? {
            let is_good = listed.manifest.is_ok();
            let folder = self.inner.backups.dir().join(listed.name.as_str());
            match remote.push_backup(&folder).await {
                Ok(pushed) if pushed.files_sent > 0 => {
                    tracing::info!(backup = %listed.name, bytes = pushed.bytes_sent, "sent to the object store");
                }
                Ok(_) => {}
                Err(error) if listed.name.as_str() == newest.name => return Err(error.into()),
                Err(error) if is_good => {
                    tracing::warn!(backup = %listed.name, %error, "not in the object store");
                }
                Err(_) => {}
            }
        }
        let oldest =
            self.oldest_kept(newest.created_at.parse().unwrap_or(wordhoard_model::Timestamp::from_millis(0)));
        for there in remote.backups().await? {
            let Ok(name) = there.name.parse::<BackupName>() else { continue };
            if name.begun_at() < oldest && there.name != newest.name {
                remote.remove_backup(&there.name).await?;
            }
        }
        Ok(())
    }

    /// Sends what the archive has gained. Gives how many segments were sent.
    pub(crate) async fn ship_archive(&self) -> Result<usize, Error> {
        let Some(mirror) = &self.inner.mirror else { return Ok(0) };
        let pushed = mirror.push().await?;
        for name in &pushed.conflicts {
            tracing::error!(
                name,
                "a segment is no continuation of the one in the object store, which is kept"
            );
        }
        self.ship_fences().await?;
        Ok(pushed.sent.len())
    }

    /// Where restores to earlier moments have ended logs.
    async fn ship_fences(&self) -> Result<(), Error> {
        let (Some(remote), Some(archive)) = (&self.inner.remote, &self.inner.config.archive) else {
            return Ok(());
        };
        for log in wordhoard_backup::fenced_logs(&archive.dir)? {
            remote
                .put_file(&archive.dir.join(&log).join(FENCE_FILE), &format!("archive/{log}/{FENCE_FILE}"))
                .await?;
        }
        Ok(())
    }

    async fn fetch_fences(&self) -> Result<(), Error> {
        let (Some(remote), Some(archive)) = (&self.inner.remote, &self.inner.config.archive) else {
            return Ok(());
        };
        for object in remote.list("archive").await? {
            let parts: Vec<_> = object.name.split('/').collect();
            let ["archive", log, FENCE_FILE] = parts[..] else { continue };
            let to = archive.dir.join(log).join(FENCE_FILE);
            if !to.exists() {
                std::fs::create_dir_all(archive.dir.join(log))
                    .map_err(|reason| Error::File { path: archive.dir.join(log), reason })?;
                remote.get_file(&object.name, &to, 64).await?;
            }
        }
        Ok(())
    }

    /// Fetches a backup that only the object store has.
    pub(super) async fn fetch(&self, name: &BackupName) -> Result<(), Error> {
        let Some(remote) = &self.inner.remote else { return Ok(()) };
        if self.list().await?.iter().any(|listed| listed.name == *name) {
            return Ok(());
        }
        let there = remote.backups().await?;
        if there.iter().any(|one| one.name == name.as_str()) {
            let dir = self.inner.backups.dir();
            std::fs::create_dir_all(dir).map_err(|reason| Error::File { path: dir.to_owned(), reason })?;
            tracing::info!(backup = %name, "fetching from the object store");
            remote.pull_backup(name.as_str(), dir, MAX_FETCHED_BYTES).await?;
        }
        Ok(())
    }

    /// The names of the backups that the object store has; empty where there is none.
    pub(crate) async fn remote_names(&self) -> Result<Vec<String>, Error> {
        let Some(remote) = &self.inner.remote else { return Ok(Vec::new()) };
        Ok(remote.backups().await?.into_iter().map(|one| one.name).collect())
    }

    /// Fetches what the object store has of the archive and this machine has not.
    pub(super) async fn fetch_archive(&self) -> Result<(), Error> {
        let Some(mirror) = &self.inner.mirror else { return Ok(()) };
        let pulled = mirror.pull().await?;
        for name in &pulled.damaged {
            tracing::error!(name, "a segment in the object store is damaged; it is not used");
        }
        self.fetch_fences().await?;
        Ok(())
    }

    pub(super) async fn expire_remote_archive(&self, floors: &BTreeMap<String, u64>) {
        let Some(mirror) = &self.inner.mirror else { return };
        for (log, floor) in floors {
            if let Err(error) = mirror.remove_before(log, *floor).await {
                tracing::warn!(%error, log, "old segments in the object store could not be removed");
            }
        }
    }
}
