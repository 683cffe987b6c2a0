use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wordhoard_engine::{Clock, SystemClock};
use wordhoard_model::KeyId;
use wordhoard_store::{KeyRecord, Scope, Store};

use super::ServeArgs;
use super::key_limits::{self, LimitArgs};
use crate::access::{FreshKey, NewKey};
use crate::config::{Config, DatabaseConfig};
use crate::{app, http};

pub(super) const EXAMPLES: &str = "\
Examples:
  wordhoard keys create --scope admin --name ann     the first key: printed once, kept as its SHA-256 only
  wordhoard keys create --scope use --name website --requests-per-minute 60 --budget-per-month 50
  wordhoard keys limit 0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11 --model 'openai:*' --concurrent-requests 4
  wordhoard keys list
  wordhoard keys revoke 0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11

Works on the database, beside running servers: they hear of it within a second.

Exit code 0 if it was done, 1 if not, 2 if the configuration or the command line cannot be used.";

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key and print it, this once.
    ///
    /// The key is all that stands on standard output, so that it can be piped to where it belongs.
    #[command(after_help = "Example:\n  wordhoard keys create --scope use --name website")]
    Create(CreateArgs),
    /// Replace what a key may use. It counts within a second, on any server.
    #[command(
        after_help = "Example:\n  wordhoard keys limit 0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11 --tokens-per-minute 20000"
    )]
    Limit(LimitKeyArgs),
    /// List the keys, revoked ones included.
    #[command(after_help = "Example:\n  wordhoard keys list --json")]
    List(ListArgs),
    /// Take a key away. It opens nothing within a second, on any server.
    #[command(after_help = "Example:\n  wordhoard keys revoke 0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11")]
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// What it opens: "use" (prompts, streams, its own requests), "metrics" (GET /metrics) or "admin" (everything).
    #[arg(long, value_parser = scope)]
    scope: Scope,
    /// What people shall call it.
    #[arg(long, default_value = "")]
    name: String,
    /// A group: its keys see each other's requests. Without one, a key sees its own only.
    #[arg(long)]
    group: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    place: ServeArgs,
}

#[derive(Debug, Args)]
pub(super) struct LimitKeyArgs {
    /// The id of the key, as the list gives it.
    #[arg(value_name = "ID")]
    id: KeyId,
    /// Take all its limits away.
    #[arg(long)]
    unlimited: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    place: ServeArgs,
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
pub(super) struct RevokeArgs {
    /// The id of the key, as the list gives it.
    #[arg(value_name = "ID")]
    id: KeyId,
    #[command(flatten)]
    place: ServeArgs,
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::from_name(text).ok_or_else(|| "write \"use\", \"metrics\" or \"admin\"".to_owned())
}

impl KeysCommand {
    pub(super) fn place(&self) -> &ServeArgs {
        match self {
            Self::Create(args) => &args.place,
            Self::Limit(args) => &args.place,
            Self::List(args) => &args.place,
            Self::Revoke(args) => &args.place,
        }
    }
}

pub(super) async fn run(command: KeysCommand, config: Config) -> anyhow::Result<ExitCode> {
    let store = app::store(&config.database)?;
    let done = match command {
        KeysCommand::Create(args) => create(args, &config, &store).await,
        KeysCommand::Limit(args) => limit(args, &config, &store).await,
        KeysCommand::List(args) => list(&args, &config, &store).await,
        KeysCommand::Revoke(args) => revoke(&args, &config, &store).await,
    };
    store.close().await;
    done.with_context(|| config.database.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn create(args: CreateArgs, config: &Config, store: &Arc<dyn Store>) -> anyhow::Result<()> {
    if let Some(problem) = FreshKey::problem_of_name(&args.name) {
        bail!("--name {problem}");
    }
    if let Some(problem) = args.group.as_deref().and_then(FreshKey::problem_of_group) {
        bail!("--group {problem}");
    }
    // The first key is made before the first start.
    if let DatabaseConfig::Sqlite(path) = &config.database
        && let Some(dir) = path.parent()
    {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let now = SystemClock.now();
    store.migrate(now).await?;
    let limits = args.limits.into_limits();
    let new = NewKey { name: args.name, scope: args.scope, limits, group: args.group };
    let fresh = FreshKey::make(new, now)?;
    store.add_key(fresh.record.clone()).await?;
    writeln!(std::io::stdout(), "{}", fresh.key)?;
    let told = format!(
        "Created key {} with scope {:?}. Store it now: it will not be shown again.",
        fresh.record.id,
        args.scope.as_str()
    );
    super::complain(&told);
    Ok(())
}

async fn list(args: &ListArgs, config: &Config, store: &Arc<dyn Store>) -> anyhow::Result<()> {
    super::ensure_schema(&**store, &config.database).await?;
    let keys = store.keys().await?;
    let mut out = std::io::stdout();
    if args.json {
        writeln!(out, "{}", Value::from(keys.iter().map(view).collect::<Vec<_>>()))?;
        return Ok(());
    }
    for key in &keys {
        let state = key.revoked_at.map_or("active".to_owned(), |at| format!("revoked {at}"));
        let group = key.group.as_deref().map(|group| format!("group={group} ")).unwrap_or_default();
        let limits = format!("{group}{}", key_limits::told(&key.limits));
        let (id, scope, created_at, name) = (key.id, key.scope.as_str(), key.created_at, &key.name);
        writeln!(out, "{}", format!("{id}  {scope:<7}  {created_at}  {state}  {name}  {limits}").trim_end())?;
    }
    if keys.is_empty() {
        writeln!(out, "there are no keys; make one with `wordhoard keys create --scope admin`")?;
    }
    Ok(())
}

async fn limit(args: LimitKeyArgs, config: &Config, store: &Arc<dyn Store>) -> anyhow::Result<()> {
    let limits = args.limits.into_limits();
    ensure!(
        limits.is_unlimited() == args.unlimited,
        "give the limits that the key shall have, or else --unlimited"
    );
    super::ensure_schema(&**store, &config.database).await?;
    let limited = store.limit_key(args.id, limits).await?;
    let record = limited.with_context(|| format!("there is no key {}", args.id))?;
    let told = key_limits::told(&record.limits);
    writeln!(std::io::stdout(), "{}: {}", record.id, if told.is_empty() { "not limited" } else { &told })?;
    Ok(())
}

async fn revoke(args: &RevokeArgs, config: &Config, store: &Arc<dyn Store>) -> anyhow::Result<()> {
    super::ensure_schema(&**store, &config.database).await?;
    let revoked = store.revoke_key(args.id, SystemClock.now()).await?;
    let record = revoked.with_context(|| format!("there is no key {}", args.id))?;
    let at = record.revoked_at.unwrap_or(record.created_at);
    writeln!(std::io::stdout(), "{} is revoked since {at}", record.id)?;
    Ok(())
}

fn view(key: &KeyRecord) -> Value {
    json!({
        "key_id": key.id.to_string(),
        "name": key.name,
        "scope": key.scope.as_str(),
        "group": key.group,
        "created_at": key.created_at.to_string(),
        "revoked_at": key.revoked_at.map(|at| at.to_string()),
        "limits": http::limits_of_key(&key.limits),
    })
}
