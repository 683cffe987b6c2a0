use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use wordhoard_engine::{GONE_AFTER, ServerState};
use wordhoard_store::{Departure, LogKey, ServerSeen, Store};

/// How often the database is asked.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long the closing of the requests is waited for. A server hears of it within 5 s.
const CLOSING_PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(log: LogKey, store: &Arc<dyn Store>) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    let server = find(log, store).await?;
    if server.departure == Some(Departure::Left) && server.retirement.is_none() {
        bail!("server {log} has left: it has ended all its requests, and there is nothing to close");
    }
    let is_watched = server.departure.is_none() && server.retirement.is_none();
    if is_watched {
        writeln!(out, "watching for {} s whether server {log} says something", GONE_AFTER.as_secs())?;
        watch(&server, store).await?;
    }
    if !store.retire(log, None, GONE_AFTER).await? {
        bail!("{}", still_there(&find(log, store).await?));
    }
    let left = server.open_requests;
    writeln!(
        out,
        "server {log} is retired: nothing more of its log is taken; {left} of its requests are open"
    )?;
    wait_until_closed(log, store, &mut out).await
}

async fn find(log: LogKey, store: &Arc<dyn Store>) -> anyhow::Result<ServerSeen> {
    let servers = store.servers().await?;
    servers
        .into_iter()
        .find(|server| server.log == log)
        .context("no server of this id has used the database: `wordhoard servers list` shows them")
}

/// After an outage of the database everybody has been silent for long, so what counts is that it says nothing now.
async fn watch(server: &ServerSeen, store: &Arc<dyn Store>) -> anyhow::Result<()> {
    let (started, mut silent_for) = (Instant::now(), server.silent_for);
    while started.elapsed() < GONE_AFTER {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let now = find(server.log, store).await?;
        if now.silent_for < silent_for {
            bail!("{}", still_there(&now));
        }
        silent_for = now.silent_for;
    }
    Ok(())
}

fn still_there(server: &ServerSeen) -> String {
    format!(
        "server {} runs: it has spoken {} s ago, and is called at {}; `wordhoard servers leave` on its data directory, and stop it",
        server.log,
        server.silent_for.as_secs(),
        server.profile.address
    )
}

async fn wait_until_closed(
    log: LogKey,
    store: &Arc<dyn Store>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let (started, mut told) = (Instant::now(), None);
    loop {
        let open = find(log, store).await?.open_requests;
        if open == 0 {
            writeln!(out, "all its requests have ended")?;
            return Ok(ExitCode::SUCCESS);
        }
        if told.replace(open) != Some(open) {
            writeln!(out, "{open} requests are still open")?;
        }
        let servers = store.servers().await?;
        let runs = |server: &ServerSeen| ServerState::of(server, GONE_AFTER) == ServerState::Running;
        if !servers.iter().any(runs) {
            writeln!(out, "no server runs: the next one that starts closes them")?;
            return Ok(ExitCode::SUCCESS);
        }
        if started.elapsed() >= CLOSING_PATIENCE {
            bail!(
                "{open} requests are still open after {} s: look into the log of the servers that run",
                CLOSING_PATIENCE.as_secs()
            );
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}
