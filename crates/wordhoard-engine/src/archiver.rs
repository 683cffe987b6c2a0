//! Mirrors the log into its archive, from which SQL can be brought from a backup to any later moment.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wordhoard_model::Timestamp;
use wordhoard_store::LogKey;
use wordhoard_wal::{Archive, OsDisk, Position, Wal};

use crate::clock::Clock;
use crate::settings::Settings;

/// Where the archive lies.
#[derive(Clone, Debug)]
pub struct ArchiveSettings {
    /// The folder in which each log has a folder of its own.
    pub dir: PathBuf,
    /// How far the archive is behind the log at most.
    pub interval: Duration,
}

impl ArchiveSettings {
    /// The folder of one log.
    pub fn dir_of(&self, log: LogKey) -> PathBuf {
        self.dir.join(format!("{log:?}"))
    }
}

/// How the archive is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveStatus {
    /// Exclusive end of what it has, in the positions of the log.
    pub through: u64,
    /// Durable records that it does not have yet.
    pub lag_records: u64,
    /// When it last had everything.
    pub last_success: Option<Timestamp>,
    /// Why the newest try failed, where it did.
    pub problem: Option<String>,
}

#[derive(Debug, Default)]
struct Report {
    last_success: Option<Timestamp>,
    problem: Option<String>,
}

/// Mirrors one log.
#[derive(Debug)]
pub(crate) struct Archiver {
    wal: Wal,
    clock: Arc<dyn Clock>,
    settings: ArchiveSettings,
    /// Held while a step runs; made by the first one that can.
    archive: Arc<Mutex<Option<Archive>>>,
    through: watch::Sender<Position>,
    report: Mutex<Report>,
}

impl Archiver {
    /// None where the settings want no archive.
    pub(crate) fn new(wal: &Wal, clock: &Arc<dyn Clock>, settings: &Settings) -> Option<Arc<Self>> {
        let settings = settings.archive.clone()?;
        Some(Arc::new(Self {
            through: watch::Sender::new(Position::default()),
            wal: wal.clone(),
            clock: Arc::clone(clock),
            settings,
            archive: Arc::default(),
            report: Mutex::default(),
        }))
    }

    /// Exclusive end of what the archive has durably; segments above it must stay.
    pub(crate) fn through(&self) -> Position {
        *self.through.borrow()
    }

    pub(crate) fn status(&self) -> ArchiveStatus {
        let (report, through) = (self.report.lock(), self.through());
        ArchiveStatus {
            through: through.0,
            lag_records: self.wal.progress().durable.0.saturating_sub(through.0),
            last_success: report.last_success,
            problem: report.problem.clone(),
        }
    }

    /// Brings the archive up to what is durable now.
    ///
    /// # Errors
    /// Why it could not. The log keeps what is missing.
    pub(crate) async fn step(&self) -> Result<Position, String> {
        let (wal, archive) = (self.wal.clone(), Arc::clone(&self.archive));
        let dir = self.settings.dir_of(LogKey(wal.log_id().0));
        let work = tokio::task::spawn_blocking(move || {
            let mut archive = archive.lock();
            // Made anew where it has failed: the folder may be gone. What is suspect in it stays known.
            let disk = OsDisk::new(dir).map_err(|error| error.to_string())?;
            let archive = archive.get_or_insert_with(|| Archive::new(Arc::new(disk)));
            wal.archive(archive).map(|done| done.through).map_err(|fault| fault.to_string())
        });
        let done = work.await.unwrap_or_else(|_| Err("copying failed".into()));
        let mut report = self.report.lock();
        match &done {
            Ok(through) => {
                self.through.send_replace(*through);
                report.last_success = Some(self.clock.now());
                if report.problem.take().is_some() {
                    tracing::info!(through = through.0, "the archive of the log is written again");
                }
            }
            Err(problem) => {
                if report.problem.as_ref() != Some(problem) {
                    tracing::error!(
                        problem, dir = %self.settings.dir.display(),
                        "the log cannot be archived; it keeps its segments until it can, trying again"
                    );
                }
                report.problem = Some(problem.clone());
            }
        }
        done
    }

    /// Follows the log until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            drop(self.step().await);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.settings.interval) => {}
            }
        }
    }
}
