use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use wordhoard_model::{RequestId, Timestamp};

use super::SqliteStore;
use crate::Error;
use crate::erasure::{Erasing, Erasure};

#[async_trait]
impl Erasing for SqliteStore {
    async fn erase(&self, id: RequestId, at: Timestamp) -> Result<Erasure, Error> {
        self.writer.run(move |connection| erase(connection, id, at)).await
    }

    async fn erased_of(&self, mut ids: Vec<RequestId>) -> Result<Vec<RequestId>, Error> {
        self.read(move |snapshot| {
            let erased: Result<Vec<bool>, _> = ids.iter().map(|id| is_erased(snapshot, *id)).collect();
            let mut erased = erased?.into_iter();
            ids.retain(|_| erased.next().unwrap_or_default());
            Ok(ids)
        })
        .await
    }
}

pub(super) fn is_erased(tx: &Transaction<'_>, id: RequestId) -> Result<bool, rusqlite::Error> {
    let sql = "SELECT 1 FROM llm_requests WHERE request_id = ?1 AND erased_at IS NOT NULL";
    tx.prepare_cached(sql)?.exists([id.as_bytes()])
}

fn erase(connection: &mut Connection, id: RequestId, at: Timestamp) -> Result<Erasure, Error> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "SELECT status = 'running' FROM llm_requests WHERE request_id = ?1 AND erased_at IS NULL";
    match tx.query_row(sql, [id.as_bytes()], |row| row.get(0)).optional()? {
        None => return Ok(Erasure::Unknown),
        Some(true) => return Ok(Erasure::Running),
        Some(false) => {}
    }
    tx.execute(
        "UPDATE llm_requests SET erased_at = ?2, prompt = '', system_message = NULL, parameters = '{}',
             idempotency_key = NULL, idempotency_sha256 = NULL WHERE request_id = ?1",
        (id.as_bytes(), at.as_millis()),
    )?;
    tx.execute(
        "UPDATE llm_attempts SET rest_events = NULL, rest_document = NULL, failure_message = iif(failure_message IS NULL, NULL, '')
         WHERE request_id = ?1",
        [id.as_bytes()],
    )?;
    tx.execute(
        "UPDATE llm_token_runs SET events = NULL, events_crc = NULL,
             texts = '[' || substr(replace(hex(zeroblob(token_count)), '00', ',\"\"'), 2) || ']' WHERE request_id = ?1",
        [id.as_bytes()],
    )?;
    tx.commit()?;
    Ok(Erasure::Done)
}
