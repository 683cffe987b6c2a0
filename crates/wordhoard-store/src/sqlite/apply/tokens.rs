//! The tokens of a batch, as rows of `llm_token_runs`.

use rusqlite::{OptionalExtension, Transaction, params};
use wordhoard_model::{AttemptSeq, RequestId, Seq};

use super::super::rows::{signed, unsigned};
use super::super::runs;
use crate::runs::{AttemptRows, Examined, Reach, Standing, TokenOfBatch, reaches, run_columns};

/// Rows of which the batch may have a token: of an attempt from one `token_index` to another, or of its request from one `seq` to another.
const OVERLAPPING: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM llm_token_runs WHERE request_id = ?1 AND (first_seq <= ?3 AND last_seq >= ?2
        OR attempt_seq = ?4 AND first_token_index <= ?6 AND first_token_index + token_count > ?5)"
);

/// Tokens of which none can be there.
pub(super) fn insert(tx: &Transaction<'_>, tokens: Vec<TokenOfBatch<'_>>) -> Result<(), rusqlite::Error> {
    crate::runs::runs(tokens).iter().try_for_each(|row| runs::insert(tx, row))
}

/// Tokens that may be there. What else the batch has must be there by now.
pub(super) fn insert_missing<'a>(
    tx: &Transaction<'_>,
    tokens: &[TokenOfBatch<'a>],
) -> Result<Examined<'a>, rusqlite::Error> {
    let mut standing = Standing::default();
    for reach in reaches(tokens) {
        read_request(tx, reach.request_id, &mut standing)?;
        read_overlapping(tx, &reach, &mut standing)?;
    }
    let examined = standing.examine(tokens);
    examined.rows.iter().try_for_each(|row| runs::insert(tx, row))?;
    Ok(examined)
}

fn read_request(tx: &Transaction<'_>, id: RequestId, standing: &mut Standing) -> Result<(), rusqlite::Error> {
    let sql = "SELECT erased_at IS NOT NULL, event_count FROM llm_requests WHERE request_id = ?1";
    let found = tx.prepare_cached(sql)?.query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)));
    if let Some((is_erased, event_count)) = found.optional()? {
        standing.request(id, is_erased, Option::<i64>::map(event_count, unsigned));
    }
    let sql =
        "SELECT attempt_seq, started_seq, finished_seq, token_count FROM llm_attempts WHERE request_id = ?1";
    let mut statement = tx.prepare_cached(sql)?;
    let mut rows = statement.query([id.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let attempt = AttemptRows {
            attempt_seq: AttemptSeq(row.get(0)?),
            started_seq: Seq(unsigned(row.get(1)?)),
            finished_seq: row.get::<_, Option<i64>>(2)?.map(|seq| Seq(unsigned(seq))),
            token_count: row.get::<_, Option<i64>>(3)?.map(unsigned),
        };
        standing.attempt(id, attempt);
    }
    Ok(())
}

fn read_overlapping(
    tx: &Transaction<'_>,
    reach: &Reach,
    standing: &mut Standing,
) -> Result<(), rusqlite::Error> {
    let mut statement = tx.prepare_cached(OVERLAPPING)?;
    let mut rows = statement.query(params![
        reach.request_id.as_bytes(),
        signed(reach.seqs.0.0),
        signed(reach.seqs.1.0),
        reach.attempt_seq.0,
        signed(reach.token_indexes.0.0),
        signed(reach.token_indexes.1.0),
    ])?;
    while let Some(row) = rows.next()? {
        match runs::read(row) {
            Ok(run) => standing.run(&run),
            Err(error) => standing.unreadable_run(reach.request_id, runs::place(row)?, &error),
        }
    }
    Ok(())
}
