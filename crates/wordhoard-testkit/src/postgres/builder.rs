use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use tokio::net::TcpSocket;

use super::account::Account;
use super::home::Home;
use super::must::Must;
use super::postmaster::Postmaster;
use super::{Postgres, SUPERUSER, USER, binaries};

/// How a cluster is to be.
#[derive(Debug, Default)]
pub struct Builder {
    settings: Vec<(String, String)>,
    tmpfs_bytes: Option<u64>,
}

impl Builder {
    /// A line of `postgresql.conf`. The last one of a name wins, over what the testkit sets too.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts the data on a file system of its own of that size, for [`Postgres::fill_disk`]. A fresh cluster takes
    /// 40 MB of it; PostgreSQL's own log of changes is elsewhere. Needs root.
    #[must_use]
    pub fn data_on_tmpfs(mut self, size_bytes: u64) -> Self {
        self.tmpfs_bytes = Some(size_bytes);
        self
    }

    /// Makes the cluster, starts it, and returns when it answers.
    ///
    /// # Panics
    /// Where there is no PostgreSQL, or it does not start; with the end of its log.
    pub async fn start(self) -> Postgres {
        let postgres = self.make().await.must("make a PostgreSQL cluster");
        postgres.start_again().await;
        postgres.furnish().await.must("furnish the PostgreSQL cluster");
        postgres
    }

    async fn make(self) -> io::Result<Postgres> {
        let bin_dir = binaries::folder()?;
        let account = Account::choose()?;
        let home = Home::make(account, self.tmpfs_bytes)?;
        initdb(account, &bin_dir, &home).await?;
        let reserved_port = reserve_port()?;
        let port = reserved_port.local_addr()?.port();
        let mut conf = fs::File::options().append(true).open(home.data_dir().join("postgresql.conf"))?;
        conf.write_all(self.conf(home.dir(), port).as_bytes())?;
        let postmaster = Postmaster::default();
        Ok(Postgres { bin_dir, account, postmaster, port, home, _reserved_port: reserved_port })
    }

    /// In the file and not on the command line, which `ALTER SYSTEM` could not override.
    fn conf(&self, socket_dir: &Path, port: u16) -> String {
        let (port, socket_dir) = (port.to_string(), socket_dir.to_string_lossy());
        let ours = [
            ("listen_addresses", "127.0.0.1"),
            ("port", &port),
            ("unix_socket_directories", &socket_dir),
            ("max_connections", "30"),
            ("shared_buffers", "64MB"),
            // Files of the data directory and not of /dev/shm, where a killed postmaster would leave them behind.
            ("dynamic_shared_memory_type", "mmap"),
            ("log_line_prefix", "%m [%p] %u@%d "),
        ];
        let theirs = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        ours.into_iter().chain(theirs).fold(String::new(), |mut conf, (name, value)| {
            // Writing to a string does not fail.
            writeln!(conf, "{name} = '{}'", value.replace('\'', "''")).ok();
            conf
        })
    }
}

async fn initdb(account: Account, bin_dir: &Path, home: &Home) -> io::Result<()> {
    let mut command = account.command(&bin_dir.join("initdb"));
    command.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=trust", "-U", SUPERUSER]);
    command.arg("--waldir").arg(home.wal_dir()).arg("-D").arg(home.data_dir());
    let output = tokio::process::Command::from(command).kill_on_drop(true).output().await?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("initdb failed ({}): {said}", output.status)))
}

/// A port of 127.0.0.1 that stays ours while the server is down: the kernel gives a port that is bound to nobody who
/// asks for any, and lets a second one who reuses addresses, as PostgreSQL does, bind it and listen by its number.
fn reserve_port() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    Ok(socket)
}

impl Postgres {
    /// The role and the database of the server under test.
    async fn furnish(&self) -> Result<(), tokio_postgres::Error> {
        let client = self.superuser("postgres").await?;
        // The superuser is the test's own hand: an outage of the user's does not tie it.
        let role = format!(
            "CREATE ROLE {USER} LOGIN; ALTER ROLE {SUPERUSER} SET default_transaction_read_only = off"
        );
        client.batch_execute(&role).await?;
        client.batch_execute(&format!("CREATE DATABASE {USER} OWNER {USER}")).await
    }
}
