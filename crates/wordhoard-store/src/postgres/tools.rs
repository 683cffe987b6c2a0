//! PostgreSQL's own programs, as children.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio_postgres::config::Host;

use super::rows::{count, narrow};
use super::session::Session;
use super::tls::Mode;
use super::url;
use crate::Error;
use crate::export;

/// What is kept of what a program says.
const SAID_BYTES: u64 = 16 << 10;

/// How the programs reach the database: by the variables of libpq, so that no password stands on a command line.
#[derive(Clone)]
pub(super) struct Tools {
    variables: Vec<(&'static str, OsString)>,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tools")
    }
}

impl Tools {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let parsed = url::parse(url)?;
        let first = parsed.hosts.first().ok_or("it names no host")?;
        let each = |value: &dyn Fn(&tokio_postgres::Config) -> Option<String>| {
            let values: Vec<_> = parsed.hosts.iter().map(|host| value(host).unwrap_or_default()).collect();
            values.iter().any(|value| !value.is_empty()).then(|| OsString::from(values.join(",")))
        };
        let host = each(&|config| {
            config.get_hosts().first().map(|host| match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            })
        });
        let address = each(&|config| config.get_hostaddrs().first().map(ToString::to_string));
        let port = each(&|config| config.get_ports().first().map(ToString::to_string));
        let password =
            first.get_password().map(|password| String::from_utf8_lossy(password).into_owned().into());
        let text = |value: Option<&str>| value.map(OsString::from);
        let tls = &parsed.tls;
        let variables = [
            ("PGHOST", host),
            ("PGHOSTADDR", address),
            ("PGPORT", port),
            ("PGUSER", text(first.get_user())),
            ("PGPASSWORD", password),
            ("PGDATABASE", text(first.get_dbname())),
            ("PGOPTIONS", text(first.get_options())),
            ("PGSSLMODE", Some(tls.mode.name().into())),
            ("PGSSLROOTCERT", text(tls.root_cert.as_deref())),
            ("PGSSLCERT", text(tls.cert.as_deref())),
            ("PGSSLKEY", text(tls.key.as_deref())),
            ("PGAPPNAME", Some("wordhoard".into())),
            ("PGCONNECT_TIMEOUT", Some("10".into())),
        ];
        let set = |(name, value): (_, Option<OsString>)| Some((name, value?));
        Ok(Self { variables: variables.into_iter().filter_map(set).collect() })
    }

    /// Runs a program to its end. It is killed when this is dropped.
    ///
    /// Of several versions that of the server is taken: an older one refuses it, a newer one may send what it does not
    /// know.
    pub(super) async fn run(
        &self,
        name: &str,
        bin_dir: Option<&Path>,
        server_major: u32,
        args: &[OsString],
    ) -> Result<(), Error> {
        let program = export::program(name, bin_dir, server_major)?;
        let mut child = self.spawn(&program, args)?;
        let mut said = String::new();
        if let Some(stderr) = child.stderr.take() {
            let mut stderr = stderr.take(SAID_BYTES);
            // Not UTF-8, or cut: what was read by then is all that is told.
            drop(stderr.read_to_string(&mut said).await);
            drop(tokio::io::copy(&mut stderr.into_inner(), &mut tokio::io::sink()).await);
        }
        let status = child.wait().await.map_err(|error| Error::Unavailable(format!("{name}: {error}")))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Unavailable(format!("{name} failed ({status}): {}", said.trim())))
    }

    fn spawn(&self, program: &Path, args: &[OsString]) -> Result<Child, Error> {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("LC_ALL", "C")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
            .spawn()
            .map_err(|error| Error::Unavailable(format!("{} cannot be run: {error}", program.display())))
    }
}

/// The major version of the server.
pub(super) async fn server_major(session: &Session) -> Result<u32, Error> {
    let rows = session.query("SELECT current_setting('server_version_num')::bigint / 10000", &[]).await?;
    let row = rows.first().ok_or_else(|| Error::Damaged("the server told no version".to_owned()))?;
    narrow(row, 0, count(row, 0)?)
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}
