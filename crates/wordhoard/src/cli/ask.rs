//! `wordhoard ask`: one prompt, its lanes side by side on a terminal, or one after the other into a pipe.

mod answer;
mod client;
mod local;
mod pane;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use answer::Answers;
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use pane::Panes;
use serde_json::{Map, Value};

use super::ServeArgs;
use crate::config::Config;

pub(super) const EXAMPLES: &str = "\
Examples:
  wordhoard ask \"Why is the sky blue?\"                      the models that the rules select
  wordhoard ask \"Write a haiku\" -m demo:brisk -m demo:bard  two models side by side
  wordhoard ask \"Sum this up\" -m openai:gpt-4o < notes.txt  with what is piped in below the prompt
  wordhoard ask \"Hello\" --local                             without a server, recorded in ./data
  wordhoard ask \"Hello\" | less                              piped: one answer after the other

Exit code 0 if every lane completed, 1 if not.";

#[derive(Debug, Args)]
pub(super) struct AskArgs {
    /// The prompt.
    prompt: String,
    /// A model to ask; may be given up to five times.
    #[arg(short, long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// The system message.
    #[arg(short, long, value_name = "TEXT")]
    system: Option<String>,
    /// The most tokens of an answer.
    #[arg(long, value_name = "N")]
    max_tokens: Option<u32>,
    /// 0 to 2; higher is more varied.
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,
    /// The server to ask.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000", conflicts_with = "local")]
    server: String,
    /// The key to call the server with, where it wants one.
    #[arg(long, value_name = "KEY", env = "WORDHOARD_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Ask without a server: run the engine here, on the data directory.
    #[arg(long)]
    local: bool,
    /// The configuration file, with --local.
    #[arg(long, value_name = "FILE", env = "WORDHOARD_CONFIG")]
    config: Option<PathBuf>,
    /// The data directory, with --local [default: ./data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Events of the request as they come, each the JSON of the native stream with its name.
type Events = BoxStream<'static, anyhow::Result<(String, Value)>>;

impl AskArgs {
    pub(super) fn place(&self) -> ServeArgs {
        let (config, data_dir) =
            if self.local { (self.config.clone(), self.data_dir.clone()) } else { (None, None) };
        ServeArgs { config, data_dir, ..ServeArgs::default() }
    }

    /// The body of the prompt, as the native API takes it.
    fn body(&self) -> anyhow::Result<Map<String, Value>> {
        let mut body = Map::new();
        let piped = if std::io::stdin().is_terminal() {
            String::new()
        } else {
            std::io::read_to_string(std::io::stdin())?
        };
        let prompt = match piped.trim_end() {
            "" => self.prompt.clone(),
            piped => format!("{}\n\n{piped}", self.prompt),
        };
        body.insert("prompt".into(), prompt.into());
        if !self.models.is_empty() {
            body.insert("models".into(), self.models.clone().into());
        }
        if let Some(system) = &self.system {
            body.insert("system_message".into(), system.clone().into());
        }
        if let Some(max_tokens) = self.max_tokens {
            body.insert("max_tokens".into(), max_tokens.into());
        }
        if let Some(temperature) = self.temperature {
            body.insert("temperature".into(), temperature.into());
        }
        Ok(body)
    }
}

pub(super) async fn run(args: AskArgs, config: Config) -> anyhow::Result<ExitCode> {
    let body = args.body()?;
    if args.local {
        let local = local::Local::start(&config).await?;
        let shown = match local.ask(body, &config).await {
            Ok(events) => show(events).await,
            Err(error) => Err(error),
        };
        local.stop().await;
        return shown;
    }
    show(client::ask(&args.server, args.api_key.as_deref(), body).await?).await
}

/// Shows the answers as they come.
async fn show(mut events: Events) -> anyhow::Result<ExitCode> {
    let mut answers = Answers::default();
    let mut panes = Panes::for_terminal();
    while let Some(event) = events.next().await {
        let (name, data) = event?;
        answers.take(&name, &data);
        match &mut panes {
            Some(panes) => panes.draw(&answers)?,
            None => answers.print_ready(&mut std::io::stdout().lock())?,
        }
    }
    if let Some(panes) = &mut panes {
        panes.finish(&answers)?;
    }
    std::io::stdout().flush()?;
    Ok(if answers.all_completed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
