//! SQL against the ledgers: every row once, and none besides.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::ServerHome;

use super::load::Recorded;
use crate::ledger::key;

pub const ADMIN_KEY: &str = "an administrator of an outage, 0123456789";

/// Requests that are over, and nothing that SQL has beyond them.
pub async fn sql_holds_exactly<R: Borrow<Recorded>>(postgres: &Postgres, recorded: &[R]) {
    let client = postgres.client().await;
    let all = "SELECT request_id::text, seq, attempt_seq, token_index, text FROM llm_token_log ORDER BY seq";
    let mut rows: HashMap<String, Vec<_>> = HashMap::new();
    for row in client.query(all, &[]).await.unwrap() {
        let [seq, attempt_seq, token_index] = [1, 2, 3].map(|column| row.get::<_, i64>(column) as u64);
        let token = (seq, (attempt_seq, token_index, row.get::<_, String>(4)));
        rows.entry(row.get(0)).or_default().push(token);
    }
    let framing =
        "SELECT r.request_id::text, r.event_count, count(a), coalesce(sum(a.token_count), 0)::bigint,
            count(a.finished_seq)
        FROM llm_requests r LEFT JOIN llm_attempts a USING (request_id) GROUP BY r.request_id";
    let mut requests: HashMap<String, [u64; 4]> = HashMap::new();
    for row in client.query(framing, &[]).await.unwrap() {
        requests.insert(row.get(0), [1, 2, 3, 4].map(|column| row.get::<_, i64>(column) as u64));
    }
    for Recorded { id, ledger } in recorded.iter().map(Borrow::borrow) {
        let seen: Vec<_> = ledger.tokens().map(|token| (token.seq, key(&token.data))).collect();
        let stored = rows.remove(id).unwrap_or_default();
        assert_eq!(stored.len(), seen.len(), "{id}: rows in SQL, and tokens seen");
        for (stored, seen) in stored.iter().zip(&seen) {
            assert_eq!(stored, seen, "{id}");
        }
        let named = |name: &str| ledger.seen.iter().filter(|event| event.name == name).count() as u64;
        let expected = [
            ledger.seen.len() as u64,
            named("attempt.started"),
            seen.len() as u64,
            named("attempt.finished"),
        ];
        assert_eq!(requests.remove(id), Some(expected), "{id}: events, attempts, tokens, ended attempts");
    }
    assert!(rows.is_empty() && requests.is_empty(), "SQL has what nobody asked for: {:?}", requests.keys());
}

/// `wordhoard check --full`: no finding, over so many tokens.
pub fn check_is_clean(home: &ServerHome, tokens: u64) -> Duration {
    let begun = Instant::now();
    let output = home.run(&["check", "--full", "--json"]).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{complaint} {report}");
    assert_eq!((&report["finding_count"], &report["tokens"]), (&0.into(), &tokens.into()), "{report}");
    begun.elapsed()
}

/// The same by the administration.
pub async fn check_by_call_is_clean(client: &Client) {
    let begun = client.http().post(client.url("/api/admin/maintenance/check?full=true"));
    let begun = begun.bearer_auth(ADMIN_KEY).send().await.unwrap();
    assert_eq!(begun.status(), 202);
    let place = client.url(begun.headers()["location"].to_str().unwrap());
    for _ in 0..600 {
        let told = client.http().get(&place).bearer_auth(ADMIN_KEY).send().await.unwrap();
        let told: Value = serde_json::from_slice(&told.bytes().await.unwrap()).unwrap();
        if told["status"] != "running" {
            assert_eq!(
                (&told["status"], &told["result"]["finding_count"]),
                (&"finished".into(), &0.into()),
                "{told}"
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the check does not come to its end");
}
