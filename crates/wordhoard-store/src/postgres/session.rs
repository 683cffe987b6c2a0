//! One connection, set up as we need it, with the statements that were prepared on it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::TlsStream;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Row, SimpleQueryMessage, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::limits::{self, ServerLimits};
use super::{tls, url};
use crate::Error;

pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Where and how to connect.
pub(super) struct Target {
    hosts: Vec<Config>,
    /// The host that answered last; the next connection begins with it.
    first: AtomicUsize,
    mode: tls::Mode,
    connector: MakeRustlsConnect,
    named: bool,
}

impl Target {
    /// Checks the URL and reads the certificates that it names. Does not connect.
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let parsed = url::parse(url)?;
        let connector = parsed.tls.connector()?;
        Ok(Self {
            hosts: parsed.hosts,
            first: AtomicUsize::new(0),
            mode: parsed.tls.mode,
            connector,
            named: parsed.named,
        })
    }

    /// Connects to the first host that answers. What the server notifies of is counted in `notified`.
    pub(super) async fn connect(
        &self,
        limits: ServerLimits,
        notified: Option<watch::Sender<u64>>,
    ) -> Result<Session, Error> {
        let count = self.hosts.len();
        // All hosts of a short list have their turn before the caller's own time is over.
        let limit = (limits::CONNECT / count.try_into().unwrap_or(u32::MAX)).max(Duration::from_secs(1));
        let first = self.first.load(Ordering::Relaxed);
        let mut problem = Error::Unavailable("there is no host to connect to".to_owned());
        for place in (0..count).map(|step| (first + step) % count) {
            let Some(host) = self.hosts.get(place) else { continue };
            match self.connect_host(host, limits, limit, notified.as_ref()).await {
                Ok(session) => {
                    self.first.store(place, Ordering::Relaxed);
                    return Ok(session);
                }
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    async fn connect_host(
        &self,
        host: &Config,
        limits: ServerLimits,
        limit: Duration,
        notified: Option<&watch::Sender<u64>>,
    ) -> Result<Session, Error> {
        let on_socket = matches!(host.get_hosts(), [Host::Unix(_)]);
        let tries = if on_socket { &[SslMode::Disable] } else { self.mode.tries() };
        limits::within(limit, async {
            let mut problem = None;
            for mode in tries {
                let mut config = host.clone();
                config.ssl_mode(*mode);
                // A TLS handshake keeps tens of kilobytes; not in every call that might have to connect.
                match Box::pin(config.connect(self.connector.clone())).await {
                    Ok((client, connection)) => {
                        let session = Session::new(client, connection, notified.cloned());
                        return session.set_up(limits, self.named).await;
                    }
                    Err(error) => problem = Some(error),
                }
            }
            Err(problem.map_or(Error::Closed, Error::from))
        })
        .await
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("hosts", &self.hosts.len()).field("mode", &self.mode).finish()
    }
}

/// A connection. Dropping it closes it at once, in whatever state it is, and the server rolls back what was open.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    /// What `synchronous_commit` was before we set it.
    synchronous_commit: String,
    driver: Driver,
}

/// The task that moves the bytes of a connection.
#[derive(Debug)]
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Session {
    fn new<T>(client: Client, connection: Connection<Socket, T>, notified: Option<watch::Sender<u64>>) -> Self
    where
        T: TlsStream + Unpin + Send + 'static,
    {
        #[expect(clippy::disallowed_methods, reason = "owned by the session, which aborts it when dropped")]
        let task = tokio::spawn(drive(connection, notified));
        Self { client, statements: Mutex::default(), synchronous_commit: String::new(), driver: Driver(task) }
    }

    /// `SET` rather than options of the start: poolers refuse those.
    async fn set_up(mut self, limits: ServerLimits, named: bool) -> Result<Self, Error> {
        let name = if named { "" } else { "SET application_name = 'wordhoard';" };
        let (statement, lock) = (limits.statement.as_millis(), limits.lock.as_millis());
        let sql = format!(
            "SELECT current_setting('synchronous_commit');
             SELECT set_config('synchronous_commit', 'on', false)
                 WHERE current_setting('synchronous_commit') = 'off';
             SET statement_timeout = {statement};
             SET lock_timeout = {lock};
             SET idle_in_transaction_session_timeout = '10s';
             SET tcp_keepalives_idle = 10;
             SET tcp_keepalives_interval = 5;
             SET tcp_keepalives_count = 3;
             SET tcp_user_timeout = '15s';
             SET client_min_messages = warning;
             {name}"
        );
        for message in self.client.simple_query(&sql).await? {
            if let SimpleQueryMessage::Row(row) = message
                && self.synchronous_commit.is_empty()
            {
                self.synchronous_commit = row.get(0).unwrap_or_default().to_owned();
            }
        }
        Ok(self)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// What the operator has set `synchronous_commit` to.
    pub(super) fn synchronous_commit(&self) -> &str {
        &self.synchronous_commit
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.driver.0.is_finished()
    }

    /// Returns when the connection has ended.
    pub(super) async fn ended(&mut self) {
        drop((&mut self.driver.0).await);
    }

    /// Says goodbye to the server, for as long as it takes up to the limit.
    pub(super) async fn close(self, limit: Duration) {
        let Self { client, statements, mut driver, .. } = self;
        drop((statements, client));
        drop(tokio::time::timeout(limit, &mut driver.0).await);
    }

    /// These statements, prepared on this connection.
    pub(super) async fn statements<const N: usize>(
        &self,
        sql: [&'static str; N],
    ) -> Result<[Statement; N], tokio_postgres::Error> {
        let missing: Vec<_> = {
            let known = self.statements.lock();
            sql.iter().filter(|sql| !known.contains_key(*sql)).copied().collect()
        };
        let prepared = try_join_all(missing.iter().map(|sql| self.client.prepare(sql))).await?;
        let mut known = self.statements.lock();
        known.extend(missing.into_iter().zip(prepared));
        Ok(sql.map(|sql| known[sql].clone()))
    }

    pub(super) async fn query(&self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        let [statement] = self.statements([sql]).await?;
        Ok(self.client.query(&statement, params).await?)
    }

    pub(super) async fn execute(&self, sql: &'static str, params: Params<'_>) -> Result<u64, Error> {
        let [statement] = self.statements([sql]).await?;
        Ok(self.client.execute(&statement, params).await?)
    }
}

async fn drive<T: TlsStream + Unpin>(
    mut connection: Connection<Socket, T>,
    notified: Option<watch::Sender<u64>>,
) {
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notification(_)) => {
                if let Some(notified) = &notified {
                    notified.send_modify(|count| *count += 1);
                }
            }
            Ok(AsyncMessage::Notice(notice)) => tracing::debug!(notice = notice.message(), "PostgreSQL says"),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(reason = super::failure::reason(&error), "a connection to PostgreSQL ended");
                return;
            }
        }
    }
}
