//! One provider that fails and one that does not, behind one server.

use std::time::{Duration, Instant};

use serde_json::Value;
use wordhoard_testkit::client::{Client, SeenEvent};
use wordhoard_testkit::provider::{MisbehavingProvider, expected_tokens};
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use crate::EXE;

pub const PROMPT: &str = "why do lighthouses flicker äöü 🦀";
/// The limits of the providers here; each another, so that one sees which it was.
pub const FIRST_TOKEN: Duration = Duration::from_millis(1_500);
pub const BETWEEN_TOKENS: Duration = Duration::from_millis(1_000);
/// What ends an answer that shows signs of life for ever.
pub const TOTAL: Duration = Duration::from_secs(15);
/// How long a breaker stays open here.
pub const OPEN_FOR: Duration = Duration::from_millis(2_000);

pub struct Scene {
    pub primary: MisbehavingProvider,
    pub backup: MisbehavingProvider,
    pub home: ServerHome,
    pub server: ServerProcess,
}

/// What came of a prompt.
pub struct Told {
    pub events: Vec<SeenEvent>,
    pub whole: Value,
    pub took: Duration,
}

impl Scene {
    /// `primary` and `backup`, with the models of each as TOML (`{ name = "ok" }, …`; any name where it is empty), and
    /// the backup's model that stands in, if one does.
    pub fn new(primary_models: &str, backup_models: &str, stand_in: &str) -> Self {
        Self::with(("openai", primary_models), backup_models, stand_in, "failures = 3")
    }

    fn with(primary: (&str, &str), backup_models: &str, stand_in: &str, breaker: &str) -> Self {
        let (dialect, primary_models) = primary;
        let (primary, backup) =
            (MisbehavingProvider::start().unwrap(), MisbehavingProvider::start().unwrap());
        let config = [
            provider("primary", dialect, &primary.base_url(), primary_models),
            provider("backup", "openai", &backup.base_url(), backup_models),
            fallback(stand_in),
            format!("[breaker]\n{breaker}\nopen = \"{}ms\"\n", OPEN_FOR.as_millis()),
        ];
        let home = ServerHome::new(EXE, &config.concat()).unwrap();
        let server = home.start().unwrap();
        Self { primary, backup, home, server }
    }

    /// The usual one: any model at the primary, `ok-60` at the backup.
    pub fn usual() -> Self {
        Self::new("", "", "ok-60")
    }

    /// The usual one, for many faults one after the other.
    pub fn without_breaker() -> Self {
        Self::speaking("openai", "")
    }

    /// A primary with any model, and nobody to stand in for it.
    pub fn alone() -> Self {
        Self::new("", "", "")
    }

    /// As [`Scene::without_breaker`], with a primary of that dialect that has those models.
    pub fn speaking(dialect: &str, primary_models: &str) -> Self {
        Self::with((dialect, primary_models), "", "ok-60", "failures = 0")
    }

    pub fn client(&self) -> Client {
        self.server.client()
    }

    pub async fn ask(&self, model: &str) -> Told {
        let started = Instant::now();
        let client = self.client();
        let id = client.submit(PROMPT, &[model]).await.unwrap();
        let events = client.read_to_end(&id, None).await.unwrap();
        let took = started.elapsed();
        let whole = client.wait_for_end(&id).await.unwrap();
        Told { events, whole, took }
    }
}

fn fallback(stand_in: &str) -> String {
    let queue = if stand_in.is_empty() { String::new() } else { format!("\"backup:{stand_in}\"") };
    format!("[fallback]\nqueue = [{queue}]\njitter = [\"0ms\", \"50ms\"]\n")
}

fn provider(name: &str, dialect: &str, base_url: &str, models: &str) -> String {
    format!(
        "[[providers]]\nname = {name:?}\ndialect = {dialect:?}\nbase_url = {base_url:?}\nallow_private = true\n\
         timeouts = {{ connect = \"600ms\", first_token = \"{}ms\", between_bytes = \"{}ms\", total = \"{}ms\" }}\n\
         models = [{models}]\n",
        FIRST_TOKEN.as_millis(),
        BETWEEN_TOKENS.as_millis(),
        TOTAL.as_millis(),
    )
}

impl Told {
    /// The answer is complete: the whole expected text, nothing twice, and called completed.
    pub fn assert_complete(&self) {
        self.assert_complete_with(&expected_tokens("ok-60", PROMPT).concat());
    }

    pub fn assert_complete_with(&self, text: &str) {
        assert_eq!(self.whole["status"], "completed", "{:#}", self.whole);
        assert_eq!(self.whole["lanes"][0]["status"], "completed");
        assert_eq!(self.whole["lanes"][0]["text"], text, "{:#}", self.whole);
    }

    /// Model, and how it ended, of each attempt: `primary:x rate_limited`, `backup:ok-60 completed`.
    pub fn attempts(&self) -> Vec<String> {
        let attempts = self.whole["lanes"][0]["attempts"].as_array().unwrap().iter();
        let ended = |attempt: &Value| {
            let class = attempt["error"]["class"].as_str().or(attempt["status"].as_str());
            format!("{} {}", attempt["model"].as_str().unwrap(), class.unwrap())
        };
        attempts.map(ended).collect()
    }

    /// One attempt, from 0.
    pub fn attempt(&self, place: usize) -> &Value {
        &self.whole["lanes"][0]["attempts"][place]
    }
}
