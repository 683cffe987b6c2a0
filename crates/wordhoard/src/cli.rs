//! The command line.

mod ask;
pub(crate) mod backup;
mod check;
mod commands;
mod health;
mod key_limits;
mod keys;
mod migrate;
mod prices;
mod progress;
mod prune;
mod restore;
mod servers;
mod wal;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use wordhoard_backup::swap::Pending;
use wordhoard_store::Store;

use crate::access::NoKeys;
use crate::config::{self, Config, DatabaseConfig, Environment, Overrides};
use crate::{lifecycle, telemetry};

/// A configuration or a command line that cannot be used.
const EXIT_USAGE: u8 = 2;

/// One prompt to many language models; every token kept, any stream resumed.
#[derive(Debug, Parser)]
#[command(name = "wordhoard", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

const EXAMPLES: &str = "\
Examples:
  wordhoard                                  serve on 127.0.0.1:8000 with ./data and the demo models
  wordhoard serve --config wordhoard.toml    serve with your providers
  wordhoard ask \"Why is the sky blue?\" -m demo:brisk -m demo:bard
  wordhoard config check --config wordhoard.toml
  wordhoard migrate --status --database-url postgres://user@host/wordhoard
  wordhoard check --full
  wordhoard prune --dry-run
  wordhoard health --ready
  wordhoard keys create --scope admin
  wordhoard servers list
  wordhoard wal verify --data-dir data";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (the default).
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Ask one or several models and watch their answers come.
    #[command(after_help = ask::EXAMPLES)]
    Ask(ask::AskArgs),
    /// Bring the schema of the database up, or show how far it is.
    #[command(after_help = migrate::EXAMPLES)]
    Migrate(migrate::MigrateArgs),
    /// Check whether the database holds every event that it should.
    #[command(after_help = check::EXAMPLES)]
    Check(check::CheckArgs),
    /// Make, list and verify backups.
    #[command(subcommand, after_help = backup::EXAMPLES)]
    Backup(backup::BackupCommand),
    /// Restore a backup, and bring it forward from the archive of the log.
    #[command(after_help = restore::EXAMPLES)]
    Restore(restore::RestoreArgs),
    /// Remove requests that are older than they are to be kept.
    #[command(after_help = prune::EXAMPLES)]
    Prune(prune::PruneArgs),
    /// Ask a running server whether it is alive, or ready for prompts.
    #[command(after_help = health::EXAMPLES)]
    Health(health::HealthArgs),
    /// Make, list and revoke the keys with which the server may be called.
    #[command(subcommand, after_help = keys::EXAMPLES)]
    Keys(keys::KeysCommand),
    /// See which servers share the database, retire one that is lost, or have one leave for good.
    #[command(subcommand, after_help = servers::EXAMPLES)]
    Servers(servers::ServersCommand),
    /// See what models cost, put other prices in place, and compare them with a file.
    #[command(subcommand, after_help = prices::EXAMPLES)]
    Prices(prices::PricesCommand),
    /// Look into the write-ahead log of a data directory.
    #[command(subcommand, after_help = wal::EXAMPLES)]
    Wal(wal::WalCommand),
    /// Look at the configuration.
    #[command(subcommand, after_help = CONFIG_EXAMPLES)]
    Config(ConfigCommand),
}

const SERVE_EXAMPLES: &str = "\
Examples:
  wordhoard serve
  wordhoard serve --listen 127.0.0.1:9000 --data-dir /var/lib/wordhoard
  OPENAI_API_KEY=… wordhoard serve           the provider openai is active once its key is there
  wordhoard serve --database-url 'postgres://wordhoard@db.example/wordhoard?sslmode=verify-full&sslrootcert=ca.pem'

It stops on SIGTERM or SIGINT: new prompts are refused, running ones may end within drain_timeout, and what is cut
short then goes on at the next start. A second signal leaves at once; nothing that anyone has seen is lost. On SIGHUP it
reads its configuration again and starts anew with it, in the same process and on the same socket.";

const CONFIG_EXAMPLES: &str = "\
Examples:
  wordhoard config check --config wordhoard.toml
  wordhoard config show                      what is in force without a file";

