//! The servers on a database: which there are, and the end of one.

mod leave;
mod retire;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wordhoard_engine::{GONE_AFTER, ServerState};
use wordhoard_store::{LogKey, ServerSeen, Store};

use super::ServeArgs;
use crate::app;
use crate::config::Config;

pub(super) const EXAMPLES: &str = "\
Examples:
  wordhoard servers list --database-url postgres://user@host/wordhoard
  wordhoard servers retire 5f0c9b1e6d7a4c3f8e2b1a0d9c8b7a6f
  wordhoard servers leave --data-dir /var/lib/wordhoard

A server that is lost with its disk leaves requests that nobody ends. `retire` ends its log in the database, and a server
that runs closes those requests. `leave` is for one that is there and shall go for good.

Exit code 0 if it was done, 1 if not, 2 if the configuration or the command line cannot be used.";

#[derive(Debug, Subcommand)]
pub(super) enum ServersCommand {
    /// List the servers that have used the database, and how they are.
    #[command(after_help = "Example:\n  wordhoard servers list --json")]
    List(ListArgs),
    /// End the log of a server that is gone for good; a server that runs closes its requests as interrupted.
    ///
    /// Nothing that the server may still do gets into the database after that. It is watched for 20 seconds first, unless it was
    /// stopped in order, and refused if it speaks.
    #[command(after_help = "Example:\n  wordhoard servers retire 5f0c9b1e6d7a4c3f8e2b1a0d9c8b7a6f")]
    Retire(RetireArgs),
    /// Have the server of this data directory close all its requests when it is stopped next.
    ///
    /// Without it, what a stop cuts short goes on at the next start. Where no server runs on the data directory, what it has left is
    /// closed at once.
    #[command(
        after_help = "Example:\n  wordhoard servers leave --data-dir /var/lib/wordhoard && systemctl stop wordhoard"
    )]
    Leave(LeaveArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Print the list as one JSON array.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: ServeArgs,
}

#[derive(Debug, Args)]
pub(super) struct RetireArgs {
    /// The id of the server, as the list gives it.
    #[arg(value_name = "ID")]
    id: LogKey,
    #[command(flatten)]
    place: ServeArgs,
}

#[derive(Debug, Args)]
pub(super) struct LeaveArgs {
    /// Take it back: the next stop is an ordinary one.
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    place: ServeArgs,
}

impl ServersCommand {
    pub(super) fn place(&self) -> &ServeArgs {
        match self {
            Self::List(args) => &args.place,
            Self::Retire(args) => &args.place,
            Self::Leave(args) => &args.place,
        }
    }
}

pub(super) async fn run(command: ServersCommand, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        ServersCommand::Leave(args) => leave::run(&args, &config).await,
        ServersCommand::List(args) => {
            on_database(&config, async |store| list(&args, &store.servers().await?)).await
        }
        ServersCommand::Retire(args) => {
            on_database(&config, async |store| retire::run(args.id, store).await).await
        }
    }
}

async fn on_database(
    config: &Config,
    work: impl AsyncFnOnce(&Arc<dyn Store>) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let store = app::store(&config.database)?;
    let done = async {
        super::ensure_schema(&*store, &config.database).await?;
        work(&store).await
    };
    let done = done.await;
    store.close().await;
    done.with_context(|| config.database.to_string())
}

fn list(args: &ListArgs, servers: &[ServerSeen]) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    if args.json {
        writeln!(out, "{}", Value::from(servers.iter().map(view).collect::<Vec<_>>()))?;
        return Ok(ExitCode::SUCCESS);
    }
    for server in servers {
        let (id, state, profile) = (server.log, state(server).as_str(), &server.profile);
        let (silent, open) = (server.silent_for.as_secs(), server.open_requests);
        writeln!(
            out,
            "{id}  {state:<7}  {}  {}  {}  heard of {silent} s ago  {open} open requests",
            or_unknown(&profile.address),
            or_unknown(&profile.host),
            or_unknown(&profile.version)
        )?;
    }
    if servers.is_empty() {
        writeln!(out, "no server has used this database")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// As far as one look tells: right after an outage of the database all have been silent.
fn state(server: &ServerSeen) -> ServerState {
    ServerState::of(server, GONE_AFTER)
}

fn view(server: &ServerSeen) -> Value {
    json!({
        "server_id": server.log.to_string(),
        "state": state(server).as_str(),
        "address": server.profile.address,
        "host": server.profile.host,
        "version": server.profile.version,
        "silent_seconds": server.silent_for.as_secs(),
        "open_requests": server.open_requests,
        "retired_at": server.retirement.map(|retirement| retirement.at.to_string()),
        "retired_by": server.retirement.and_then(|retirement| retirement.by).map(|by| by.to_string()),
    })
}
