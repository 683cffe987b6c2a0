//! A database, a server on it, and the load; and an outage with all that has to hold meanwhile.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

pub use super::audit::ADMIN_KEY;
use super::load::Load;
use super::pace::Pace;
use super::{audit, probe};
use crate::EXE;

/// The streams settle, then their normal pace is measured.
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(4);

/// What SQL is like in an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sql {
    /// It cannot be used, and health has to say so.
    Away,
    /// It fails and goes on by turns, or so quietly that health may say either.
    Hurt,
}

pub struct Scene {
    home: ServerHome,
    server: ServerProcess,
    client: Client,
    load: Load,
    normal: Option<Pace>,
    _provider: MisbehavingProvider,
}

/// A server's home on that database, or on SQLite where that is empty, and the provider of its models.
pub fn home(database_url: &str) -> (ServerHome, MisbehavingProvider) {
    let provider = MisbehavingProvider::start().unwrap();
    let database =
        if database_url.is_empty() { String::new() } else { format!("database_url = {database_url:?}\n") };
    let config = format!(
        "{database}[[providers]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = {:?}\nallow_private = true",
        provider.base_url()
    );
    let mut home = ServerHome::new(EXE, &config).unwrap();
    home.set_environment("WORDHOARD_ADMIN_KEY", audit::ADMIN_KEY);
    (home, provider)
}

impl Scene {
    /// A server on a database that is there, its load, and its normal pace.
    pub async fn begin(database_url: &str) -> Self {
        let mut scene = Self::begin_unmeasured(database_url).await;
        tokio::time::sleep(WARM_UP).await;
        scene.normal().await;
        scene
    }

    /// A server on a database that may be away.
    pub async fn begin_unmeasured(database_url: &str) -> Self {
        let (home, provider) = home(database_url);
        let server = home.start().unwrap();
        let client = server.client();
        let load = Load::start(&client).await;
        Self { home, server, client, load, normal: None, _provider: provider }
    }

    /// Lets an outage happen, which is over when `outage` is done, and waits until the server has caught up.
    pub async fn through(&mut self, name: &str, sql: Sql, outage: impl Future<Output = ()>) {
        let over = watch::Sender::new(false);
        let from = Instant::now();
        let happening = async {
            outage.await;
            over.send_replace(true);
            Instant::now()
        };
        let watching = probe::watch(&self.client, over.subscribe());
        let resuming = probe::resume(&self.client, &self.load, over.subscribe());
        let (end, mut seen, resumed) = tokio::join!(happening, watching, resuming);
        assert!(seen.db_down || sql == Sql::Hurt, "{name}: health did not notice that SQL is away");
        let health = seen.assert_quick(name);
        let recovered = probe::recovered(&self.client, name).await;
        self.load.assert_going_on();
        let pace = self.load.arrivals().pace(from, Instant::now());
        println!(
            "{name}: {:.1} s, {pace}; slowest health {health:.1?}; resumed in {resumed:.1?}; db_ok=false seen: {}; caught up after {recovered:.1?}",
            (end - from).as_secs_f64(),
            seen.db_down
        );
        pace.assert_near(&self.normal().await, name);
    }

    /// Where the outage was there first, it is measured only now.
    async fn normal(&mut self) -> Pace {
        if let Some(normal) = self.normal {
            return normal;
        }
        let from = Instant::now();
        tokio::time::sleep(MEASURED).await;
        let normal = self.load.arrivals().pace(from, Instant::now());
        println!("normal: {normal}");
        assert!(normal.tokens > 1_000, "the streams do not keep their pace without any outage");
        *self.normal.insert(normal)
    }

    /// Ends the load, and looks for everything in SQL.
    pub async fn end(self, postgres: &Postgres) {
        let recorded = self.load.end().await;
        let settled = probe::settled(&self.client, "at the end").await;
        audit::sql_holds_exactly(postgres, &recorded).await;
        let tokens: usize = recorded.iter().map(|one| one.ledger.tokens().count()).sum();
        let checked = audit::check_is_clean(&self.home, tokens as u64);
        audit::check_by_call_is_clean(&self.client).await;
        let (requests, health) = (recorded.len(), self.client.get("/api/health").await.unwrap().body);
        println!(
            "{requests} requests, {tokens} tokens, all in SQL once; settled after {settled:.1?}, checked in {checked:.1?}"
        );
        assert_eq!(health["token_gap"], false, "{health}");
        assert_eq!(health["services"]["storage"]["conflicts"], 0, "{health}");
        assert_eq!(health["services"]["storage"]["quarantined"], 0, "{health}");
        drop(self.server);
    }
}