#[derive(Clone, Debug, Default, Args)]
struct ServeArgs {
    /// The configuration file (TOML). Without one, built-in defaults serve.
    #[arg(long, value_name = "FILE", env = "WORDHOARD_CONFIG")]
    config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8000].
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The folder for the log, the database and all else [default: ./data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The database: sqlite:PATH or postgres://user@host/name [default: wordhoard.db in the data directory].
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check the configuration and say what is wrong with it, with its line.
    ///
    /// Exit code 0 if it can be used, 2 if not.
    #[command(after_help = "Example:\n  wordhoard config check --config wordhoard.toml")]
    Check(ServeArgs),
    /// Print the configuration in force: file, environment and defaults together. Secrets are left out.
    #[command(after_help = "Example:\n  wordhoard config show --config wordhoard.toml > effective.toml")]
    Show(ServeArgs),
}

impl ServeArgs {
    /// The configuration as it is now, if a server can be started with it.
    fn load_checked(&self) -> anyhow::Result<Config> {
        let config = self.load()?;
        commands::check_parts(&config)?;
        Ok(config)
    }

    fn load(&self) -> Result<Config, config::Error> {
        let overrides = Overrides {
            listen: self.listen.clone(),
            data_dir: self.data_dir.clone(),
            database_url: self.database_url.clone(),
        };
        config::load(self.config.as_deref(), &Environment::of_process(), &overrides)
    }
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    // Prompts and answers are nobody else's on this machine.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => with_config(&args, |config| {
            if let Err(error) = commands::check_parts(&config) {
                complain(&format!("{error:#}"));
                return Ok(ExitCode::from(EXIT_USAGE));
            }
            let telemetry = telemetry::start(&config)?;
            let ended = block_on(lifecycle::serve(config, || args.load_checked()));
            telemetry.stop();
            ended
        }),
        Command::Ask(args) => with_config(&args.place(), |config| block_on(ask::run(args, config))),
        Command::Migrate(args) => with_database(&args.place, |config| block_on(migrate::run(&args, config))),
        Command::Check(args) => with_database(&args.place, |config| block_on(check::run(&args, config))),
        Command::Backup(command) => {
            with_database(command.place(), |config| block_on(backup::run(&command, config)))
        }
        Command::Restore(args) => with_config(&args.place, |config| block_on(restore::run(&args, config))),
        Command::Prune(args) => with_database(&args.place, |config| block_on(prune::run(&args, config))),
        Command::Health(args) => with_config(&args.place(), |config| block_on(health::run(&args, config))),
        Command::Keys(command) => {
            let place = command.place().clone();
            with_database(&place, |config| block_on(keys::run(command, config)))
        }
        Command::Servers(command) => {
            let place = command.place().clone();
            with_database(&place, |config| block_on(servers::run(command, config)))
        }
        Command::Prices(command) => {
            with_config(&command.place().clone(), |config| prices::run(&command, &config))
        }
        Command::Wal(command) => report(wal::run(command)),
        Command::Config(ConfigCommand::Check(args)) => with_config(&args, |config| commands::check(&config)),
        Command::Config(ConfigCommand::Show(args)) => with_config(&args, |config| commands::show(&config)),
    }
}

/// The same for commands that use the database: one that is half restored is not to be looked at.
fn with_database(args: &ServeArgs, command: impl FnOnce(Config) -> anyhow::Result<ExitCode>) -> ExitCode {
    with_config(args, |config| {
        if Pending::read(&config.data_dir)?.is_some() {
            return Err(wordhoard_backup::Error::Pending.into());
        }
        command(config)
    })
}

fn with_config(args: &ServeArgs, command: impl FnOnce(Config) -> anyhow::Result<ExitCode>) -> ExitCode {
    match args.load() {
        Ok(config) => report(command(config)),
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn report(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        // Somebody closed the pipe that we print into: `wordhoard wal dump | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            // Starting again cannot help, which a supervisor has to know.
            if error.is::<NoKeys>() { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn complain(message: &str) {
    // If standard error is gone, there is nobody to tell.
    drop(writeln!(std::io::stderr(), "wordhoard: {message}"));
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // A thread that hangs on a disk or a database must not keep the process from ending.
    runtime.shutdown_background();
    result
}

/// A command reads the tables as this version knows them.
async fn ensure_schema(store: &dyn Store, database: &DatabaseConfig) -> anyhow::Result<()> {
    let steps = store.migrations().await?;
    anyhow::ensure!(
        steps.iter().all(|step| step.applied),
        "the schema of {database} is not up to date: start the server, or run `wordhoard migrate`"
    );
    Ok(())
}

/// The folder of the log in a data directory; an error that helps where there is none.
fn wal_dir(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let dir = data_dir.join(crate::app::WAL_DIR);
    anyhow::ensure!(
        dir.is_dir(),
        "{} has no log: give the server's folder with --data-dir",
        data_dir.display()
    );
    Ok(dir)
}
