//! What keeps a server in order, as others see it.

use std::fmt;
use std::sync::Arc;

use wordhoard_model::Timestamp;

/// What the parts that keep a server in order have to tell. Plain values: health, metrics and alerts show them, and
/// know nothing of those parts. What is not known is nothing, and is not shown as a figure.
#[derive(Clone, Debug, Default)]
pub struct Upkeep {
    /// Backups that are kept.
    pub backup_count: Option<u64>,
    /// When the newest good backup was made.
    pub last_backup_at: Option<Timestamp>,
    /// Its size.
    pub last_backup_size_bytes: Option<u64>,
    /// Whether the newest try to make a backup failed.
    pub last_backup_failed: Option<bool>,
    /// When what was too old was last removed.
    pub last_prune_at: Option<Timestamp>,
    /// Records of the log that the archive does not have yet.
    pub archive_lag_records: Option<u64>,
    /// The steps of a stop that have begun, in their order.
    pub shutdown_steps: Vec<ShutdownStep>,
}

/// A step of a stop.
#[derive(Clone, Debug)]
pub struct ShutdownStep {
    /// What is done.
    pub name: &'static str,
    /// `running`, `done`, `failed` or `timed_out`.
    pub state: &'static str,
    /// How long it took, once it is over.
    pub elapsed_ms: Option<u64>,
}

/// Where [`Upkeep`] comes from. Asked for each answer, so it has to answer from memory.
#[derive(Clone)]
pub struct UpkeepSource(Arc<dyn Fn() -> Upkeep + Send + Sync>);

impl UpkeepSource {
    /// Asks `tell` each time.
    pub fn new(tell: impl Fn() -> Upkeep + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn now(&self) -> Upkeep {
        (self.0)()
    }
}

impl fmt::Debug for UpkeepSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpkeepSource")
    }
}
