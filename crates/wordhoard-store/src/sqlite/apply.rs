//! Events to rows, with the applied position in the same transaction.

mod tokens;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use wordhoard_model::{
    AttemptFinished, AttemptStarted, Event, EventBody, KeyId, RequestCreated, RequestFinished, RequestId, Seq,
};

use super::rows::{damaged, fallback_to_json, lanes_to_json, signed, unsigned, usage_columns};
use crate::columns::{rest_document, rest_events, usage_details_column};
use crate::runs::{is_in_order, tokens_of};
use crate::{Applied, Batch, Conflict, Error, LogKey, LoggedEvent};

/// How far a log is applied, and what else is known of it.
#[derive(Debug, Default)]
struct LogRow {
    applied: u64,
    doubted_through: Option<RequestId>,
    is_retired: bool,
}

pub(super) fn applied(connection: &Connection, log: LogKey) -> Result<u64, rusqlite::Error> {
    let mut statement = connection.prepare_cached("SELECT applied FROM wal_positions WHERE log_id = ?1")?;
    let position: Option<i64> = statement.query_row([log.0], |row| row.get(0)).optional()?;
    Ok(position.map_or(0, unsigned))
}

fn log_row(connection: &Connection, log: LogKey) -> Result<LogRow, rusqlite::Error> {
    let sql = "SELECT applied, doubted_through, retired_at IS NOT NULL FROM wal_positions WHERE log_id = ?1";
    let row = connection.prepare_cached(sql)?.query_row([log.0], |row| {
        let doubted_through: Option<[u8; 16]> = row.get(1)?;
        Ok(LogRow {
            applied: unsigned(row.get(0)?),
            doubted_through: doubted_through.map(RequestId::from_bytes),
            is_retired: row.get(2)?,
        })
    });
    Ok(row.optional()?.unwrap_or_default())
}

pub(super) fn apply(connection: &mut Connection, batch: &Batch) -> Result<Applied, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let log = log_row(&transaction, batch.log)?;
    if log.is_retired {
        return Err(Error::LogRetired);
    }
    if batch.from > log.applied {
        return Err(Error::Gap { from: batch.from, applied: log.applied });
    }
    let is_all_new = batch.is_all_new(log.applied, log.doubted_through) && is_in_order(batch);
    let (transaction, outcome) = match write(&transaction, batch, is_all_new) {
        // A row is there that nothing speaks of: each token is looked at by itself.
        Err(error) if is_all_new && is_doubled(&error) => {
            transaction.rollback()?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let outcome = write(&transaction, batch, false)?;
            (transaction, outcome)
        }
        written => (transaction, written?),
    };
    if batch.through > log.applied {
        transaction
            .prepare_cached(
                "INSERT INTO wal_positions (log_id, applied) VALUES (?1, ?2)
                 ON CONFLICT (log_id) DO UPDATE SET applied = excluded.applied",
            )?
            .execute((batch.log.0, signed(batch.through)))?;
    }
    transaction.commit()?;
    Ok(outcome)
}

fn is_doubled(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
}

/// Tokens come after everything else: what else an attempt has bounds its tokens.
fn write(tx: &Transaction<'_>, batch: &Batch, is_all_new: bool) -> Result<Applied, rusqlite::Error> {
    let mut outcome = Applied::default();
    let mut conflicts = Vec::new();
    for (place, LoggedEvent { request_id, event, .. }) in batch.events.iter().enumerate() {
        match insert(tx, batch.log, *request_id, event)? {
            None => {}
            Some(Place::New) => outcome.inserted += 1,
            Some(Place::Same) => outcome.already_there += 1,
            Some(Place::Taken(what)) => conflicts.push((place, Conflict { request_id: *request_id, what })),
        }
    }
    let tokens = tokens_of(batch);
    let count = tokens.len() as u64;
    if is_all_new {
        tokens::insert(tx, tokens)?;
        outcome.inserted += count;
    } else {
        let mut examined = tokens::insert_missing(tx, &tokens)?;
        outcome.inserted += examined.new;
        outcome.already_there += count - examined.new - examined.conflicts.len() as u64;
        conflicts.append(&mut examined.conflicts);
    }
    conflicts.sort_by_key(|(place, _)| *place);
    outcome.conflicts = conflicts.into_iter().map(|(_, conflict)| conflict).collect();
    Ok(outcome)
}

