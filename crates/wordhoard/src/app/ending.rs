//! What the server itself has to do for its end. Other parts register theirs beside it.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wordhoard_engine::{Engine, Tasks};

use super::leaving::Leaving;
use crate::shutdown::{Phase, Shutdown};

const MOMENT: Duration = Duration::from_secs(1);
/// How long attempts may take to record that they were stopped.
const INTERRUPT_LIMIT: Duration = Duration::from_secs(5);
/// How long the last events may take to become durable.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// Longer than connections are given to end by themselves.
const CONNECTIONS_LIMIT: Duration = Duration::from_secs(6);
const APPLY_LIMIT: Duration = Duration::from_secs(5);
const DEPART_LIMIT: Duration = Duration::from_secs(2);
const LOG_LIMIT: Duration = Duration::from_secs(10);
/// What is missing in the archive follows at the next start.
const ARCHIVE_LIMIT: Duration = Duration::from_secs(5);
/// A database that hangs may have hung in the step before, too.
const DATABASE_LIMIT: Duration = Duration::from_secs(4);
const TASKS_LIMIT: Duration = Duration::from_secs(2);

/// The parts that are ended.
pub(super) struct Ending {
    pub(super) engine: Engine,
    pub(super) tasks: Tasks,
    pub(super) serving: JoinHandle<Option<()>>,
    pub(super) stop_serving: CancellationToken,
    pub(super) disconnect: CancellationToken,
    pub(super) leaving: Leaving,
}

impl Ending {
    pub(super) fn register(self, shutdown: &Shutdown, drain_timeout: Duration) {
        let Self { engine, tasks, serving, stop_serving, disconnect, leaving } = self;
        let of = || engine.clone();
        let engine = of();
        shutdown.register(Phase::Refuse, "prompts", MOMENT, move || async move {
            engine.begin_drain();
            Ok(())
        });
        let engine = of();
        shutdown.register(Phase::Drain, "requests", drain_timeout, move || async move {
            engine.idle().await;
            Ok(())
        });
        let engine = of();
        shutdown.register(Phase::Drain, "interrupt", INTERRUPT_LIMIT, move || async move {
            engine.interrupt().await;
            Ok(())
        });
        let (engine, of_leaving) = (of(), leaving.clone());
        shutdown.register(Phase::Drain, "leave", MOMENT, move || async move {
            of_leaving.end_open_requests(&engine)
        });
        let engine = of();
        shutdown.register(Phase::Drain, "flush", FLUSH_LIMIT, move || async move {
            engine.settle().await;
            Ok(())
        });
        shutdown.register(Phase::Disconnect, "connections", CONNECTIONS_LIMIT, move || async move {
            disconnect.cancel();
            stop_serving.cancel();
            serving.await.map(drop).map_err(|error| error.to_string())
        });
        let engine = of();
        shutdown.register(
            Phase::Apply,
            "apply",
            APPLY_LIMIT,
            move || async move { engine.apply_all().await },
        );
        let engine = of();
        shutdown.register(Phase::Apply, "depart", DEPART_LIMIT, move || async move {
            leaving.depart(&engine).await
        });
        let engine = of();
        shutdown.register(Phase::Close, "log", LOG_LIMIT, move || async move { engine.close_log().await });
        let engine = of();
        shutdown.register(Phase::Close, "archive", ARCHIVE_LIMIT, move || async move {
            engine.archive_now().await
        });
        let engine = of();
        shutdown.register(Phase::Close, "database", DATABASE_LIMIT, move || async move {
            engine.close_store().await;
            Ok(())
        });
        shutdown.register(Phase::Report, "tasks", TASKS_LIMIT, move || async move {
            tasks.ended().await;
            Ok(())
        });
    }
}
