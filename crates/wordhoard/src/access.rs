//! Who may call: the known keys, in memory. SQL has them; a copy in the data directory serves a start without SQL.
//!
//! A key is random, so its SHA-256 is all that is kept of it, here as there.

mod budget;
mod copy;
mod failed_tries;
mod fresh_key;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) use budget::budget;
pub(crate) use failed_tries::FailedTries;
pub(crate) use fresh_key::{FreshKey, KEY_PREFIX, NewKey, without_keys};
use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;
use wordhoard_engine::{Database, Engine};
use wordhoard_model::{KeyId, KeyLimits};
use wordhoard_store::{Error, KeyRecord, Owners, Scope, Store};

use crate::config::{AdminKey, Config, DatabaseConfig};

/// The copy of the keys, within the data directory.
const COPY_FILE: &str = "keys.json";
/// How often SQL is asked. A revoked key opens nothing after a second.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long SQL may take to answer.
const POLL_PATIENCE: Duration = Duration::from_secs(5);
/// How long the start waits for SQL to say which keys there are.
const START_PATIENCE: Duration = Duration::from_secs(3);

/// The server would be open to other machines and nobody could use it. A setting has to change.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoKeys(String);

/// Who may call. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    admin_key: Option<AdminKey>,
    known: RwLock<Arc<Vec<KnownKey>>>,
    /// Held from the question to SQL to its answer's place in memory, so that an older answer never replaces a newer.
    asking: tokio::sync::Mutex<()>,
    copy: PathBuf,
    /// Hears what the keys may use.
    engine: OnceLock<Engine>,
}

/// A key of SQL's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KnownKey {
    id: KeyId,
    scope: Scope,
    sha256: [u8; 32],
    limits: KeyLimits,
    group: Option<String>,
    /// It opens nothing any more. Its requests stay those of its group.
    is_revoked: bool,
}

/// Whose key was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The administrator's of the environment.
    Environment,
    /// One of SQL's.
    Key {
        /// Which one.
        id: KeyId,
        /// What it opens.
        scope: Scope,
    },
}

impl Caller {
    /// The key, where it is one of SQL's.
    pub(crate) fn key(self) -> Option<KeyId> {
        match self {
            Self::Environment => None,
            Self::Key { id, .. } => Some(id),
        }
    }

    pub(crate) fn scope(self) -> Scope {
        match self {
            Self::Environment => Scope::Admin,
            Self::Key { scope, .. } => scope,
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("WORDHOARD_ADMIN_KEY"),
            Self::Key { id, .. } => id.fmt(f),
        }
    }
}

