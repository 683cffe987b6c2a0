use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wordhoard_backup::{BackupName, Listed};
use wordhoard_engine::{Clock, SystemClock};
use wordhoard_store::{LogKey, Store};

use super::ServeArgs;
use super::progress::Progress;
use crate::app;
use crate::backup::{BackupService, Made, describe_making};
use crate::config::Config;
use crate::maintenance::{BACKUP, Maintenance};

pub(super) const EXAMPLES: &str = "\
Examples:
  wordhoard backup create                    make one now, beside a running server if there is one
  wordhoard backup list
  wordhoard backup verify wordhoard-20261125T030000Z-1f2e3d4c

Backups go to backups/ in the data directory, or where backup.dir of the configuration says. Their manifests are
authenticated with the key in backup.key (or WORDHOARD_BACKUP_KEY): keep a copy of it elsewhere, since without it no
backup can be restored.";

#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Make a backup, and remove those that are past backup.retention_days.
    Create(PlaceArgs),
    /// List the backups, newest first.
    List(PlaceArgs),
    /// Read a backup whole and compare it with its manifest.
    ///
    /// Exit code 0 if it can be restored, 1 if not.
    Verify {
        /// Its name, as the list shows it.
        name: BackupName,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: ServeArgs,
}

impl BackupCommand {
    pub(super) fn place(&self) -> &ServeArgs {
        match self {
            Self::Create(args) | Self::List(args) | Self::Verify { place: args, .. } => &args.place,
        }
    }
}

pub(super) async fn run(command: &BackupCommand, config: Config) -> anyhow::Result<ExitCode> {
    let service = match command {
        BackupCommand::Create(_) => BackupService::new(&config)?,
        BackupCommand::List(_) | BackupCommand::Verify { .. } => BackupService::existing(&config)?,
    };
    match command {
        BackupCommand::Create(args) => create(&service, &config, args.json).await,
        BackupCommand::List(args) => list(&service, args.json).await,
        BackupCommand::Verify { name, place } => verify(&service, name, place.json).await,
    }
}

async fn create(service: &BackupService, config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let store = app::store(&config.database)?;
    let steps = store.migrations().await.with_context(|| config.database.to_string())?;
    anyhow::ensure!(
        steps.iter().all(|step| step.applied),
        "the schema of {} is not up to date: start the server, or run `wordhoard migrate`",
        config.database
    );
    let made = make(service, &store).await.with_context(|| config.database.to_string());
    store.close().await;
    let made = made?;
    let mut out = std::io::stdout();
    if json {
        writeln!(out, "{}", made.json())?;
    } else {
        let rows = made.manifest.rows;
        writeln!(
            out,
            "{}: {} requests, {} tokens",
            made.manifest.name, rows.llm_requests, rows.llm_token_log
        )?;
        for name in &made.expired {
            writeln!(out, "removed, past its time: {name}")?;
        }
    }
    if let Some(problem) = &made.remote_problem {
        super::complain(&format!("the backup is not in the object store: {problem}"));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes one and records that, unless somebody else is making one.
async fn make(service: &BackupService, store: &Arc<dyn Store>) -> anyhow::Result<Made> {
    let maintenance = Maintenance::new(Arc::clone(store), LogKey([0; 16]), Arc::new(SystemClock));
    let turn = maintenance.turn(BACKUP).await?;
    let progress = Progress::default();
    let tell = |phase| progress.tell(&describe_making(phase));
    let mut done = None;
    let work = async {
        let made =
            service.make(&**store, SystemClock.now(), &tell).await.map_err(|error| error.to_string())?;
        let told = made.json();
        done = Some(made);
        Ok(told)
    };
    let ended = turn.run(work).await;
    progress.end();
    ended.map_err(anyhow::Error::msg)?;
    done.context("nothing was made")
}

async fn list(service: &BackupService, json: bool) -> anyhow::Result<ExitCode> {
    let listed = service.list().await?;
    let elsewhere: Vec<_> = service
        .remote_names()
        .await?
        .into_iter()
        .filter(|name| listed.iter().all(|one| one.name.as_str() != name))
        .collect();
    let mut out = std::io::stdout();
    if json {
        let mut all: Vec<_> = listed.iter().map(line).collect();
        all.extend(elsewhere.iter().map(|name| json!({ "filename": name, "places": ["remote"] })));
        writeln!(out, "{}", json!({ "backups": all }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for name in &elsewhere {
        writeln!(out, "{name}  in the object store only; a restore fetches it")?;
    }
    if listed.is_empty() && elsewhere.is_empty() {
        writeln!(out, "there is no backup")?;
    }
    for one in &listed {
        let what = match &one.manifest {
            Ok(manifest) => {
                format!("{} requests, {} tokens", manifest.rows.llm_requests, manifest.rows.llm_token_log)
            }
            Err(problem) => format!("NOT TRUSTED: {problem}"),
        };
        writeln!(out, "{}  {:>12} bytes  {what}", one.name, one.size_bytes)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A backup of a list, as the administration shows it, too.
pub(crate) fn line(listed: &Listed) -> Value {
    let (manifest, problem) = match &listed.manifest {
        Ok(manifest) => (Some(manifest), None),
        Err(problem) => (None, Some(problem)),
    };
    json!({
        "filename": listed.name.as_str(),
        "size_bytes": listed.size_bytes,
        "created_at": listed.name.begun_at().to_string(),
        "verified": manifest.is_some(),
        "problem": problem,
        "database": manifest.map(|manifest| &manifest.database),
        "schema_version": manifest.map(|manifest| manifest.schema_version),
        "server_version": manifest.map(|manifest| &manifest.server_version),
        "requests": manifest.map(|manifest| manifest.rows.llm_requests),
        "tokens": manifest.map(|manifest| manifest.rows.llm_token_log),
    })
}

async fn verify(service: &BackupService, name: &BackupName, json: bool) -> anyhow::Result<ExitCode> {
    let manifest = service.verify(name).await?;
    let mut out = std::io::stdout();
    if json {
        writeln!(out, "{}", serde_json::to_string(&manifest)?)?;
    } else {
        writeln!(out, "{name} is what was written, and can be restored")?;
    }
    Ok(ExitCode::SUCCESS)
}
