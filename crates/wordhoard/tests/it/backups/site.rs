//! A server whose backups, key and archive lie elsewhere than its data, as they should.

use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use wordhoard_testkit::client::{Answer, Client};
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use crate::database::Database;
use crate::ledger::Ledger;

pub const KEY: &str = "an administrator's key of a good length";
pub const BACKUP: &str = "/api/admin/maintenance/backup";
pub const BACKUPS: &str = "/api/admin/maintenance/backups";

pub struct Site {
    pub database: Database,
    pub home: ServerHome,
    pub elsewhere: tempfile::TempDir,
}

/// A request as a client saw it, whole.
pub struct Seen {
    pub id: String,
    pub ledger: Ledger,
}

impl Site {
    pub async fn new(database: Database) -> Self {
        if let Database::Postgres(cluster) = &database {
            cluster.client().await.batch_execute("ALTER ROLE wordhoard CREATEDB").await.unwrap();
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let dir = elsewhere.path().display();
        let config = format!(
            "{}\nlimits = {{ wal_segment = \"1MiB\", disk_reserve = \"64MiB\" }}
             [backup]\ndir = \"{dir}/backups\"\nkey_file = \"{dir}/key\"\n[archive]\ndir = \"{dir}/archive\"\ninterval = \"200ms\"",
            database.config()
        );
        let mut home = ServerHome::new(crate::EXE, &config).unwrap();
        home.set_environment("WORDHOARD_ADMIN_KEY", KEY);
        Self { database, home, elsewhere }
    }

    pub fn start(&self) -> (ServerProcess, Client) {
        let server = self.home.start().unwrap();
        let client = server.client().with_key(KEY).unwrap();
        (server, client)
    }

    /// Runs a command that must succeed.
    pub fn run(&self, command: &[&str]) -> String {
        let output = self.home.run(command).unwrap();
        assert!(output.status.success(), "{command:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn backup_dir(&self, name: &str) -> PathBuf {
        self.elsewhere.path().join("backups").join(name)
    }

    /// All that the restored database shows is consistent.
    pub fn check(&self) {
        self.run(&["check", "--full"]);
    }
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Stops a server in order: what it has recorded is applied and archived.
pub fn stop(mut server: ServerProcess) {
    server.terminate().unwrap();
    assert!(server.wait(Duration::from_secs(60)).unwrap().success(), "{}", server.output().unwrap());
}

/// Requests that run, each followed to its end.
pub async fn load(client: &Client, requests: usize, tokens: usize) -> Vec<Seen> {
    let one = async |number: usize| {
        let prompt = format!("load {number} [demo tokens={tokens} rate=400]");
        let id = client.submit(&prompt, &["demo:brisk", "demo:bard"]).await.unwrap();
        let mut ledger = Ledger::default();
        assert!(ledger.follow(client, &id).await);
        Seen { id, ledger }
    };
    join_all((0..requests).map(one)).await
}

/// What was seen is there to the byte, and nothing else is.
pub async fn assert_holds(client: &Client, seen: &[Seen]) {
    for one in seen {
        let events = client.read_to_end(&one.id, None).await.unwrap();
        assert_eq!(events, one.ledger.seen, "{}", one.id);
    }
    assert_eq!(count(client).await, seen.len());
}

pub async fn count(client: &Client) -> usize {
    let list = client.get("/api/llm/requests?limit=500").await.unwrap();
    list.body["requests"].as_array().unwrap_or_else(|| panic!("{}", list.body)).len()
}

/// Makes a backup by the call, and gives its name.
pub async fn backup(client: &Client) -> String {
    let begun = client.post(BACKUP, &json!({})).await.unwrap();
    assert_eq!(begun.status, 202, "{}", begun.body);
    let ended = end_of(client, &begun).await;
    assert_eq!(ended["status"], "finished", "{ended}");
    ended["result"]["filename"].as_str().unwrap().to_owned()
}

pub async fn end_of(client: &Client, begun: &Answer) -> Value {
    loop {
        let operation = client.get(begun.location.as_deref().unwrap()).await.unwrap().body;
        if operation["status"] != "running" {
            return operation;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a restore by call is in place. The server starts again on the same port; operations of its life before
/// are forgotten.
pub async fn restarted(home: &ServerHome, client: &Client) {
    let in_place = home.data_dir().join("restore/last.json");
    for _ in 0..600 {
        let is_ready = client.get("/readyz").await.is_ok_and(|answer| answer.status == 200);
        if in_place.exists() && is_ready {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the restored database is not in place");
}

/// Waits until SQL has everything.
pub async fn applied(client: &Client) {
    while client.get("/api/health").await.unwrap().body["buffer_len"] != 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
