use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use wordhoard_engine::{Clock, SystemClock};

use super::ServeArgs;
use crate::app;
use crate::config::{Config, DatabaseConfig};

pub(super) const EXAMPLES: &str = "\
Examples:
  wordhoard migrate --status
  wordhoard migrate --database-url postgres://wordhoard@db.example/wordhoard

A server does this by itself when it starts. Any number of servers may do it at once. A migration that fails is rolled
back and says why; the schema is then as it was.

Exit code 0 if the schema is up (with --status: if nothing is missing), 1 if it is not, 2 if the configuration cannot
be used.";

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// Only show which migrations are applied. Changes nothing.
    #[arg(long)]
    status: bool,
    #[command(flatten)]
    pub(super) place: ServeArgs,
}

pub(super) async fn run(args: &MigrateArgs, config: Config) -> anyhow::Result<ExitCode> {
    if let DatabaseConfig::Sqlite(path) = &config.database
        && let Some(dir) = path.parent()
        && !args.status
    {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let store = app::store(&config.database)?;
    let shown = config.database.to_string();
    let mut out = std::io::stdout();
    let complete = if args.status {
        let steps = store.migrations().await.with_context(|| shown)?;
        for step in &steps {
            let state = if step.applied { "applied" } else { "missing" };
            writeln!(out, "{:04} {:<24} {state}", step.version, step.name)?;
        }
        steps.iter().all(|step| step.applied)
    } else {
        let started = Instant::now();
        let report = store.migrate(SystemClock.now()).await.with_context(|| shown)?;
        for name in &report.applied {
            writeln!(out, "applied {name}")?;
        }
        writeln!(out, "the schema is at version {} ({} ms)", report.version, started.elapsed().as_millis())?;
        true
    };
    store.close().await;
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
