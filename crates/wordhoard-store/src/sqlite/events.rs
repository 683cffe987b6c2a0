//! Rows to events.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, Continues, Cost, Event, EventBody, Failure, FailureClass,
    FinishReason, Idempotency, KeyId, Lane, ModelRef, Outcome, Parameters, Prompt, ProviderName,
    RequestCreated, RequestFinished, RequestId, RequestStatus, Seq, Timestamp, TokenIndex, Usage,
};

use super::rows::{damaged, lanes_from_json, named, signed, unsigned, usage};
use super::runs;
use crate::Error;
use crate::columns::{MAX_SEARCHED_REQUESTS, call_id_fragment, fallback_from_json, rest, usage_details};
use crate::runs::{from_runs_between, run_columns};

const RUNS: &str = concat!("SELECT ", run_columns!(), from_runs_between!());

/// The events from `from` on. SQL holds a prefix of a request's events, since they are applied in the order of the
/// log, so what is found from `from` on has no gap.
pub(super) fn events(
    snapshot: &Transaction<'_>,
    id: RequestId,
    from: Seq,
    limit: usize,
) -> Result<Vec<Event>, Error> {
    let mut events = request_events(snapshot, id)?;
    if events.is_empty() {
        return Ok(events);
    }
    attempt_events(snapshot, id, &mut events)?;
    events.retain(|event| event.seq >= from);
    token_events(snapshot, id, from, limit, &mut events)?;
    events.sort_unstable_by_key(|event| event.seq);
    events.truncate(limit);
    Ok(events)
}

/// See [`Store::answer_with_call`](crate::Store::answer_with_call).
pub(super) fn answer_with_call(
    snapshot: &Transaction<'_>,
    owner: Option<KeyId>,
    call_id: &str,
    not_before: Timestamp,
) -> Result<Option<(RequestId, AttemptSeq)>, Error> {
    let sql = "SELECT request_id, attempt_seq FROM llm_token_runs AS run
               WHERE request_id IN (SELECT request_id FROM llm_requests WHERE key_id IS ?1 AND created_at >= ?2
                       ORDER BY request_id DESC LIMIT ?3)
                   AND instr(kinds, 'c') > 0
                   AND EXISTS (SELECT 1 FROM json_each(run.texts) AS token
                       WHERE substr(run.kinds, token.key + 1, 1) = 'c' AND instr(token.value, ?4) > 0)
               ORDER BY request_id DESC, attempt_seq DESC LIMIT 1";
    let owner = owner.map(|owner| owner.as_bytes().to_vec());
    let fragment = call_id_fragment(call_id);
    let mut statement = snapshot.prepare_cached(sql)?;
    let found = statement
        .query_row(params![owner, not_before.as_millis(), MAX_SEARCHED_REQUESTS, fragment], |row| {
            let id: [u8; 16] = row.get(0)?;
            Ok((RequestId::from_bytes(id), AttemptSeq(row.get(1)?)))
        })
        .optional()?;
    Ok(found)
}

fn request_events(snapshot: &Transaction<'_>, id: RequestId) -> Result<Vec<Event>, Error> {
    let sql = "SELECT created_at, prompt, system_message, max_tokens, temperature, parameters, lanes, idempotency_key,
                   idempotency_sha256, status, finished_at, event_count, lanes_completed, attempt_count, token_count,
                   input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, failed_input_tokens,
                   failed_output_tokens, failed_reasoning_tokens, failed_cached_input_tokens, cost_nano_usd, fallback,
                   key_id, erased_at IS NOT NULL
               FROM llm_requests WHERE request_id = ?1";
    let mut statement = snapshot.prepare_cached(sql)?;
    let found = statement
        .query_row([id.as_bytes()], |row| {
            Ok((created_event(row)?, request_finished_event(row)?, row.get(26)?))
        })
        .optional()?;
    let (created, finished) = match found {
        None => return Ok(Vec::new()),
        Some((.., true)) => return Err(Error::Erased),
        Some((created, finished, false)) => (created, finished),
    };
    Ok(std::iter::once(created).chain(finished).collect())
}

fn created_event(row: &Row<'_>) -> Result<Event, rusqlite::Error> {
    let extra: String = row.get(5)?;
    let parameters = Parameters {
        max_tokens: row.get(3)?,
        temperature: row.get(4)?,
        extra: serde_json::from_str(&extra).map_err(|error| damaged(5, error))?,
    };
    let idempotency = match row.get::<_, Option<String>>(7)? {
        None => None,
        Some(key) => Some(Idempotency { key, body_sha256: row.get(8)? }),
    };
    let prompt = Prompt { text: row.get(1)?, system_message: row.get(2)?, parameters };
    let fallback = fallback_from_json(row.get::<_, Option<String>>(24)?.as_deref());
    let fallback = fallback.map_err(|error| damaged(24, error))?;
    let key = row.get::<_, Option<[u8; 16]>>(25)?.map(KeyId::from_bytes);
    let created = RequestCreated { prompt, lanes: lanes_from_json(row, 6)?, idempotency, fallback, key };
    let at = Timestamp::from_millis(row.get(0)?);
    Ok(Event { seq: Seq::FIRST, at, body: EventBody::RequestCreated(Arc::new(created)) })
}

fn request_finished_event(row: &Row<'_>) -> Result<Option<Event>, rusqlite::Error> {
    let RequestStatus::Finished(outcome) = named(row, 9, RequestStatus::from_name)? else {
        return Ok(None);
    };
    let finished = RequestFinished {
        outcome,
        lanes_completed: row.get(12)?,
        attempt_count: row.get(13)?,
        token_count: unsigned(row.get(14)?),
        usage: usage(row, 15)?,
        failed_usage: usage(row, 19)?,
        cost: cost(row, 23)?,
    };
    let seq = Seq(unsigned(row.get::<_, i64>(11)? - 1));
    let at = Timestamp::from_millis(row.get(10)?);
    Ok(Some(Event { seq, at, body: EventBody::RequestFinished(Box::new(finished)) }))
}

