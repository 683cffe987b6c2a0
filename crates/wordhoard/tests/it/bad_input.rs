//! Input that is refused: a clear answer that names the field, one line in the log, and nothing stored.

mod bodies;
mod limits;
mod places;
mod prompts;
mod transport;
mod unsupported;

use std::process::Command;

use serde_json::{Value, json};
use wordhoard_testkit::client::Client;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use crate::EXE;
use crate::raw_http::{Raw, send};

/// A server that counts what it says about requests it refuses.
struct Gate {
    home: ServerHome,
    server: ServerProcess,
    client: Client,
}

impl Gate {
    fn open() -> Self {
        let home = ServerHome::new(EXE, "").unwrap();
        let server = home.start().unwrap();
        let client = server.client();
        Self { home, server, client }
    }

    fn log_length(&self) -> usize {
        self.server.log().unwrap().len()
    }

    /// Whether an answer is the refusal that is due, and the log has exactly one line more than before, about it.
    fn assert_refused(
        &self,
        case: &str,
        lines_before: usize,
        answer: &Raw,
        status: u16,
        field: Option<&str>,
    ) {
        let body = &answer.body;
        assert_eq!(answer.status, status, "{case}: {body}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{case}: {body}");
        let problem = answer.json();
        assert_eq!(problem["field"].as_str(), field, "{case}: {body}");
        assert_eq!(problem["status"], status, "{case}: {body}");
        for part in ["type", "title", "detail"] {
            assert!(problem[part].as_str().is_some_and(|text| !text.is_empty()), "{case}: {body}");
        }
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.len() < 1_000, "{case}: the detail has {} bytes", detail.len());
        let log = self.server.log().unwrap();
        let new = &log[lines_before..];
        assert_eq!(new.len(), 1, "{case}: {new:?}");
        assert_eq!(new[0]["message"], "request refused", "{case}: {new:?}");
        assert_eq!((&new[0]["status"], new[0]["field"].as_str()), (&json!(status), field), "{case}");
        assert_eq!(new[0]["detail"].as_str(), Some(detail), "{case}");
    }

    /// Posts a body and checks its refusal.
    async fn refuses(
        &self,
        case: &str,
        kind: &str,
        body: impl Into<reqwest::Body>,
        status: u16,
        field: Option<&str>,
    ) {
        let before = self.log_length();
        let request = self.client.http().post(self.client.url("/api/llm/prompt"));
        let answer = send(request.header("content-type", kind).body(body)).await;
        self.assert_refused(case, before, &answer, status, field);
    }

    /// What the check of the same body says is wrong.
    async fn validates_as(&self, body: &Value) -> Value {
        self.client.post("/api/llm/validate", body).await.unwrap().body
    }

    /// Whether no request was recorded, in the list, in the log and in SQL, and the server is well.
    async fn assert_nothing_stored(self) {
        let list = self.client.get("/api/llm/requests").await.unwrap();
        assert_eq!(list.body["requests"], json!([]));
        let health = self.client.get("/api/health").await.unwrap().body;
        assert_eq!((&health["status"], &health["buffer_len"]), (&json!("healthy"), &json!(0)));
        let dump =
            Command::new(EXE).args(["wal", "dump", "--data-dir"]).arg(self.home.data_dir()).output().unwrap();
        assert!(dump.status.success() && dump.stdout.is_empty(), "{dump:?}");
    }
}
