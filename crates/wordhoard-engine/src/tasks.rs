//! The registry of background work. Every task has a kind, and every kind says what a panic in it means.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a task does, and so what its end means for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// Takes one prompt in. A panic in it fails that prompt.
    Admission,
    /// Runs one request. A panic in it leaves that request open; recovery closes it at the next start.
    Request,
    /// Reads what a provider sends behind its answer. A panic in it closes that connection.
    AnswerRest,
    /// Serves one connection. A panic in it closes that connection.
    Connection,
    /// Accepts connections. Nobody is served without it.
    Server,
    /// Makes durable events visible. Nothing is shown without it.
    Visibility,
    /// Writes the log into SQL. The log grows without it.
    Applier,
    /// Says to other servers that this one is there. They take it for gone without it.
    Fleet,
    /// Hears what keys have used before and elsewhere. Without it, limits of keys count what this server has seen.
    Accounts,
    /// Hears which providers are disabled. Without it they stay as they are known.
    Switches,
    /// Keeps in SQL what is known of the breakers. Without it operators see an old state there.
    Breakers,
    /// Hears of new prices. Without it those that are known stay.
    Prices,
    /// Hears which keys there are. Without it they stay as they are known.
    Access,
    /// Takes up, when SQL is there, what a crash left open. Without it that stays open until the next start.
    LateRecovery,
    /// Checks from time to time whether SQL holds all that it should. A panic in it ends these checks.
    Consistency,
    /// Counts from time to time what SQL holds. Without it the figures of health grow old.
    Statistics,
    /// An operation that an administrator has begun. A panic in it fails that operation.
    Operation,
    /// Mirrors the log into its archive. Without it the log keeps its segments.
    Archiver,
    /// Begins maintenance when it is due. A panic in it leaves maintenance to the administrator.
    Maintenance,
    /// Reacts to a latched log. Nothing is accepted again without it.
    StorageGuard,
}

impl TaskKind {
    /// Whether the server cannot go on without it.
    fn is_vital(self) -> bool {
        matches!(self, Self::Server | Self::Visibility | Self::Applier | Self::StorageGuard)
    }
}

/// All background work of a server.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    fatal: CancellationToken,
}

impl Tasks {
    /// Starts a task. A panic is logged here; in a vital task it also ends the server, which restarts from its log
    /// rather than going on half alive.
    pub fn spawn<F>(&self, kind: TaskKind, work: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let fatal = self.fatal.clone();
        self.tracker.spawn(async move {
            let result = AssertUnwindSafe(work).catch_unwind().await;
            match result {
                Ok(output) => Some(output),
                Err(_) => {
                    tracing::error!(task = ?kind, vital = kind.is_vital(), "a task panicked");
                    if kind.is_vital() {
                        fatal.cancel();
                    }
                    None
                }
            }
        })
    }

    /// Ends when all tasks have. None may be started any more.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Ends when a vital task has panicked: the server shall stop and be restarted.
    pub async fn fatal(&self) {
        self.fatal.cancelled().await;
    }
}
