//! What was used elsewhere and before, from SQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use wordhoard_model::Timestamp;
use wordhoard_store::{Error, LogKey};

use crate::applier::Link;
use crate::engine::Inner;

/// How often it is looked whether SQL can say what earlier runs used.
const LOAD_INTERVAL: Duration = Duration::from_millis(500);
/// How often SQL is asked what other servers use: at least so long in between, and never more than a twentieth of the time.
const OTHERS_INTERVAL: Duration = Duration::from_secs(5);
const OTHERS_SHARE: u32 = 20;
/// How long SQL may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the start waits for it.
const START_PATIENCE: Duration = Duration::from_millis(400);
const MINUTE_MS: i64 = 60_000;

/// Before the first prompt, where SQL is there.
pub(crate) async fn load_at_start(engine: &Inner) {
    let is_due = is_possible(engine) && !engine.accounts.is_loaded();
    if is_due && tokio::time::timeout(START_PATIENCE, load(engine)).await.is_err() {
        tracing::info!("what keys have used takes long to sum up; keys with such limits wait for it");
    }
}

pub(crate) async fn run(engine: Arc<Inner>, stop: CancellationToken) {
    let (mut pause, mut spent_elsewhere) = (Duration::ZERO, false);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = LOAD_INTERVAL;
        if !engine.accounts.is_loaded() {
            if is_possible(&engine) {
                let loaded = tokio::time::timeout(PATIENCE, load(&engine)).await;
                if !matches!(loaded, Ok(Ok(()))) {
                    let error = loaded.err().map(|_| "it takes too long".to_owned());
                    tracing::warn!(
                        error,
                        "SQL does not say what keys have used; those with such limits wait"
                    );
                    pause = OTHERS_INTERVAL;
                }
            }
            continue;
        }
        let spends_elsewhere = engine.fleet.may_spend_elsewhere();
        // Once more after the last one has ended, so that what ran there no longer counts.
        let is_due = spends_elsewhere || spent_elsewhere;
        if is_due && matches!(*engine.applier.watch_link().borrow(), Link::Up) {
            spent_elsewhere = spends_elsewhere;
            let asked = Instant::now();
            if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, hear_of_others(&engine)).await {
                tracing::debug!(%error, "SQL does not say what keys use at other servers");
            }
            pause = OTHERS_INTERVAL.max(asked.elapsed() * OTHERS_SHARE);
        }
    }
}

/// Whether SQL is there, and has all that was recorded before this run.
fn is_possible(engine: &Inner) -> bool {
    let applied = *engine.applier.applied().borrow();
    matches!(*engine.applier.watch_link().borrow(), Link::Up) && applied >= engine.started.1
}

async fn load(engine: &Inner) -> Result<(), Error> {
    let now = engine.clock.now();
    let (month, minute) = (now.utc_month(), minute_before(now));
    hear_of_others(engine).await?;
    let own = engine.store.own_spending(logs(engine), month, minute, engine.started.0).await?;
    engine.accounts.load(own);
    Ok(())
}

/// Asks SQL what keys use at other servers now.
pub(crate) async fn hear_of_others(engine: &Inner) -> Result<(), Error> {
    let now = engine.clock.now();
    let day = Timestamp::from_utc_day(now.utc_day());
    let others = engine.store.others_spending(logs(engine), now.utc_month(), day, minute_before(now)).await?;
    engine.accounts.set_others(&others, now);
    Ok(())
}

fn minute_before(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_sub(MINUTE_MS))
}

fn logs(engine: &Inner) -> Vec<LogKey> {
    std::iter::once(engine.log()).chain(engine.settings.previous_logs.iter().copied()).collect()
}
