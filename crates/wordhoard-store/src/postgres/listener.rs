//! Hears of what any server has applied.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::limits::ServerLimits;
use super::session::{Session, Target};
use crate::Error;

/// Notified in the transaction of every batch, with the hexadecimal id of its log.
pub(super) const CHANNEL: &str = "wordhoard_applied";
/// Waits between tries while the database is away.
const RETRY: std::ops::Range<Duration> = Duration::from_millis(200)..Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Listener {
    target: Arc<Target>,
    count: watch::Sender<u64>,
    task: Mutex<State>,
}

#[derive(Debug)]
enum State {
    NotStarted,
    Running(JoinHandle<()>),
    Closed,
}

impl Listener {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self { target, count: watch::Sender::new(0), task: Mutex::new(State::NotStarted) }
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.start();
        self.count.subscribe()
    }

    /// Begins to listen, where that has not begun. Without a runtime around it, a later call will do it.
    pub(super) fn start(&self) {
        let mut state = self.task.lock();
        if let (State::NotStarted, Ok(runtime)) = (&*state, Handle::try_current()) {
            let (target, count) = (Arc::clone(&self.target), self.count.clone());
            // Owned here, and aborted when the store is closed or dropped.
            *state = State::Running(runtime.spawn(listen(target, count)));
        }
    }

    pub(super) fn close(&self) {
        if let State::Running(task) = std::mem::replace(&mut *self.task.lock(), State::Closed) {
            task.abort();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

async fn listen(target: Arc<Target>, count: watch::Sender<u64>) {
    let mut wait = RETRY.start;
    loop {
        match subscribe(&target, &count).await {
            Ok(mut session) => {
                wait = RETRY.start;
                // Whatever was notified before this moment went unheard.
                count.send_modify(|count| *count += 1);
                session.ended().await;
            }
            Err(error) => tracing::debug!(%error, "PostgreSQL cannot be listened to; trying again"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY.end);
    }
}

async fn subscribe(target: &Target, count: &watch::Sender<u64>) -> Result<Session, Error> {
    let session = target.connect(ServerLimits::READ, Some(count.clone())).await?;
    session.client().batch_execute(&format!("LISTEN {CHANNEL}")).await?;
    Ok(session)
}
