//! Which providers may be called: what an administrator has switched, on any server of this database.
//!
//! It is decided in SQL and asked for here, from memory: an attempt never waits for SQL. A copy in the data directory
//! serves a start without SQL.

mod copy;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;
use wordhoard_model::ProviderName;
use wordhoard_store::{Error, ProviderSwitch, Store};

use crate::applier::until_up;
use crate::engine::Inner;

/// How often SQL is asked. A switch counts everywhere within a second.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long SQL may take to answer.
const POLL_PATIENCE: Duration = Duration::from_secs(5);

/// Whether a provider is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderState {
    /// It is called.
    Closed,
    /// It has failed too often; nobody calls it for a while.
    Open,
    /// It has failed too often; one call tries whether it is back.
    HalfOpen,
    /// An administrator has switched it off.
    Disabled,
}

impl ProviderState {
    /// Its stable name, as health shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
            Self::Disabled => "disabled",
        }
    }
}

/// What is known of the switches.
#[derive(Debug)]
pub(crate) struct Switches {
    disabled: RwLock<Arc<BTreeSet<ProviderName>>>,
    /// Held from the question to SQL to its answer's place in memory, so that an older answer never replaces a newer.
    asking: tokio::sync::Mutex<()>,
    copy: Option<PathBuf>,
}

impl Switches {
    /// As the copy of the last run says.
    pub(crate) fn open(copy: Option<PathBuf>) -> Self {
        let disabled = copy.as_deref().map(copy::read).unwrap_or_default();
        Self { disabled: RwLock::new(Arc::new(disabled)), asking: tokio::sync::Mutex::default(), copy }
    }

    pub(crate) fn is_disabled(&self, provider: &ProviderName) -> bool {
        self.disabled.read().contains(provider)
    }

    /// The state of a provider whose breaker says this.
    pub(crate) fn overrule(&self, provider: &ProviderName, breaker: ProviderState) -> ProviderState {
        if self.is_disabled(provider) { ProviderState::Disabled } else { breaker }
    }

    /// Takes over what SQL says.
    pub(crate) async fn refresh(&self, store: &dyn Store) -> Result<(), Error> {
        let _asking = self.asking.lock().await;
        let switches = within(store.switches()).await?;
        let disabled = switches.into_iter().filter(|switch| !switch.enabled).map(|switch| switch.provider);
        self.set(disabled.collect()).await;
        Ok(())
    }

    /// Decides, in SQL first.
    pub(crate) async fn switch(&self, store: &dyn Store, switch: ProviderSwitch) -> Result<(), Error> {
        let _asking = self.asking.lock().await;
        within(store.switch_provider(switch.clone())).await?;
        self.set(self.with(switch.provider, switch.enabled)).await;
        Ok(())
    }

    /// Forgets what was decided, in SQL first.
    pub(crate) async fn reset(&self, store: &dyn Store, provider: ProviderName) -> Result<(), Error> {
        let _asking = self.asking.lock().await;
        within(store.reset_provider(provider.clone())).await?;
        self.set(self.with(provider, true)).await;
        Ok(())
    }

    fn with(&self, provider: ProviderName, enabled: bool) -> BTreeSet<ProviderName> {
        let mut disabled = BTreeSet::clone(&self.disabled.read());
        match enabled {
            true => disabled.remove(&provider),
            false => disabled.insert(provider),
        };
        disabled
    }

    async fn set(&self, disabled: BTreeSet<ProviderName>) {
        if **self.disabled.read() == disabled {
            return;
        }
        let names: Vec<_> = disabled.iter().map(ProviderName::as_str).collect();
        tracing::info!(disabled = names.join(","), "which providers are disabled has changed");
        let disabled = Arc::new(disabled);
        *self.disabled.write() = Arc::clone(&disabled);
        if let Some(path) = self.copy.clone() {
            let written = tokio::task::spawn_blocking(move || copy::write(&path, &disabled)).await;
            if let Ok(Err(error)) = written {
                tracing::warn!(%error, "the copy of the switches could not be written; a start without SQL would not know them");
            }
        }
    }
}

async fn within<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(POLL_PATIENCE, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::Unavailable("it does not answer".into())),
    }
}

/// Hears of what other servers were told.
pub(crate) async fn run(engine: Arc<Inner>, stop: CancellationToken) {
    let mut link = engine.applier.watch_link();
    loop {
        if !until_up(&mut link, &stop).await {
            return;
        }
        if let Err(error) = engine.switches.refresh(&*engine.store).await {
            tracing::debug!(%error, "SQL does not say which providers are disabled; they stay as they are");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
    }
}
