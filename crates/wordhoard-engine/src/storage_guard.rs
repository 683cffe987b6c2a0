//! What happens when the log latches: everything that runs is ended, and once the log can be written again, recovery
//! goes on from what is durable, as after a crash.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wordhoard_wal::State;

use crate::engine::Inner;

/// How often a latched log is tried again.
const REOPEN_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) async fn run(engine: Arc<Inner>, stop: CancellationToken) {
    let mut progress = engine.wal.watch();
    loop {
        let latched = {
            let latched = progress.wait_for(|progress| matches!(progress.state, State::Latched(_)));
            tokio::select! {
                () = stop.cancelled() => return,
                found = latched => match found {
                    Ok(found) => found.state.clone(),
                    Err(_) => return,
                },
            }
        };
        if let State::Latched(fault) = latched {
            tracing::error!(%fault, "the log cannot be written: running requests end, new prompts are refused");
        }
        engine.accepting.close();
        // What became durable before the fault may be seen, and told.
        engine.show_durable();
        engine.hub.break_all();
        engine.journal.forget_waiting();
        if !reopen(&engine, &stop).await {
            return;
        }
        go_on(&engine, &stop).await;
    }
}

/// Tries until the log can be written again; false where the server stops before.
async fn reopen(engine: &Arc<Inner>, stop: &CancellationToken) -> bool {
    loop {
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(REOPEN_INTERVAL) => {}
        }
        // What ran may still be on its way out; it must not append to the log that is opened anew.
        engine.hub.break_all();
        engine.running.wait_until_none().await;
        engine.journal.forget_waiting();
        let wal = engine.wal.clone();
        match tokio::task::spawn_blocking(move || wal.reopen()).await {
            Ok(Ok(reopened)) => {
                engine.journal.index().events.forget_from(reopened.durable);
                engine.move_boundary(reopened.durable);
                return true;
            }
            Ok(Err(error)) => tracing::warn!(%error, "the log still cannot be written"),
            Err(error) => tracing::error!(%error, "opening the log again failed"),
        }
    }
}

/// Recovers and accepts prompts again; gives up where the log latches once more, so that it is opened once more.
async fn go_on(engine: &Arc<Inner>, stop: &CancellationToken) {
    while matches!(engine.wal.progress().state, State::Open) {
        match engine.recover().await {
            Ok(()) => {
                engine.accepting.open();
                tracing::info!("the log can be written again; prompts are accepted");
                return;
            }
            Err(error) => tracing::warn!(%error, "open requests cannot be recovered yet"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(REOPEN_INTERVAL) => {}
        }
    }
}
