use std::io;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::must::Must;
use super::{Postgres, SUPERUSER, processes, session};

const PATIENCE: Duration = Duration::from_secs(30);

/// All connections that the plain role could have had, held until dropped.
#[derive(Debug)]
pub struct HeldConnections(Vec<Client>);

impl HeldConnections {
    /// How many they are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl Postgres {
    /// An orderly stop that ends the sessions (`SIGINT`, "fast"); returns when it is down.
    pub async fn stop(&self) {
        self.postmaster.signal(Signal::INT);
        let deadline = Instant::now() + PATIENCE;
        while self.postmaster.pid().is_some() {
            self.postmaster.ended().must("wait for PostgreSQL");
            let late = Err(io::Error::other("it takes too long; is it frozen?"));
            if Instant::now() > deadline { late } else { Ok(()) }.must("stop PostgreSQL");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A crash: signal 9 to the postmaster and to all its processes; returns when the last is gone.
    pub fn kill(&self) {
        let killed = processes::kill_all(&self.home.data_dir()).and_then(|()| self.postmaster.kill());
        killed.must("kill PostgreSQL");
    }

    /// Stops all its processes where they are: connections stay open and can still be made, and nothing answers.
    pub fn freeze(&self) {
        let running = self.postmaster.pid().ok_or_else(|| io::Error::other("it does not run"));
        let frozen = running.and_then(|pid| processes::freeze_all(&self.home.data_dir(), pid));
        frozen.must("freeze PostgreSQL");
    }

    /// Lets them go on.
    pub fn thaw(&self) {
        processes::thaw_all(&self.home.data_dir());
    }

    /// Makes every transaction of other roles than the superuser's read-only, as on a standby, or ends that. Their
    /// sessions are ended both times, so that new ones find it so from the start. It outlasts a restart.
    pub async fn read_only(&self, on: bool) {
        self.set_read_only(on).await.must("switch read-only");
    }

    async fn set_read_only(&self, on: bool) -> Result<(), Error> {
        let client = self.superuser("postgres").await?;
        let value = if on { "on" } else { "off" };
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
        client.batch_execute(&set).await?;
        client.batch_execute("SELECT pg_reload_conf()").await?;
        // The postmaster reads it in its own time; what it starts before would have the old value.
        let deadline = Instant::now() + PATIENCE;
        while self.value_of_a_new_session("default_transaction_read_only").await? != value {
            let late = Err(io::Error::other("new sessions do not have it"));
            if Instant::now() > deadline { late } else { Ok(()) }.must("switch read-only");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND usename <> '{SUPERUSER}'"
        );
        client.batch_execute(&end).await
    }

    async fn value_of_a_new_session(&self, setting: &str) -> Result<String, Error> {
        let row = session::connect(&self.url()).await?.query_one(&format!("SHOW {setting}"), &[]).await?;
        row.try_get(0)
    }

    /// Takes all connections that the plain role can still have: the next one is refused with `53300`. Those of the
    /// superuser remain.
    pub async fn exhaust_connections(&self) -> HeldConnections {
        let mut held = Vec::new();
        loop {
            match session::connect(&self.url()).await {
                Ok(client) => held.push(client),
                Err(error) if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) => {
                    return HeldConnections(held);
                }
                Err(error) => Err(error).must("take a connection"),
            }
        }
    }

    /// Takes all space of the disk of [`super::Builder::data_on_tmpfs`]: what needs more is refused with `53100`.
    pub fn fill_disk(&self) {
        self.home.fill().must("fill the disk");
    }

    /// Gives the space back.
    pub fn free_disk(&self) {
        self.home.free().must("free the disk");
    }
}
