use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::ServeArgs;
use crate::config::Config;

pub(super) const EXAMPLES: &str = "\
Examples:
  wordhoard health                                    the server of this configuration
  wordhoard health --url http://127.0.0.1:9000 --ready
  HEALTHCHECK CMD [\"wordhoard\", \"health\"]           in a container, which needs no curl

Without --ready it asks whether the process serves at all: if not, a restart would help. With
--ready it asks whether prompts should be sent to it: not while it starts, drains, or cannot write
its log. A database that is away changes neither.

Exit code 0 if so, 1 if not, 2 if the configuration cannot be used.";

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// The server to ask [default: where the configuration listens].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Ask whether prompts should be sent to it.
    #[arg(long)]
    ready: bool,
    /// How long to wait for an answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
    #[command(flatten)]
    place: ServeArgs,
}

pub(super) async fn run(args: &HealthArgs, config: Config) -> anyhow::Result<ExitCode> {
    let server = match &args.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", reachable(config.listen)),
    };
    let path = if args.ready { "/readyz" } else { "/livez" };
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(args.timeout))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?;
    let answer = client.get(format!("{server}{path}")).send().await;
    let answer =
        answer.map_err(reqwest::Error::without_url).with_context(|| format!("no answer from {server}"))?;
    if !answer.status().is_success() {
        bail!("{server}{path} answers {}", answer.status().as_u16());
    }
    writeln!(std::io::stdout(), "{}", if args.ready { "ready" } else { "alive" })?;
    Ok(ExitCode::SUCCESS)
}

impl HealthArgs {
    /// Where a URL is given, no configuration is read: it might lack what only the server has in its environment.
    pub(super) fn place(&self) -> ServeArgs {
        if self.url.is_some() { ServeArgs::default() } else { self.place.clone() }
    }
}

/// A server that listens on all addresses is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
