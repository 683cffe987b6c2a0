//! What models cost: the table in force, another in its place, and how it differs from others.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use wordhoard_providers::{PriceTable, own_prices};

use super::ServeArgs;
use crate::app::PRICES_FILE;
use crate::config::Config;

pub(super) const EXAMPLES: &str = "\
Examples:
  wordhoard prices show
  wordhoard prices show gpt-4o
  wordhoard prices check model_prices_and_context_window.json
  wordhoard prices update prices.toml

FILE is TOML as `show --toml` prints it, or LiteLLM's JSON. A running server takes an update over within seconds. What the
configuration says of a model goes before every table, and a model that no table has costs null.

Exit code 0 if it was done, and for check if nothing differs; 1 if not, 2 if the configuration cannot be used.";

#[derive(Debug, Subcommand)]
pub(super) enum PricesCommand {
    /// Show the prices in force, in USD for a million tokens.
    #[command(after_help = "Example:\n  wordhoard prices show --toml > prices.toml")]
    Show(ShowArgs),
    /// Put the prices of a file in the place of those that are known, and show what changes.
    #[command(after_help = "Example:\n  wordhoard prices update prices.toml")]
    Update(FileArgs),
    /// Show how the prices of a file differ from those in force, and change nothing.
    #[command(after_help = "Example:\n  wordhoard prices check model_prices_and_context_window.json")]
    Check(FileArgs),
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The models to show, by their exact names; all without one.
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// Print the table as a file that `update` takes.
    #[arg(long, conflicts_with = "models")]
    toml: bool,
    #[command(flatten)]
    place: ServeArgs,
}

#[derive(Debug, Args)]
pub(super) struct FileArgs {
    /// TOML of our form, or LiteLLM's JSON.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: ServeArgs,
}

impl PricesCommand {
    pub(super) fn place(&self) -> &ServeArgs {
        match self {
            Self::Show(args) => &args.place,
            Self::Update(args) | Self::Check(args) => &args.place,
        }
    }
}

pub(super) fn run(command: &PricesCommand, config: &Config) -> anyhow::Result<ExitCode> {
    let path = config.data_dir.join(PRICES_FILE);
    let in_force = in_force(&path)?;
    let mut out = std::io::stdout();
    match command {
        PricesCommand::Show(args) if args.toml => out.write_all(in_force.to_toml().as_bytes())?,
        PricesCommand::Show(args) if args.models.is_empty() => {
            for model in in_force.models() {
                if let Some(price) = in_force.get(model) {
                    writeln!(out, "{}", PriceTable::line(model, &price))?;
                }
            }
        }
        PricesCommand::Show(args) => {
            for model in &args.models {
                match in_force.get(model) {
                    Some(price) => writeln!(out, "{}", PriceTable::line(model, &price))?,
                    None => writeln!(out, "{model}: no price is known")?,
                }
            }
        }
        PricesCommand::Check(args) => {
            let differences = in_force.differences(&read(&args.file)?);
            differences.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            return Ok(ExitCode::from(u8::from(!differences.is_empty())));
        }
        PricesCommand::Update(args) => {
            let new = read(&args.file)?;
            let differences = in_force.differences(&new);
            let over = in_place(&path)?.unwrap_or_default().updated(&new);
            fs::create_dir_all(&config.data_dir)
                .and_then(|()| wordhoard_wal::disk::replace_durably(&path, over.to_toml().as_bytes()))
                .with_context(|| path.display().to_string())?;
            differences.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            writeln!(out, "{} prices are in {}", new.models().len(), path.display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn in_force(path: &Path) -> anyhow::Result<PriceTable> {
    let own = own_prices().clone();
    Ok(match in_place(path)? {
        Some(over) => own.updated(&over),
        None => own,
    })
}

/// What an earlier update has put in place.
fn in_place(path: &Path) -> anyhow::Result<Option<PriceTable>> {
    if path.try_exists()? { read(path).map(Some) } else { Ok(None) }
}

fn read(path: &Path) -> anyhow::Result<PriceTable> {
    let shown = || path.display().to_string();
    let text = fs::read_to_string(path).with_context(shown)?;
    PriceTable::read(&text).with_context(shown)
}
