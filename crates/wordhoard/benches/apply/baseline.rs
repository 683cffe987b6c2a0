//! The same rows, without the server.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use wordhoard_testkit::postgres::Postgres;

use crate::quoted;

/// One row of `llm_token_log`.
pub struct Row {
    request_id: [u8; 16],
    attempt_seq: i64,
    token_index: i64,
    seq: i64,
    at_ms: i64,
    kind: String,
    text: String,
}

/// A row for each token.
const TOKEN_ROWS: &str = "CREATE TABLE token_rows (request_id uuid, attempt_seq bigint, token_index bigint, seq bigint, at timestamptz, kind text, text text, PRIMARY KEY (request_id, attempt_seq, token_index))";

/// Writes the tokens of a database into a file, as `COPY` has them, in the order in which the server wrote them.
pub fn export(cluster: &Postgres, url: &str, file: &Path) {
    psql(
        cluster,
        url,
        &format!(
            "\\copy (SELECT request_id, attempt_seq, token_index, seq, at, kind, text FROM llm_token_log) to {}",
            quoted(file)
        ),
    );
}

pub fn copy(cluster: &Postgres, url: &str, file: &Path) -> Duration {
    psql(cluster, url, TOKEN_ROWS);
    let started = Instant::now();
    psql(cluster, url, &format!("\\copy token_rows from {}", quoted(file)));
    started.elapsed()
}

/// Nearly in the order of the log: by their times. The heap is not, since the server sorts what it copies.
pub fn rows(cluster: &Postgres, url: &str) -> Vec<Row> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let columns = "replace(request_id::text, '-', ''), attempt_seq, token_index, seq,
        (extract(epoch FROM at) * 1000)::bigint, kind, text";
    psql(
        cluster,
        url,
        &format!("\\copy (SELECT {columns} FROM llm_token_log ORDER BY at, seq) to {}", quoted(file.path()))
            .replace('\n', " "),
    );
    let text = std::fs::read_to_string(file.path()).unwrap();
    text.lines().map(row).collect()
}

fn row(line: &str) -> Row {
    let fields: Vec<&str> = line.split('\t').collect();
    let number = |field: usize| fields[field].parse::<i64>().unwrap();
    Row {
        request_id: u128::from_str_radix(fields[0], 16).unwrap().to_be_bytes(),
        attempt_seq: number(1),
        token_index: number(2),
        seq: number(3),
        at_ms: number(4),
        kind: fields[5].to_owned(),
        text: fields[6].to_owned(),
    }
}

/// With the settings of the store, in transactions of 1,000 rows.
pub fn bare_loop(file: &Path, rows: &[Row]) -> Duration {
    let mut connection = Connection::open(file).unwrap();
    let settings = "PRAGMA journal_mode = wal; PRAGMA synchronous = normal; PRAGMA wal_autocheckpoint = 4000;
        PRAGMA cache_size = -4096";
    connection.execute_batch(settings).unwrap();
    let rows_of_tokens =
        "CREATE TABLE token_rows (request_id BLOB, attempt_seq INTEGER, token_index INTEGER, seq INTEGER,
        at INTEGER, kind TEXT, text TEXT, PRIMARY KEY (request_id, attempt_seq, token_index)) WITHOUT ROWID";
    connection.execute_batch(rows_of_tokens).unwrap();
    let started = Instant::now();
    for thousand in rows.chunks(1_000) {
        let transaction = connection.transaction().unwrap();
        let sql = "INSERT INTO token_rows (request_id, attempt_seq, token_index, seq, at, kind, text)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let mut insert = transaction.prepare_cached(sql).unwrap();
        for row in thousand {
            let Row { request_id, attempt_seq, token_index, seq, at_ms, kind, text } = row;
            insert.execute((request_id, attempt_seq, token_index, seq, at_ms, kind, text)).unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
    }
    started.elapsed()
}

/// Transactions of one row, one after the other.
pub fn single_inserts(cluster: &Postgres, url: &str) -> f64 {
    psql(cluster, url, "CREATE SEQUENCE place");
    psql(cluster, url, TOKEN_ROWS);
    let script = tempfile::NamedTempFile::new().unwrap();
    let insert = "INSERT INTO token_rows VALUES
        ('019a0000-0000-7000-8000-000000000000', 1, nextval('place'), currval('place'), now(), 'text', ' word');";
    std::fs::write(script.path(), insert.replace('\n', " ")).unwrap();
    let mut command = Command::new(cluster.bin_dir().join("pgbench"));
    let output =
        command.args(["-n", "-M", "prepared", "-T", "5", "-f"]).arg(script.path()).arg(url).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}

fn psql(cluster: &Postgres, url: &str, command: &str) {
    let mut psql = Command::new(cluster.bin_dir().join("psql"));
    let output = psql.env("PGOPTIONS", "").args(["-X", "-q", "-d", url, "-c", command]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
