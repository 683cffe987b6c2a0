use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use wordhoard_engine::consistency::{self, CheckPlan, Depth, LogPlaces};
use wordhoard_engine::{Clock, SystemClock};
use wordhoard_store::LogKey;
use wordhoard_wal::{DirLock, inspect};

use super::ServeArgs;
use crate::app::{self, LOCK_FILE, WAL_DIR};
use crate::check_report;
use crate::config::Config;

pub(super) const EXAMPLES: &str = "\
Examples:
  wordhoard check                            what has changed since the last clean check, and the newest requests
  wordhoard check --full --json              everything, for a program to read
  wordhoard check --full --repair            put back what the log still has; with no server on the data directory

Works beside a running server, which checks by itself at its start, every ten minutes, and everything once a day.

Exit code 0 if nothing is wrong, 1 if something is, 2 if the configuration cannot be used, 3 if the check could not be
made.";

/// The check could not be made, so nothing is known.
const EXIT_UNKNOWN: u8 = 3;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Look at everything, not only at what is recent.
    #[arg(long)]
    full: bool,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
    /// Put back what is missing, where the log of the data directory still has it.
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    pub(super) place: ServeArgs,
}

pub(super) async fn run(args: &CheckArgs, config: Config) -> anyhow::Result<ExitCode> {
    let checked = check(args, &config).await;
    let report = match checked {
        Ok(report) => report,
        Err(error) => {
            super::complain(&format!("the check could not be made: {error:#}"));
            return Ok(ExitCode::from(EXIT_UNKNOWN));
        }
    };
    let mut out = std::io::stdout();
    if args.json {
        writeln!(out, "{}", check_report::json(&report))?;
    } else {
        check_report::print(&report, &mut out)?;
    }
    Ok(if report.finding_count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check(args: &CheckArgs, config: &Config) -> anyhow::Result<consistency::CheckReport> {
    // A server that runs may be writing what a repair would read.
    let _lock =
        match args.repair {
            true => Some(DirLock::acquire(&config.data_dir.join(LOCK_FILE)).context(
                "a repair needs the data directory for itself; a running server repairs by itself",
            )?),
            false => None,
        };
    let store = app::store(&config.database)?;
    let steps = store.migrations().await.with_context(|| config.database.to_string())?;
    ensure!(
        steps.iter().all(|step| step.applied),
        "the schema of {} is not up to date: start the server, or run `wordhoard migrate`",
        config.database
    );
    let plan = CheckPlan {
        depth: if args.full { Depth::Whole } else { Depth::Recent },
        now: SystemClock.now(),
        log: log_places(config)?,
        repair: args.repair,
        pause: Duration::ZERO,
    };
    let report = consistency::check(&*store, &plan).await.with_context(|| config.database.to_string())?;
    store.close().await;
    Ok(report)
}

/// The log of the data directory, if there is one there: a check from another machine goes without.
fn log_places(config: &Config) -> anyhow::Result<Option<LogPlaces>> {
    let dir = config.data_dir.join(WAL_DIR);
    if !dir.is_dir() {
        return Ok(None);
    }
    let scan = inspect::scan(&dir).with_context(|| format!("{}", dir.display()))?;
    let Some(log_id) = scan.summary().log_id else { return Ok(None) };
    let log = LogKey(log_id.0);
    let archive = config.archive.as_ref().map(|archive| app::archive_settings(archive).dir_of(log));
    Ok(Some(LogPlaces::closed(log, dir, archive)))
}
