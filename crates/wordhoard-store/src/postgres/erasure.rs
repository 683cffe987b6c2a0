use async_trait::async_trait;
use wordhoard_model::{RequestId, Timestamp};

use super::rows::get;
use super::session::Session;
use super::types::{Id, Moment};
use super::{PostgresStore, limits};
use crate::Error;
use crate::erasure::{Erasing, Erasure};

/// A long answer has many rows.
const BEGIN: &str = "BEGIN; SET LOCAL statement_timeout = '25s'";
/// Locks the row, so that two who erase do it one after the other.
const FOUND: &str =
    "SELECT status = 'running' FROM llm_requests WHERE request_id = $1 AND erased_at IS NULL FOR UPDATE";
const REQUEST: &str =
    "UPDATE llm_requests SET erased_at = $2, prompt = '', system_message = NULL, parameters = '{}',
        idempotency_key = NULL, idempotency_sha256 = NULL WHERE request_id = $1";
const ATTEMPTS: &str = "UPDATE llm_attempts SET rest_events = NULL, rest_document = NULL,
        failure_message = CASE WHEN failure_message IS NULL THEN NULL ELSE '' END WHERE request_id = $1";
const RUNS: &str =
    "UPDATE llm_token_runs SET events = NULL, events_crc = NULL, texts = array_fill(''::text, ARRAY[cardinality(texts)])
    WHERE request_id = $1";
const ERASED: &str =
    "SELECT request_id FROM llm_requests WHERE request_id = ANY ($1) AND erased_at IS NOT NULL";

/// All of them, to be prepared by a test.
#[cfg(test)]
pub(super) const ALL: [&str; 5] = [FOUND, REQUEST, ATTEMPTS, RUNS, ERASED];

#[async_trait]
impl Erasing for PostgresStore {
    async fn erase(&self, id: RequestId, at: Timestamp) -> Result<Erasure, Error> {
        self.limited(limits::APPLY, move |session| Box::pin(erase(session, id, at))).await
    }

    async fn erased_of(&self, ids: Vec<RequestId>) -> Result<Vec<RequestId>, Error> {
        self.short(move |session| Box::pin(erased_of(session, ids))).await
    }
}

/// If it fails, the connection is thrown away, and the transaction with it.
async fn erase(session: &Session, id: RequestId, at: Timestamp) -> Result<Erasure, Error> {
    let (id, at) = (Id(id), Moment::of(at)?);
    session.client().batch_execute(BEGIN).await?;
    let found = session.query(FOUND, &[&id]).await?;
    let running = found.first().map(|row| get::<bool>(row, 0)).transpose()?;
    if running == Some(false) {
        session.execute(REQUEST, &[&id, &at]).await?;
        session.execute(ATTEMPTS, &[&id]).await?;
        session.execute(RUNS, &[&id]).await?;
    }
    session.client().batch_execute("COMMIT").await?;
    Ok(match running {
        None => Erasure::Unknown,
        Some(true) => Erasure::Running,
        Some(false) => Erasure::Done,
    })
}

async fn erased_of(session: &Session, ids: Vec<RequestId>) -> Result<Vec<RequestId>, Error> {
    let ids: Vec<Id> = ids.into_iter().map(Id).collect();
    session.query(ERASED, &[&ids]).await?.iter().map(|row| Ok(get::<Id>(row, 0)?.0)).collect()
}
