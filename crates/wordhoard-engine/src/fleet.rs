//! The servers that share a database: each says from time to time that it is there, and sees which others are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use wordhoard_model::RequestId;
use wordhoard_store::{Error, LogKey};

use crate::applier::Link;
use crate::engine::Inner;
use crate::history::ReadError;

/// How often a server says that it is there.
const BEAT_INTERVAL: Duration = Duration::from_secs(5);
/// How long SQL may take to hear it.
const BEAT_PATIENCE: Duration = Duration::from_secs(5);
/// Silence after which a server counts as gone.
const GONE_AFTER: Duration = Duration::from_secs(30);

/// A request that is younger may not be in SQL yet, though its server is well. A second is what tokens wait at most
/// (SPEC FD 3), the rest is for the transaction and for clocks.
const NEW: Duration = Duration::from_secs(3);
/// How often an unknown one is asked for again.
const NEW_PAUSE: Duration = Duration::from_millis(200);

/// Which server runs a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This one.
    Here,
    /// Another one, which was there this long ago.
    Elsewhere {
        /// For how long it has not been heard of.
        silent_for: Duration,
    },
    /// Another one, which has not been heard of for so long that it is taken for gone. The request goes on when that
    /// server is started again.
    Gone {
        /// For how long, where anything was ever heard of it.
        silent_for: Option<Duration>,
    },
    /// SQL cannot be asked.
    Unknown,
}

/// What is known of the other servers.
#[derive(Debug, Default)]
pub(crate) struct Fleet(Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    at: Instant,
    silent_for: HashMap<LogKey, Duration>,
}

impl Fleet {
    /// Whether servers are there whose logs are none of ours.
    pub(crate) fn has_others(&self, is_ours: impl Fn(LogKey) -> bool) -> bool {
        let seen = self.0.lock();
        let there = |(log, silent_for): (&LogKey, &Duration)| !is_ours(*log) && *silent_for < GONE_AFTER;
        seen.as_ref().is_some_and(|seen| seen.silent_for.iter().any(there))
    }

    /// Who runs the requests of this log.
    pub(crate) fn owner(&self, log: LogKey) -> Owner {
        let seen = self.0.lock();
        let Some(seen) = seen.as_ref().filter(|seen| seen.at.elapsed() < GONE_AFTER) else {
            return Owner::Unknown;
        };
        match seen.silent_for.get(&log) {
            Some(silent_for) if *silent_for < GONE_AFTER => Owner::Elsewhere { silent_for: *silent_for },
            silent_for => Owner::Gone { silent_for: silent_for.copied() },
        }
    }
}

impl Inner {
    /// Whether an unknown request may be so new that its server has not applied it yet.
    fn may_be_new_elsewhere(&self, id: RequestId) -> bool {
        let age_ms = self.clock.now().as_millis() - id.accepted_at().as_millis();
        let is_new = age_ms.unsigned_abs() < NEW.as_millis() as u64;
        is_new && self.fleet.has_others(|log| self.is_ours(log))
    }

    /// Asks again while the answer is that there is no such request, and another server may just have taken it in.
    pub(crate) async fn unless_new_elsewhere<T, F>(
        &self,
        id: RequestId,
        is_unknown: impl Fn(&T) -> bool,
        ask: impl Fn() -> F,
    ) -> Result<T, ReadError>
    where
        F: Future<Output = Result<T, ReadError>>,
    {
        let mut changes = self.store.changes();
        loop {
            changes.mark_unchanged();
            let answer = ask().await?;
            if !is_unknown(&answer) || !self.may_be_new_elsewhere(id) {
                return Ok(answer);
            }
            drop(tokio::time::timeout(NEW_PAUSE, changes.changed()).await);
        }
    }
}

pub(crate) async fn run(engine: Arc<Inner>, stop: CancellationToken) {
    let mut link = engine.applier.watch_link();
    loop {
        // A server that has just come back shall be seen at once.
        let up = async { link.wait_for(|link| matches!(link, Link::Up)).await.is_ok() };
        tokio::select! {
            () = stop.cancelled() => return,
            up = up => if !up { return },
        }
        match tokio::time::timeout(BEAT_PATIENCE, beat(&engine)).await {
            Ok(Ok(())) => engine.applier.note_answer(),
            Ok(Err(error)) => engine.applier.doubt(error),
            Err(_) => engine.applier.doubt(Error::Unavailable("it does not answer".into())),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BEAT_INTERVAL) => {}
        }
    }
}

async fn beat(engine: &Inner) -> Result<(), Error> {
    engine.store.beat(engine.log()).await?;
    let servers = engine.store.servers().await?;
    let silent_for = servers.into_iter().map(|server| (server.log, server.silent_for)).collect();
    *engine.fleet.0.lock() = Some(Seen { at: Instant::now(), silent_for });
    Ok(())
}