pub(super) fn rewind(connection: &Connection, log: LogKey, to: u64) -> Result<(), Error> {
    let sql =
        "UPDATE wal_positions SET applied = ?2, doubted_through = (SELECT max(request_id) FROM llm_requests)
               WHERE log_id = ?1 AND applied > ?2";
    connection.prepare_cached(sql)?.execute((log.0, signed(to)))?;
    Ok(())
}

/// What was found in the place of an event.
enum Place {
    New,
    Same,
    Taken(String),
}

impl Place {
    fn of(
        changed_rows: usize,
        same: impl FnOnce() -> Result<bool, rusqlite::Error>,
        what: impl Fn() -> String,
    ) -> Result<Self, rusqlite::Error> {
        if changed_rows == 1 {
            return Ok(Self::New);
        }
        Ok(if same()? { Self::Same } else { Self::Taken(what()) })
    }
}

/// None of a token.
fn insert(
    tx: &Transaction<'_>,
    log: LogKey,
    id: RequestId,
    event: &Event,
) -> Result<Option<Place>, rusqlite::Error> {
    Ok(Some(match &event.body {
        EventBody::RequestCreated(created) => insert_request(tx, log, id, event, created)?,
        EventBody::AttemptStarted(started) => insert_attempt(tx, id, event, started)?,
        EventBody::Token(_) => return Ok(None),
        EventBody::AttemptFinished(finished) => finish_attempt(tx, id, event, finished)?,
        EventBody::RequestFinished(finished) => finish_request(tx, id, event, finished)?,
    }))
}

/// Whether SQL already tells this very event. The row is read back through the reader's own code, so that what is
/// compared is what a client would see.
fn same_event(tx: &Transaction<'_>, id: RequestId, event: &Event) -> Result<bool, rusqlite::Error> {
    match super::events::events(tx, id, event.seq, 1) {
        Ok(found) => Ok(found.first() == Some(event)),
        // Nothing of it is there to be compared, nor to be put back.
        Err(Error::Erased) => Ok(true),
        Err(error) => Err(damaged(0, error)),
    }
}

fn insert_request(
    tx: &Transaction<'_>,
    log: LogKey,
    id: RequestId,
    event: &Event,
    created: &RequestCreated,
) -> Result<Place, rusqlite::Error> {
    let prompt = &created.prompt;
    let extra = serde_json::to_string(&prompt.parameters.extra).map_err(|error| damaged(0, error))?;
    let lanes = lanes_to_json(&created.lanes).map_err(|error| damaged(0, error))?;
    let fallback = fallback_to_json(&created.fallback).map_err(|error| damaged(0, error))?;
    let rows = tx
        .prepare_cached(
            "INSERT INTO llm_requests (request_id, log_id, created_at, prompt, system_message, max_tokens,
                 temperature, parameters, lanes, idempotency_key, idempotency_sha256, fallback, key_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            id.as_bytes(),
            log.0,
            event.at.as_millis(),
            prompt.text,
            prompt.system_message,
            prompt.parameters.max_tokens,
            prompt.parameters.temperature,
            extra,
            lanes,
            created.idempotency.as_ref().map(|idempotency| &idempotency.key),
            created.idempotency.as_ref().map(|idempotency| idempotency.body_sha256),
            fallback,
            created.key.as_ref().map(KeyId::as_bytes),
        ])?;
    Place::of(rows, || same_event(tx, id, event), || "another request under this id".to_owned())
}