fn cost(row: &Row<'_>, column: usize) -> Result<Option<Cost>, rusqlite::Error> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|nanos| Cost::from_nano_usd(unsigned(nanos))))
}

fn attempt_events(snapshot: &Transaction<'_>, id: RequestId, events: &mut Vec<Event>) -> Result<(), Error> {
    let sql = "SELECT attempt_seq, lane, provider, model, continues_attempt_seq, continues_token_index, started_seq,
                   started_at, status, finished_seq, finished_at, finish_reason, token_count, answered_by,
                   input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, failure_class, failure_message,
                   failure_provider_status, failure_retry_after_ms, cost_nano_usd, rest_events,
                   provider_finish_reason, usage_details, rest_document
               FROM llm_attempts WHERE request_id = ?1";
    let mut statement = snapshot.prepare_cached(sql)?;
    let mut rows = statement.query([id.as_bytes()])?;
    while let Some(row) = rows.next()? {
        events.push(started_event(row)?);
        events.extend(attempt_finished_event(row)?);
    }
    Ok(())
}

fn started_event(row: &Row<'_>) -> Result<Event, rusqlite::Error> {
    let provider = ProviderName::new(&row.get::<_, String>(2)?).map_err(|error| damaged(2, error))?;
    let model = ModelRef::new(provider, &row.get::<_, String>(3)?).map_err(|error| damaged(3, error))?;
    let continues = match row.get::<_, Option<u32>>(4)? {
        None => None,
        Some(attempt) => Some(Continues {
            attempt_seq: AttemptSeq(attempt),
            token_index: TokenIndex(unsigned(row.get(5)?)),
        }),
    };
    let attempt_seq = AttemptSeq(row.get(0)?);
    let started = AttemptStarted { attempt_seq, lane: Lane(row.get(1)?), model, continues };
    let at = Timestamp::from_millis(row.get(7)?);
    Ok(Event { seq: Seq(unsigned(row.get(6)?)), at, body: EventBody::AttemptStarted(Box::new(started)) })
}

fn attempt_finished_event(row: &Row<'_>) -> Result<Option<Event>, rusqlite::Error> {
    let Some(seq) = row.get::<_, Option<i64>>(9)? else {
        return Ok(None);
    };
    let failure = match row.get::<_, Option<String>>(18)? {
        None => None,
        Some(_) => Some(Failure {
            class: named(row, 18, FailureClass::from_name)?,
            message: row.get(19)?,
            provider_status: row.get(20)?,
            retry_after_ms: row.get::<_, Option<i64>>(21)?.map(unsigned),
        }),
    };
    let finished = AttemptFinished {
        attempt_seq: AttemptSeq(row.get(0)?),
        outcome: named(row, 8, Outcome::from_name)?,
        finish_reason: row.get::<_, Option<String>>(11)?.map(FinishReason),
        usage: match usage(row, 14)? {
            None => None,
            Some(usage) => {
                let told: Option<String> = row.get(25)?;
                let details = usage_details(told.as_deref()).map_err(|error| damaged(25, error))?;
                Some(Usage { details, ..usage })
            }
        },
        cost: cost(row, 22)?,
        token_count: unsigned(row.get(12)?),
        answered_by: row.get(13)?,
        failure,
        rest: rest(row.get(23)?, row.get(26)?),
        provider_finish_reason: row.get(24)?,
    };
    let at = Timestamp::from_millis(row.get(10)?);
    Ok(Some(Event { seq: Seq(unsigned(seq)), at, body: EventBody::AttemptFinished(Box::new(finished)) }))
}

fn token_events(
    snapshot: &Transaction<'_>,
    id: RequestId,
    from: Seq,
    limit: usize,
    events: &mut Vec<Event>,
) -> Result<(), Error> {
    let end = Seq(from.0.saturating_add(limit as u64));
    let mut statement = snapshot.prepare_cached(RUNS)?;
    let mut rows = statement.query((id.as_bytes(), signed(from.0), signed(end.0)))?;
    while let Some(row) = rows.next()? {
        let tokens = runs::read(row)?.events().map_err(|error| damaged(7, error))?;
        events.extend(tokens.into_iter().filter(|event| (from..end).contains(&event.seq)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params_from_iter};

    use super::super::migrate;
    use super::*;

    /// However long an answer is, a page of it reads the rows that it shows.
    #[test]
    fn a_page_is_found_by_the_key() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate::run(&mut connection, Timestamp::from_millis(1)).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {RUNS}")).unwrap();
        let values = vec![rusqlite::types::Null; statement.parameter_count()];
        let steps = statement.query_map(params_from_iter(values), |row| row.get(3)).unwrap();
        let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        let by_key = |table: &str, bounds: &str| {
            let start = format!("SEARCH {table} USING INDEX sqlite_autoindex_");
            steps.iter().any(|step| step.starts_with(&start) && step.ends_with(bounds))
        };
        let key = "(request_id=? AND attempt_seq=? AND first_token_index";
        assert!(by_key("llm_attempts", "(request_id=?)"), "{steps:?}");
        assert!(by_key("llm_token_runs", &format!("{key}>? AND first_token_index<?)")), "{steps:?}");
        assert!(by_key("before", &format!("{key}<?)")), "{steps:?}");
        assert!(
            !steps.iter().any(|step| step.contains("TEMP B-TREE") || step.starts_with("SCAN")),
            "{steps:?}"
        );
    }
}
