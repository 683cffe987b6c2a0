//! What SQL holds, counted from time to time in the background: whoever asks gets the newest figures at once, also
//! while SQL hangs.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use wordhoard_model::Timestamp;
use wordhoard_store::{Error, Totals};

use crate::applier::until_up;
use crate::engine::Inner;

/// How old the figures get (SPEC FD 6).
const INTERVAL: Duration = Duration::from_secs(60);
/// How soon it is tried again where SQL could not be asked.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);
/// How long counting may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What counts as new.
const NEW_MS: i64 = 24 * 60 * 60 * 1_000;

/// What SQL held at one moment.
#[derive(Clone, Debug)]
pub struct Counted {
    /// When it was counted.
    pub at: Timestamp,
    /// How much there was; new requests are those of the 24 hours before.
    pub totals: Totals,
}

/// The newest figures.
#[derive(Debug, Default)]
pub(crate) struct Statistics(Mutex<Option<Counted>>);

impl Statistics {
    pub(crate) fn counted(&self) -> Option<Counted> {
        self.0.lock().clone()
    }
}

pub(crate) async fn run(engine: Arc<Inner>, stop: CancellationToken) {
    let mut link = engine.applier.watch_link();
    loop {
        if !until_up(&mut link, &stop).await {
            return;
        }
        let counted = tokio::time::timeout(PATIENCE, count(&engine));
        let pause = tokio::select! {
            () = stop.cancelled() => return,
            counted = counted => match counted {
                Ok(Ok(())) => INTERVAL,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "what SQL holds could not be counted");
                    RETRY_INTERVAL
                }
                Err(_) => {
                    tracing::debug!("counting what SQL holds takes too long");
                    RETRY_INTERVAL
                }
            },
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn count(engine: &Inner) -> Result<(), Error> {
    let at = engine.clock.now();
    let since = Timestamp::from_millis(at.as_millis().saturating_sub(NEW_MS));
    let totals = engine.store.totals(since).await?;
    *engine.statistics.0.lock() = Some(Counted { at, totals });
    Ok(())
}
