//! The servers that share a database: each says from time to time that it is there, and sees which others are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use wordhoard_store::{Error, LogKey};

use crate::applier::Link;
use crate::engine::Inner;

/// How often a server says that it is there.
const BEAT_INTERVAL: Duration = Duration::from_secs(5);
/// How long SQL may take to hear it.
const BEAT_PATIENCE: Duration = Duration::from_secs(5);
/// Silence after which a server counts as gone.
const GONE_AFTER: Duration = Duration::from_secs(30);

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
    engine.store.beat(LogKey(engine.wal.log_id().0)).await?;
    let servers = engine.store.servers().await?;
    let silent_for = servers.into_iter().map(|server| (server.log, server.silent_for)).collect();
    *engine.fleet.0.lock() = Some(Seen { at: Instant::now(), silent_for });
    Ok(())
}
