//! The tokens of a batch, as rows of `llm_token_runs`.

use std::collections::HashSet;
use std::pin::pin;

use futures_util::future::try_join_all;
use tokio_postgres::Statement;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::ToSql;
use wordhoard_model::{AttemptSeq, RequestId, Seq};

use super::super::failure::Failure;
use super::super::rows::{count, get, narrow, optional_count};
use super::super::runs::{self, COLUMN_TYPES, WrittenRun};
use super::super::session::Session;
use super::super::types::{Id, Log};
use crate::columns::signed;
use crate::runs::{AttemptRows, Examined, RunRow, Standing, TokenOfBatch, reaches, run_columns};
use crate::{Batch, Error};

/// Writes a run if no record of the batch can be there: if the log `$14` is applied up to `$15`, where the batch begins, and none of its
/// requests, of which `$16` is the oldest, is in doubt. So it may be sent before that is known.
pub(super) const INSERT_NEW: &str = concat!(
    "INSERT INTO llm_token_runs (",
    run_columns!(),
    ") SELECT $1::uuid, $2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::bigint, $7::timestamptz, $8::text[], $9::text,
        $10::bigint[], $11::bigint[], $12::bytea, $13::bigint
    WHERE EXISTS (SELECT FROM wal_positions WHERE log_id = $14::bytea AND applied = $15::bigint
        AND (doubted_through IS NULL OR doubted_through < $16::uuid))"
);

pub(super) const INSERT: &str = concat!(
    "INSERT INTO llm_token_runs (",
    run_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
);

pub(super) const COPY: &str =
    concat!("COPY llm_token_runs (", run_columns!(), ") FROM STDIN WITH (FORMAT binary)");

/// Locked, so that nobody erases one meanwhile.
pub(super) const REQUESTS: &str = "SELECT request_id, erased_at IS NOT NULL, event_count FROM llm_requests
    WHERE request_id = ANY ($1) ORDER BY request_id FOR UPDATE";
pub(super) const ATTEMPTS: &str = "SELECT request_id, attempt_seq, started_seq, finished_seq, token_count
    FROM llm_attempts WHERE request_id = ANY ($1)";
/// Rows of which the batch may have a token: of an attempt from one `token_index` to another, or of its request from one `seq` to another.
pub(super) const OVERLAPPING: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
        AS reach (of_request, of_attempt, low_index, high_index, low_seq, high_seq)
    JOIN llm_token_runs ON request_id = of_request
        AND (first_seq <= high_seq AND last_seq >= low_seq
            OR attempt_seq = of_attempt AND first_token_index <= high_index
                AND first_token_index + token_count > low_index)"
);

/// Rows that are to be written.
#[derive(Debug)]
pub(super) struct Written<'a>(Vec<WrittenRun<'a>>);

impl<'a> Written<'a> {
    pub(super) fn new(rows: Vec<RunRow<'a>>) -> Result<Self, Error> {
        rows.into_iter().map(WrittenRun::new).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// By [`INSERT_NEW`]. Gives how many were written: all or none, but for what a trigger or a rule drops.
    pub(super) async fn insert_new(
        &self,
        session: &Session,
        statement: &Statement,
        batch: &Batch,
    ) -> Result<u64, tokio_postgres::Error> {
        let (client, log, from) = (session.client(), Log(batch.log), signed(batch.from));
        let Some(oldest) = batch.oldest_request().map(Id) else { return Ok(0) };
        let inserts = self.0.iter().map(|row| {
            let mut values = row.values().to_vec();
            values.extend([&log as &(dyn ToSql + Sync), &from, &oldest]);
            async move { client.execute(statement, &values).await }
        });
        Ok(try_join_all(inserts).await?.into_iter().sum())
    }

    /// Writes rows of which none is there, from `copy_from` rows on by `COPY`, which is quicker for many and takes two round trips more.
    pub(super) async fn insert(&self, session: &Session, copy_from: usize) -> Result<(), Failure> {
        let written = if self.len() >= copy_from {
            copy(session, &self.0).await?
        } else {
            let [insert] = session.statements([INSERT]).await?;
            let (client, insert) = (session.client(), &insert);
            let inserts = self.0.iter().map(|row| async move { client.execute(insert, &row.values()).await });
            try_join_all(inserts).await?.into_iter().sum()
        };
        self.expect(written)
    }

    /// An error unless all were written.
    pub(super) fn expect(&self, written: u64) -> Result<(), Failure> {
        if written == self.len() as u64 {
            return Ok(());
        }
        let lost =
            format!("{written} of {} runs of tokens were taken: a trigger or rule drops them", self.len());
        Err(Failure::Final(Error::Refused(lost)))
    }
}

async fn copy(session: &Session, rows: &[WrittenRun<'_>]) -> Result<u64, tokio_postgres::Error> {
    let [statement] = session.statements([COPY]).await?;
    let sink = session.client().copy_in(&statement).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &COLUMN_TYPES));
    for row in rows {
        writer.as_mut().write(&row.values()).await?;
    }
    writer.finish().await
}

/// What is to be written of tokens that may be there. What else the batch has must be there by now.
pub(super) async fn missing<'a>(
    session: &Session,
    tokens: &[TokenOfBatch<'a>],
) -> Result<Examined<'a>, Error> {
    let ids: HashSet<RequestId> = tokens.iter().map(|token| token.request_id).collect();
    let ids: Vec<Id> = ids.into_iter().map(Id).collect();
    let mut standing = Standing::default();
    for row in session.query(REQUESTS, &[&ids]).await? {
        standing.request(get::<Id>(&row, 0)?.0, get(&row, 1)?, optional_count(&row, 2)?);
    }
    for row in session.query(ATTEMPTS, &[&ids]).await? {
        let attempt = AttemptRows {
            attempt_seq: AttemptSeq(narrow(&row, 1, count(&row, 1)?)?),
            started_seq: Seq(count(&row, 2)?),
            finished_seq: optional_count(&row, 3)?.map(Seq),
            token_count: optional_count(&row, 4)?,
        };
        standing.attempt(get::<Id>(&row, 0)?.0, attempt);
    }
    let reaches = reaches(tokens);
    let ids: Vec<Id> = reaches.iter().map(|reach| Id(reach.request_id)).collect();
    let attempts: Vec<i64> = reaches.iter().map(|reach| reach.attempt_seq.0.into()).collect();
    let low_indexes: Vec<i64> = reaches.iter().map(|reach| signed(reach.token_indexes.0.0)).collect();
    let high_indexes: Vec<i64> = reaches.iter().map(|reach| signed(reach.token_indexes.1.0)).collect();
    let low_seqs: Vec<i64> = reaches.iter().map(|reach| signed(reach.seqs.0.0)).collect();
    let high_seqs: Vec<i64> = reaches.iter().map(|reach| signed(reach.seqs.1.0)).collect();
    let overlapping = session
        .query(OVERLAPPING, &[&ids, &attempts, &low_indexes, &high_indexes, &low_seqs, &high_seqs])
        .await?;
    for row in overlapping {
        match runs::read(&row) {
            Ok(run) => standing.run(&run),
            Err(error) => standing.unreadable_run(get::<Id>(&row, 0)?.0, runs::place(&row)?, &error),
        }
    }
    Ok(standing.examine(tokens))
}
