use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;
use wordhoard_engine::retention::{self, PruneReport};
use wordhoard_engine::{Clock, SystemClock};
use wordhoard_store::{LogKey, Store};

use super::ServeArgs;
use crate::config::Config;
use crate::maintenance::{Maintenance, PRUNE, TurnError};
use crate::{app, prune_report};

pub(super) const EXAMPLES: &str = "\
Examples:
  wordhoard prune --dry-run                  what is older than retention.days
  wordhoard prune --days 90 --json

Works beside running servers, which do this by themselves on retention.schedule, and holds up nobody. A request that
runs is never removed.

Exit code 0 if all went well, 1 if not, 2 if the configuration or the command line cannot be used, 4 if a prune is
running on this database already.";

/// Somebody else prunes.
const EXIT_RUNNING: u8 = 4;

#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// Remove requests that were accepted more than so many days ago [default: retention.days].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// Only tell how much there is to remove.
    #[arg(long)]
    dry_run: bool,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) place: ServeArgs,
}

pub(super) async fn run(args: &PruneArgs, config: Config) -> anyhow::Result<ExitCode> {
    let store = app::store(&config.database)?;
    let shown = config.database.to_string();
    let steps = store.migrations().await.with_context(|| shown.clone())?;
    ensure!(
        steps.iter().all(|step| step.applied),
        "the schema of {shown} is not up to date: start the server, or run `wordhoard migrate`"
    );
    let days = args.days.unwrap_or(config.retention.days);
    let Some(report) = prune(args, &store, days).await.with_context(|| shown)? else {
        super::complain("a prune is running on this database already");
        return Ok(ExitCode::from(EXIT_RUNNING));
    };
    store.close().await;
    let mut out = std::io::stdout();
    if args.json {
        writeln!(out, "{}", prune_report::json(&report))?;
    } else {
        prune_report::print(&report, &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Nothing where somebody else prunes.
async fn prune(args: &PruneArgs, store: &Arc<dyn Store>, days: u32) -> anyhow::Result<Option<PruneReport>> {
    let now = SystemClock.now();
    if args.dry_run {
        return Ok(Some(retention::prunable(&**store, now, days).await?));
    }
    let maintenance = Maintenance::new(Arc::clone(store), LogKey([0; 16]), Arc::new(SystemClock));
    let turn = match maintenance.turn(PRUNE).await {
        Ok(turn) => turn,
        Err(TurnError::Running(_)) => return Ok(None),
        Err(TurnError::Store(error)) => return Err(error.into()),
    };
    let mut report = None;
    let work = async {
        let done = retention::prune(&**store, now, days).await.map_err(|error| error.to_string())?;
        report = Some(done);
        Ok(prune_report::json(&done))
    };
    turn.run(work).await.map_err(anyhow::Error::msg)?;
    Ok(report)
}
