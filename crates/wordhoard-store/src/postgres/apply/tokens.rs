//! Tokens by one array a column. Quicker than `COPY` for few rows, and the way for rows that may be there already.

use tokio_postgres::Statement;

use super::super::session::Session;
use super::super::text::Written;
use super::super::types::{Id, Moment};
use super::rows::TokenRow;

pub(super) const INSERT: &str =
    "INSERT INTO llm_token_log (request_id, attempt_seq, token_index, seq, at, kind, text, envelope)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[],
        $8::text[])
    ON CONFLICT DO NOTHING";

/// Tokens in one statement.
pub(super) const CHUNK: usize = 4096;

/// Up to [`CHUNK`] tokens as parameters.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    id: Vec<Id>,
    attempt_seq: Vec<i64>,
    token_index: Vec<i64>,
    seq: Vec<i64>,
    at: Vec<Moment>,
    kind: Vec<&'static str>,
    text: Vec<Written<&'a str>>,
    envelope: Vec<Option<Written<&'a str>>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(tokens: &[TokenRow<'a>]) -> Self {
        Self {
            id: tokens.iter().map(|token| token.id).collect(),
            attempt_seq: tokens.iter().map(|token| token.attempt_seq).collect(),
            token_index: tokens.iter().map(|token| token.token_index).collect(),
            seq: tokens.iter().map(|token| token.seq).collect(),
            at: tokens.iter().map(|token| token.at).collect(),
            kind: tokens.iter().map(|token| token.kind).collect(),
            text: tokens.iter().map(|token| token.text).collect(),
            envelope: tokens.iter().map(|token| token.envelope).collect(),
        }
    }

    /// How many were new.
    pub(super) async fn insert(
        &self,
        session: &Session,
        statement: &Statement,
    ) -> Result<u64, tokio_postgres::Error> {
        let Self { id, attempt_seq, token_index, seq, at, kind, text, envelope } = self;
        session
            .client()
            .execute(statement, &[id, attempt_seq, token_index, seq, at, kind, text, envelope])
            .await
    }

    /// The places in the chunk of those that are not there as they are here.
    pub(super) async fn differing(
        &self,
        session: &Session,
        statement: &Statement,
    ) -> Result<Vec<usize>, tokio_postgres::Error> {
        let Self { id, attempt_seq, token_index, seq, at, kind, text, envelope } = self;
        let rows = session
            .client()
            .query(statement, &[id, attempt_seq, token_index, seq, at, kind, text, envelope])
            .await?;
        let place = |row: &tokio_postgres::Row| Ok(row.try_get::<_, i64>(0)?.unsigned_abs() as usize - 1);
        rows.iter().map(place).collect()
    }
}
