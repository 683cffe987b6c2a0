use serde_json::Value;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::server::ServerHome;

use super::{check, stop, warned};
use crate::database::Database;
use crate::ledger::Ledger;

const TOKENS: usize = 30;

/// What is deleted, as SQL; the fault that tells it; and its first and last token, where it has them.
type Gap = (&'static str, &'static str, Option<(u64, u64)>);

/// What is taken away from a request (`{id}`), and the fault that tells it. Each attempt has 30 tokens.
const GAPS: &[Gap] = &[
    (
        "DELETE FROM llm_token_log WHERE request_id = {id} AND attempt_seq = 1 AND token_index = 0",
        "tokens_missing",
        Some((0, 0)),
    ),
    (
        "DELETE FROM llm_token_log WHERE request_id = {id} AND attempt_seq = 2 AND token_index BETWEEN 5 AND 7",
        "tokens_missing",
        Some((5, 7)),
    ),
    (
        "DELETE FROM llm_token_log WHERE request_id = {id} AND attempt_seq = 1 AND token_index = 29",
        "tokens_missing",
        Some((29, 29)),
    ),
    (
        "DELETE FROM llm_token_log WHERE request_id = {id} AND attempt_seq = 2",
        "tokens_missing",
        Some((0, 29)),
    ),
    ("DELETE FROM llm_token_log WHERE request_id = {id}", "tokens_missing", Some((0, 29))),
    ("DELETE FROM llm_attempts WHERE request_id = {id} AND attempt_seq = 2", "attempt_missing", None),
    (
        "DELETE FROM llm_attempts WHERE request_id = {id} AND attempt_seq = 2;
         DELETE FROM llm_token_log WHERE request_id = {id} AND attempt_seq = 2",
        "attempt_missing",
        None,
    ),
    ("DELETE FROM llm_requests WHERE request_id = {id}", "request_missing", None),
    // The last one: of this only the log knows.
    (
        "DELETE FROM llm_requests WHERE request_id = {id}; DELETE FROM llm_attempts WHERE request_id = {id};
         DELETE FROM llm_token_log WHERE request_id = {id}",
        "request_missing",
        None,
    ),
];

struct Known {
    id: String,
    ledger: Ledger,
}

#[tokio::test]
async fn in_sqlite_are_found_listed_and_repaired_where_the_log_has_them() {
    gaps_are_found(Database::Sqlite).await;
}

#[tokio::test]
async fn in_postgresql_are_found_listed_and_repaired_where_the_log_has_them() {
    gaps_are_found(Database::postgres().await).await;
}

async fn gaps_are_found(database: Database) {
    let home = database.home();
    let server = home.start().unwrap();
    let known = ask(&server.client()).await;
    stop(server);
    let (code, report) = check(&home, &["--full"]);
    assert_eq!((code, &report["findings"]), (0, &serde_json::json!([])), "{report}");

    plant(&database, &home, &known).await;
    all_are_listed(&home, &known);
    let server = home.start().unwrap();
    let health = server.client().get("/api/health").await.unwrap().body;
    assert_eq!(health["token_gap"], false, "{health}");
    assert!(warned(&server, "SQL had lost events; they were put back from the log", "repaired_events"));
    all_is_there(&server.client(), &known).await;
    assert_eq!(check(&home, &["--full"]).0, 0);
    stop(server);

    plant(&database, &home, &known).await;
    without_their_log_they_stay(&home, &known).await;
    let (code, report) = check(&home, &["--full", "--repair"]);
    assert_eq!((code, report["finding_count"].as_u64()), (0, Some(0)), "{report}");
    assert!(report["repaired_events"].as_u64().unwrap() > TOKENS as u64, "{report}");
    assert_eq!(check(&home, &["--full"]).0, 0);
    let server = home.start().unwrap();
    all_is_there(&server.client(), &known).await;
}

/// One request for each gap, each with two attempts.
async fn ask(client: &Client) -> Vec<Known> {
    let mut known = Vec::new();
    for gap in 0..GAPS.len() {
        let prompt = format!("gap {gap} [demo tokens={TOKENS} rate=1000]");
        let id = client.submit(&prompt, &["demo:brisk", "demo:bard"]).await.unwrap();
        known.push(Known { id, ledger: Ledger::default() });
    }
    for one in &mut known {
        assert!(one.ledger.follow(client, &one.id).await);
        assert_eq!(one.ledger.seen.len(), 2 * TOKENS + 6);
    }
    known
}

async fn plant(database: &Database, home: &ServerHome, known: &[Known]) {
    for ((gap, _, _), one) in GAPS.iter().zip(known) {
        database.execute(home, &gap.replace("{id}", &database.id(&one.id))).await;
    }
}

fn all_are_listed(home: &ServerHome, known: &[Known]) {
    let (code, report) = check(home, &["--full"]);
    assert_eq!(code, 1, "{report}");
    for (gap, one) in known.iter().enumerate() {
        assert!(is_listed(&report, gap, &one.id), "gap {gap}: {report}");
    }
}

fn is_listed(report: &Value, gap: usize, id: &str) -> bool {
    let (_, fault, range) = GAPS[gap];
    report["findings"].as_array().unwrap().iter().any(|finding| {
        let found = (finding["from"].as_u64(), finding["through"].as_u64());
        finding["request_id"] == id
            && finding["fault"] == fault
            && range.is_none_or(|(from, through)| found == (Some(from), Some(through)))
    })
}

async fn all_is_there(client: &Client, known: &[Known]) {
    for one in known {
        assert_eq!(client.read_to_end(&one.id, None).await.unwrap(), one.ledger.seen, "{}", one.id);
    }
}

/// Moves the log away, starts a server twice, which begins another log, and puts the first one back.
async fn without_their_log_they_stay(home: &ServerHome, known: &[Known]) {
    let (log, aside) = (home.data_dir().join("tokens.wal"), home.data_dir().join("aside"));
    put(&log, &aside);
    // Of what is gone without a trace only the log could tell.
    let visible = &known[..known.len() - 1];
    for _ in 0..2 {
        let server = home.start().unwrap();
        let client = server.client();
        let health = client.get("/api/health").await.unwrap().body;
        assert_eq!((&health["token_gap"], &health["status"]), (&true.into(), &"degraded".into()), "{health}");
        assert!(health["services"]["consistency"]["finding_count"].as_u64() >= Some(visible.len() as u64));
        assert!(warned(&server, "SQL is not consistent", "finding_count"));
        let log = server.log().unwrap();
        let listed = log.iter().filter(|line| line["level"] == "WARN" && line["finding"].is_string());
        assert_eq!(listed.count(), 10, "the first ten findings are in the log");
        let (code, report) = check(home, &["--full"]);
        assert_eq!(code, 1, "{report}");
        for (gap, one) in visible.iter().enumerate() {
            assert!(is_listed(&report, gap, &one.id), "gap {gap}: {report}");
            let read = client.read_to_end(&one.id, None).await;
            assert!(read.is_err(), "gap {gap}: a stream with a gap ends like a whole one: {read:?}");
        }
        stop(server);
        assert_eq!(check(home, &["--full", "--repair"]).0, 1, "there is nothing to repair it from");
    }
    std::fs::remove_dir_all(&log).unwrap();
    put(&aside, &log);
}

#[expect(clippy::disallowed_methods, reason = "a test's move need not outlive a loss of power")]
fn put(from: &std::path::Path, to: &std::path::Path) {
    std::fs::rename(from, to).unwrap();
}