impl Access {
    /// The keys that the last run knew.
    pub(crate) fn open(config: &Config, store: Arc<dyn Store>) -> Self {
        let copy = config.data_dir.join(COPY_FILE);
        let inner = Inner {
            store,
            admin_key: config.admin_key.clone(),
            known: RwLock::new(Arc::new(copy::read(&copy))),
            asking: tokio::sync::Mutex::default(),
            copy,
            engine: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Refuses a server that others can reach and nobody could use.
    ///
    /// # Errors
    /// What to do, where there is no key.
    pub(crate) async fn check(&self, config: &Config) -> anyhow::Result<()> {
        if config.listen.ip().is_loopback() || self.knows_any() {
            return Ok(());
        }
        let asked = tokio::time::timeout(START_PATIENCE, self.refresh()).await;
        if self.knows_any() {
            return Ok(());
        }
        let is_new = matches!(&config.database, DatabaseConfig::Sqlite(path) if !path.exists());
        let why = match asked {
            Ok(_) if is_new => String::new(),
            Ok(Ok(())) => String::new(),
            Ok(Err(error)) => format!(" (the database could not be asked: {error})"),
            Err(_) => " (the database does not answer)".to_owned(),
        };
        Err(NoKeys(format!(
            "{} is reached from other machines, and no key is known{why}: make one with `wordhoard keys create --scope admin` \
             (with the same --config, --data-dir and --database-url), or set WORDHOARD_ADMIN_KEY to at least 32 characters",
            config.listen
        ))
        .into())
    }

    fn knows_any(&self) -> bool {
        self.inner.admin_key.is_some() || self.count() > 0
    }

    /// What the known keys may use.
    pub(crate) fn limits(&self) -> HashMap<KeyId, KeyLimits> {
        self.inner.known.read().iter().map(|key| (key.id, key.limits.clone())).collect()
    }

    /// From now on the engine hears what the keys may use.
    pub(crate) fn tell(&self, engine: &Engine) {
        self.inner.engine.get_or_init(|| engine.clone()).set_key_limits(self.limits());
    }

    /// Whose requests a caller sees (SPEC FD 11): an administrator everybody's, a key its own and those of its group, and who
    /// shows none those that were made without one.
    pub(crate) fn owners(&self, caller: Option<Caller>) -> Owners {
        match caller {
            None => Owners::Nobody,
            Some(caller) if caller.scope() == Scope::Admin => Owners::All,
            Some(caller) => {
                let known = Arc::clone(&self.inner.known.read());
                let own = known.iter().find(|key| Some(key.id) == caller.key());
                let group = own.and_then(|key| key.group.as_deref());
                let same_group = known.iter().filter(|key| group.is_some() && key.group.as_deref() == group);
                let ids = same_group.map(|key| key.id).chain(caller.key());
                Owners::Keys(ids.collect())
            }
        }
    }

    /// How many keys of SQL are known.
    pub(crate) fn count(&self) -> usize {
        self.inner.known.read().iter().filter(|key| !key.is_revoked).count()
    }

    /// Whose key this is. Takes as long for a wrong one as for a right one.
    pub(crate) fn caller(&self, key: &str) -> Option<Caller> {
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let known = Arc::clone(&self.inner.known.read());
        let mut found = None;
        for one in known.iter() {
            if bool::from(one.sha256.ct_eq(&digest)) && !one.is_revoked {
                found = Some(Caller::Key { id: one.id, scope: one.scope });
            }
        }
        let is_environments = self.inner.admin_key.as_ref().is_some_and(|admin| admin.is(key));
        if is_environments { Some(Caller::Environment) } else { found }
    }

    /// Takes over what SQL says.
    pub(crate) async fn refresh(&self) -> Result<(), Error> {
        let _asking = self.inner.asking.lock().await;
        let keys = match tokio::time::timeout(POLL_PATIENCE, self.inner.store.keys()).await {
            Ok(keys) => keys?,
            Err(_) => return Err(Error::Unavailable("it does not answer".into())),
        };
        self.set(keys.iter().map(KnownKey::of).collect()).await;
        Ok(())
    }

    /// The same, where SQL is there, within the patience of a start.
    pub(crate) async fn refresh_if_up(&self, engine: &Engine) -> Result<(), Error> {
        if !matches!(engine.status().database, Database::Up) {
            return Ok(());
        }
        match tokio::time::timeout(Duration::from_millis(500), self.refresh()).await {
            Ok(refreshed) => refreshed,
            Err(_) => Err(Error::Unavailable("it does not answer".into())),
        }
    }

    async fn set(&self, keys: Vec<KnownKey>) {
        if **self.inner.known.read() == keys {
            return;
        }
        tracing::info!(keys = keys.len(), "which keys there are has changed");
        let keys = Arc::new(keys);
        *self.inner.known.write() = Arc::clone(&keys);
        if let Some(engine) = self.inner.engine.get() {
            engine.set_key_limits(self.limits());
        }
        let path = self.inner.copy.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || copy::write(&path, &keys)).await {
            tracing::warn!(%error, "the copy of the keys could not be written; a start without SQL would not know them");
        }
    }

    /// Hears of keys that were made or revoked elsewhere.
    pub(crate) async fn run(self, engine: Engine, stop: CancellationToken) {
        loop {
            if matches!(engine.status().database, Database::Up)
                && let Err(error) = self.refresh().await
            {
                tracing::debug!(%error, "SQL does not say which keys there are; they stay as they are");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
    }
}

impl KnownKey {
    fn of(record: &KeyRecord) -> Self {
        let limits = record.limits.clone();
        Self {
            id: record.id,
            scope: record.scope,
            sha256: record.sha256,
            limits,
            group: record.group.clone(),
            is_revoked: record.revoked_at.is_some(),
        }
    }
}
