use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use wordhoard_backup::BackupName;
use wordhoard_backup::swap::Pending;
use wordhoard_engine::{Clock, SystemClock};
use wordhoard_model::Timestamp;
use wordhoard_store::PostgresPlace;

use super::ServeArgs;
use super::progress::Progress;
use crate::app;
use crate::backup::{BackupService, RestoreOptions, describe_phase};
use crate::config::{Config, DatabaseConfig};

pub(super) const EXAMPLES: &str = "\
Examples:
  wordhoard backup list
  wordhoard restore wordhoard-20261125T030000Z-1f2e3d4c
  wordhoard restore wordhoard-20261125T030000Z-1f2e3d4c --to 2026-11-25T14:00:00Z

The server of the data directory must be stopped (a running one takes POST /api/admin/maintenance/restore/NAME). The
backup is verified, a database is built from it beside the one that is used, its rows are counted, and the archive of
the log is replayed: up to its end and the end of the log, or up to the moment of --to. Only then it takes the place of
the old one, which is kept beside it under a name with 'before'. What fails leaves everything as it was. With --to or
--no-replay the log, too, is set aside, since it holds what came later.";

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The name of the backup, as `wordhoard backup list` shows it.
    name: BackupName,
    /// Up to this moment (RFC 3339, such as 2026-11-25T14:00:00Z), instead of all that the archive has.
    #[arg(long, value_name = "TIME", conflicts_with = "no_replay")]
    to: Option<Timestamp>,
    /// As it was when the backup was made: nothing is replayed.
    #[arg(long)]
    no_replay: bool,
    /// Pass over records that are neither in the archive nor in the log, instead of restoring nothing.
    #[arg(long)]
    accept_gaps: bool,
    #[command(flatten)]
    pub(super) place: ServeArgs,
}

pub(super) async fn run(args: &RestoreArgs, config: Config) -> anyhow::Result<ExitCode> {
    let lock = app::lock(&config).context("a restore needs the data directory for itself")?;
    let service = BackupService::existing(&config)?;
    if args.to.is_some() || args.no_replay {
        ensure_alone(&config).await?;
    }
    let options = RestoreOptions { to: args.to, replays: !args.no_replay, accept_gaps: args.accept_gaps };
    let progress = Progress::default();
    let tell = |phase| progress.tell(&describe_phase(phase));
    let prepared = service.prepare(&args.name, options, SystemClock.now(), &tell).await;
    progress.end();
    let prepared = prepared?;
    app::finish_restore(&config).await?;
    drop(lock);
    tell_outcome(&prepared)?;
    Ok(ExitCode::SUCCESS)
}

/// Other servers would bring back what came after the moment that is restored, or lose what they take in meanwhile.
async fn ensure_alone(config: &Config) -> anyhow::Result<()> {
    let DatabaseConfig::Postgres(url) = &config.database else { return Ok(()) };
    let clients = PostgresPlace::new(url)?.clients().await.context("who uses the database cannot be told")?;
    if clients > 0 {
        bail!("{clients} clients use this database: stop all servers on it first");
    }
    Ok(())
}

fn tell_outcome(prepared: &Pending) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "restored {}", prepared.backup)?;
    match (&prepared.last_event_at, prepared.replayed_events) {
        (Some(at), events) => writeln!(out, "replayed {events} events behind it, the last one of {at}")?,
        (None, _) => writeln!(out, "nothing was replayed behind it")?,
    }
    if prepared.reached_to == Some(false) {
        writeln!(
            out,
            "nothing later was there: the archive may have ended before the moment that was asked for"
        )?;
    }
    if prepared.missing_records > 0 {
        writeln!(out, "{} records were nowhere and are lost", prepared.missing_records)?;
    }
    writeln!(out, "what it replaced is kept beside it, under names with 'before' and {}", prepared.id)?;
    Ok(())
}