fn insert_attempt(
    tx: &Transaction<'_>,
    id: RequestId,
    event: &Event,
    started: &AttemptStarted,
) -> Result<Place, rusqlite::Error> {
    let rows = tx
        .prepare_cached(
            "INSERT INTO llm_attempts (request_id, attempt_seq, lane, provider, model, continues_attempt_seq,
                 continues_token_index, started_seq, started_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            id.as_bytes(),
            started.attempt_seq.0,
            started.lane.0,
            started.model.provider.as_str(),
            started.model.model,
            started.continues.map(|continues| continues.attempt_seq.0),
            started.continues.map(|continues| signed(continues.token_index.0)),
            signed(event.seq.0),
            event.at.as_millis(),
        ])?;
    Place::of(rows, || same_event(tx, id, event), || format!("another attempt {}", started.attempt_seq))
}

fn finish_attempt(
    tx: &Transaction<'_>,
    id: RequestId,
    event: &Event,
    finished: &AttemptFinished,
) -> Result<Place, rusqlite::Error> {
    let usage = usage_columns(finished.usage);
    let failure = finished.failure.as_ref();
    let rows = tx
        .prepare_cached(
            "UPDATE llm_attempts SET status = ?3, finished_seq = ?4, finished_at = ?5, finish_reason = ?6,
                 token_count = ?7, answered_by = ?8, input_tokens = ?9, output_tokens = ?10, reasoning_tokens = ?11,
                 cached_input_tokens = ?12, failure_class = ?13, failure_message = ?14,
                 failure_provider_status = ?15, failure_retry_after_ms = ?16, cost_nano_usd = ?17, rest_events = ?18,
                 provider_finish_reason = ?19, usage_details = ?20, rest_document = ?21
             WHERE request_id = ?1 AND attempt_seq = ?2 AND finished_seq IS NULL",
        )?
        .execute(params![
            id.as_bytes(),
            finished.attempt_seq.0,
            finished.outcome.as_str(),
            signed(event.seq.0),
            event.at.as_millis(),
            finished.finish_reason.as_ref().map(|reason| &reason.0),
            signed(finished.token_count),
            finished.answered_by,
            usage[0],
            usage[1],
            usage[2],
            usage[3],
            failure.map(|failure| failure.class.as_str()),
            failure.map(|failure| &failure.message),
            failure.and_then(|failure| failure.provider_status),
            failure.and_then(|failure| failure.retry_after_ms).map(signed),
            finished.cost.map(|cost| signed(cost.nano_usd())),
            rest_events(&finished.rest),
            finished.provider_finish_reason,
            usage_details_column(finished.usage),
            rest_document(&finished.rest),
        ])?;
    Place::of(
        rows,
        || same_event(tx, id, event),
        || format!("another end of attempt {}", finished.attempt_seq),
    )
}

fn finish_request(
    tx: &Transaction<'_>,
    id: RequestId,
    event: &Event,
    finished: &RequestFinished,
) -> Result<Place, rusqlite::Error> {
    let (usage, failed) = (usage_columns(finished.usage), usage_columns(finished.failed_usage));
    let Seq(event_count) = event.seq.next();
    let rows = tx
        .prepare_cached(
            "UPDATE llm_requests SET status = ?2, finished_at = ?3, event_count = ?4, lanes_completed = ?5,
                 attempt_count = ?6, token_count = ?7, input_tokens = ?8, output_tokens = ?9, reasoning_tokens = ?10,
                 cached_input_tokens = ?11, failed_input_tokens = ?12, failed_output_tokens = ?13,
                 failed_reasoning_tokens = ?14, failed_cached_input_tokens = ?15, cost_nano_usd = ?16
             WHERE request_id = ?1 AND event_count IS NULL",
        )?
        .execute(params![
            id.as_bytes(),
            finished.outcome.as_str(),
            event.at.as_millis(),
            signed(event_count),
            finished.lanes_completed,
            finished.attempt_count,
            signed(finished.token_count),
            usage[0],
            usage[1],
            usage[2],
            usage[3],
            failed[0],
            failed[1],
            failed[2],
            failed[3],
            finished.cost.map(|cost| signed(cost.nano_usd())),
        ])?;
    Place::of(rows, || same_event(tx, id, event), || "another end of the request".to_owned())
}
