//! Keeps in SQL what this server knows of the breakers, for operators and for its own next start. Whoever calls never
//! waits for it, and where SQL is away only the newest state is written later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wordhoard_model::ProviderName;
use wordhoard_store::{BreakerNote, Error};

use crate::engine::Inner;

/// How long a note that could not be written waits for the next try.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// How long SQL may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(engine: Arc<Inner>, stop: CancellationToken) {
    let mut written = None;
    loop {
        let all_written = write(&engine, &mut written).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = engine.gates.changed() => {}
            () = tokio::time::sleep(RETRY_INTERVAL), if !all_written => {}
        }
    }
}

/// Writes what is other than SQL has it, which is asked once. Whether all of it could be.
async fn write(engine: &Inner, written: &mut Option<BTreeMap<ProviderName, bool>>) -> bool {
    let written = match written {
        Some(written) => written,
        None => match within(engine.store.breakers()).await {
            Ok(notes) => {
                written.insert(notes.into_iter().map(|note| (note.provider, note.is_open)).collect())
            }
            Err(_) => return false,
        },
    };
    let mut all_written = true;
    for (provider, gate) in engine.gates.iter() {
        let is_open = gate.is_cut_off();
        // A breaker that never opened needs no row.
        if written.get(provider).copied().unwrap_or(false) == is_open {
            continue;
        }
        let note = BreakerNote { provider: provider.clone(), is_open, changed_at: engine.clock.now() };
        match within(engine.store.note_breaker(note)).await {
            Ok(()) => drop(written.insert(provider.clone(), is_open)),
            Err(error) => {
                tracing::debug!(%error, "SQL does not take the state of a breaker; trying again");
                all_written = false;
            }
        }
    }
    all_written
}

/// Takes up what an earlier run of this server, or another server, has noted: a provider that was left alone a moment
/// ago is left alone for the rest of that time.
pub(crate) async fn resume(engine: &Inner) -> Result<(), Error> {
    let notes = engine.store.breakers().await?;
    let (now, open_for) = (engine.clock.now(), engine.settings.calls.breaker.open_for);
    for note in notes.into_iter().filter(|note| note.is_open) {
        let ago = Duration::from_millis(now.millis_since(note.changed_at));
        if let Some(gate) = engine.gates.get(&note.provider)
            && ago < open_for
        {
            gate.resume_open(open_for - ago);
        }
    }
    Ok(())
}

async fn within<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::Unavailable("it does not answer".into())),
    }
}
