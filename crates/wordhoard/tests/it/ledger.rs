//! What clients saw, and where it must be found again.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wordhoard_model::RequestId;
use wordhoard_testkit::client::{Client, Next, SeenEvent};

use crate::EXE;

/// The events of one request that a client has seen: from the first one on, without a gap.
#[derive(Debug, Default)]
pub struct Ledger {
    pub seen: Vec<SeenEvent>,
}

impl Ledger {
    /// Follows a request from behind what was seen, until the stream ends or breaks. Returns whether the request ended.
    pub async fn follow(&mut self, client: &Client, id: &str) -> bool {
        let after = self.seen.last().map(|event| event.seq);
        let mut stream = match client.follow(id, after).await {
            Ok(stream) => stream,
            Err(error) if error.to_string() == "status 204" => return true,
            Err(_) => return false,
        };
        loop {
            match stream.next().await.unwrap() {
                Next::Event(event) => self.take(event),
                Next::Ended => {
                    assert_eq!(
                        self.seen.last().unwrap().name,
                        "request.finished",
                        "{id}: an orderly end in mid-stream"
                    );
                    return true;
                }
                Next::Broken => return false,
            }
        }
    }

    pub fn take(&mut self, event: SeenEvent) {
        assert_ne!(event.name, "error", "broken off after {} events: {}", self.seen.len(), event.data);
        assert_eq!(event.seq, self.seen.len() as u64, "the stream has a gap or a double");
        assert_eq!(event.data["seq"], event.seq);
        self.seen.push(event);
    }

    pub fn tokens(&self) -> impl Iterator<Item = &SeenEvent> {
        self.seen.iter().filter(|event| event.name == "token")
    }

    /// Reads the request anew from its first event: what was seen is there, the same to the byte.
    pub async fn check_stream(&self, client: &Client, id: &str) {
        let mut stream = client.follow(id, None).await.unwrap();
        for seen in &self.seen {
            match stream.next().await.unwrap() {
                Next::Event(event) => assert_eq!(&event, seen, "{id}: another event than was seen"),
                other => panic!("{id}: {other:?} where event {} was seen", seen.seq),
            }
        }
    }

    /// The assembled request begins with what was seen, attempt by attempt.
    pub async fn check_document(&self, client: &Client, id: &str) {
        let answer = client.get(&format!("/api/llm/requests/{id}")).await.unwrap();
        assert_eq!(answer.status, 200, "{id}: {}", answer.body);
        let mut seen: HashMap<u64, String> = HashMap::new();
        for token in self.tokens().filter(|token| token.data["kind"] == "text") {
            let attempt = token.data["attempt_seq"].as_u64().unwrap();
            seen.entry(attempt).or_default().push_str(token.data["text"].as_str().unwrap());
        }
        let lanes = answer.body["lanes"].as_array().unwrap();
        let attempts: HashMap<u64, &str> = lanes
            .iter()
            .flat_map(|lane| lane["attempts"].as_array().unwrap())
            .map(|attempt| (attempt["attempt_seq"].as_u64().unwrap(), attempt["text"].as_str().unwrap()))
            .collect();
        for (attempt, text) in seen {
            assert!(attempts[&attempt].starts_with(&text), "{id}: attempt {attempt} lost text that was seen");
        }
        assert!(answer.body["event_count"].as_u64().unwrap() >= self.seen.len() as u64);
    }

    /// The rows in SQLite are those that were seen.
    pub fn check_sqlite(&self, connection: &rusqlite::Connection, id: &str) {
        let sql = "SELECT attempt_seq, token_index, seq, text FROM llm_token_log WHERE request_id = ?1 ORDER BY seq";
        let mut statement = connection.prepare(sql).unwrap();
        let id_bytes = *id.parse::<RequestId>().unwrap().as_bytes();
        let number =
            |row: &rusqlite::Row<'_>, column| u64::try_from(row.get::<_, i64>(column).unwrap()).unwrap();
        let rows = statement.query_map([id_bytes], |row| {
            Ok((number(row, 2), (number(row, 0), number(row, 1), row.get::<_, String>(3)?)))
        });
        let rows: BTreeMap<u64, (u64, u64, String)> = rows.unwrap().map(Result::unwrap).collect();
        for token in self.tokens() {
            assert_eq!(rows.get(&token.seq), Some(&key(&token.data)), "{id}: token {} in SQLite", token.seq);
        }
    }

    /// The log still has what was seen, unless it has let a whole segment go because SQL has it.
    pub fn check_dump(&self, dump: &Dump, id: &str) {
        let Some(lines) = dump.tokens.get(id) else {
            assert!(dump.first_position > 0 || self.tokens().next().is_none(), "{id} is not in the log");
            return;
        };
        for token in self.tokens() {
            match lines.get(&token.seq) {
                Some(line) => assert_eq!(line, &key(&token.data), "{id}: token {} in the log", token.seq),
                None => assert!(dump.first_position > 0, "{id}: token {} is not in the log", token.seq),
            }
        }
    }
}

/// Attempt, index and text of a token.
pub fn key(data: &Value) -> (u64, u64, String) {
    let number = |name: &str| data[name].as_u64().unwrap();
    (number("attempt_seq"), number("token_index"), data["text"].as_str().unwrap().to_owned())
}

/// What `wordhoard wal dump` prints, by request and `seq`.
pub struct Dump {
    pub first_position: u64,
    tokens: HashMap<String, BTreeMap<u64, (u64, u64, String)>>,
}

impl Dump {
    pub fn read(data_dir: &Path) -> Self {
        let output = Command::new(EXE)
            .args(["wal", "dump", "--positions", "--data-dir"])
            .arg(data_dir)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut dump = Self { first_position: 0, tokens: HashMap::new() };
        let mut previous = None;
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            if line["released"].is_object() {
                (previous, dump.first_position) = (None, 0);
                continue;
            }
            let position = line["position"].as_u64().unwrap();
            match previous {
                None => dump.first_position = position,
                // The tokens of a frame stand in one record.
                Some(previous) => {
                    assert!(position == previous || position == previous + 1, "a gap before {position}");
                }
            }
            previous = Some(position);
            if line["t"].is_string() {
                let token = (
                    line["a"].as_u64().unwrap(),
                    line["i"].as_u64().unwrap(),
                    line["t"].as_str().unwrap().to_owned(),
                );
                let of = dump.tokens.entry(line["r"].as_str().unwrap().to_owned()).or_default();
                let double = of.insert(line["seq"].as_u64().unwrap(), token);
                assert_eq!(double, None, "a token stands twice in the log");
            }
        }
        dump
    }
}
