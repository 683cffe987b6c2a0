//! A throw-away PostgreSQL of the system's real programs, with the outages that it can have.
//!
//! The cluster lives in a folder of its own, runs as another user where the test is root, and is killed and removed
//! when it is dropped; also after a test that was itself killed. Two roles: the server under test gets the plain role
//! `wordhoard`, which owns its databases; the test's own SQL is run by the superuser `postgres`, for whom three
//! connections are kept and whom [`Postgres::read_only`] does not touch.
//!
//! Everything here panics where it fails: a test without its database fails, it does not skip.

mod account;
mod binaries;
mod builder;
mod home;
mod janitor;
mod must;
mod outage;
mod postmaster;
mod processes;
mod session;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;
use tokio_postgres::Client;

use account::Account;
use home::Home;
use must::Must;
use postmaster::Postmaster;

pub use builder::Builder;
pub use outage::HeldConnections;

/// The superuser's role.
const SUPERUSER: &str = "postgres";
/// The plain role, and its first database.
const USER: &str = "wordhoard";
/// A recovery after a crash on a machine that is busy with other tests.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// A cluster. Killed and removed when dropped.
#[derive(Debug)]
pub struct Postgres {
    bin_dir: PathBuf,
    account: Account,
    postmaster: Postmaster,
    port: u16,
    home: Home,
    _reserved_port: TcpSocket,
}

impl Postgres {
    /// A cluster with the settings of the testkit: durable (`fsync = on`), 30 connections.
    ///
    /// # Panics
    /// Where there is no PostgreSQL, or it does not start; with the end of its log.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// For other settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The server under test's: `postgres://wordhoard@127.0.0.1:PORT/wordhoard`.
    pub fn url(&self) -> String {
        self.url_of(USER)
    }

    /// The same by the unix socket: `host=DIR port=PORT user=wordhoard dbname=wordhoard`.
    pub fn socket_url(&self) -> String {
        format!("host={} port={} user={USER} dbname={USER}", self.home.dir().display(), self.port)
    }

    /// The TCP port on 127.0.0.1; the same for the life of the cluster.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where `psql`, `pg_dump` and the others are.
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// What the cluster has logged.
    pub fn log(&self) -> String {
        fs::read(self.home.log_path())
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// The ids of all its processes.
    pub fn processes(&self) -> Vec<i32> {
        let pids = processes::of(&self.home.data_dir());
        pids.into_iter().map(|pid| pid.as_raw_nonzero().get()).collect()
    }

    /// A further database of the plain role's; its URL.
    pub async fn create_database(&self, name: &str) -> String {
        let created = async {
            let client = self.superuser("postgres").await?;
            client.batch_execute(&format!("CREATE DATABASE \"{name}\" OWNER {USER}")).await
        };
        created.await.must("create a database");
        self.url_of(name)
    }

    /// The superuser in the database `wordhoard`, for the test's own SQL.
    pub async fn client(&self) -> Client {
        self.superuser(USER).await.must("connect as the superuser")
    }

    /// Connects to any URL. Does not panic: a refusal may be what is expected.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
        session::connect(url).await
    }

    /// What the real `psql` prints as the superuser in the database `wordhoard`, unaligned and without headings; with
    /// further arguments, such as `["-c", "SELECT 1"]`.
    pub async fn psql(&self, args: &[&str]) -> String {
        let mut command = tokio::process::Command::new(self.bin_dir.join("psql"));
        command.env_clear().args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &self.superuser_url(USER),
        ]);
        let output = command.args(args).kill_on_drop(true).output().await.must("run psql");
        let failed = io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(said).ok_or(failed).must("do that by psql")
    }

    /// Starts it after [`Self::stop`] or [`Self::kill`] on the same port and the same data, and returns when it
    /// answers.
    pub async fn start_again(&self) {
        self.start_postmaster().await.must("start PostgreSQL");
    }

    async fn start_postmaster(&self) -> io::Result<()> {
        if self.postmaster.pid().is_some() {
            return Err(io::Error::other("it runs already"));
        }
        let exe = self.bin_dir.join("postgres");
        self.postmaster.spawn(self.account, &exe, &self.home.data_dir(), &self.home.log_path())?;
        let deadline = Instant::now() + START_PATIENCE;
        while !session::is_answered(&self.superuser_url("postgres")).await {
            let ended = self.postmaster.ended()?;
            if ended.is_some() || Instant::now() > deadline {
                let log = self.log();
                let tail = log.lines().skip(log.lines().count().saturating_sub(30));
                let tail = tail.collect::<Vec<_>>().join("\n");
                return Err(io::Error::other(format!("it does not answer (ended: {ended:?}):\n{tail}")));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    fn superuser_url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    async fn superuser(&self, database: &str) -> Result<Client, tokio_postgres::Error> {
        session::connect(&self.superuser_url(database)).await
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // What does not end here, the janitor ends; the test may be panicking already.
        processes::kill_all(&self.home.data_dir()).ok();
        self.postmaster.kill().ok();
    }
}
