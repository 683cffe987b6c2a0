//! Rows to events.

use std::sync::Arc;

use tokio_postgres::Row;
use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, Continues, Cost, Event, EventBody, Failure, FailureClass,
    FinishReason, Idempotency, KeyId, Lane, ModelRef, Outcome, Parameters, Prompt, ProviderName,
    RequestCreated, RequestFinished, RequestId, RequestStatus, Seq, Timestamp, TokenIndex, Usage,
};

use super::rows::{count, damaged, get, lanes, named, narrow, optional_count, optional_text, text, usage};
use super::runs;
use super::session::{Params, Session};
use super::types::{Id, Key, Moment, Sha256};
use crate::Error;
use crate::columns::{MAX_SEARCHED_REQUESTS, fallback_from_json, rest, signed, usage_details};
use crate::runs::{from_runs_between, run_columns};

macro_rules! request_columns {
    () => {
        "request_id, created_at, prompt, system_message, max_tokens, temperature, parameters, lanes, idempotency_key,
             idempotency_sha256, status, finished_at, event_count, lanes_completed, attempt_count, token_count,
             input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, failed_input_tokens,
             failed_output_tokens, failed_reasoning_tokens, failed_cached_input_tokens, cost_nano_usd, fallback,
             key_id, erased_at IS NOT NULL"
    };
}

macro_rules! attempt_columns {
    () => {
        "request_id, attempt_seq, lane, provider, model, continues_attempt_seq, continues_token_index, started_seq,
             started_at, status, finished_seq, finished_at, finish_reason, token_count, answered_by, input_tokens,
             output_tokens, reasoning_tokens, cached_input_tokens, failure_class, failure_message,
             failure_provider_status, failure_retry_after_ms, cost_nano_usd, rest_events, provider_finish_reason,
             usage_details, rest_document"
    };
}

/// One consistent state for the three queries: what is applied in between shows in none of them.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// The rows of some requests without their tokens.
pub(super) const REQUESTS: &str =
    concat!("SELECT ", request_columns!(), " FROM llm_requests WHERE request_id = ANY ($1)");
pub(super) const ATTEMPTS: &str =
    concat!("SELECT ", attempt_columns!(), " FROM llm_attempts WHERE request_id = ANY ($1)");
pub(super) const RUNS: &str = concat!("SELECT ", run_columns!(), from_runs_between!());

const ANSWER_WITH_CALL: &str = "SELECT request_id, attempt_seq FROM llm_token_runs AS run
    WHERE request_id IN (SELECT request_id FROM llm_requests WHERE key_id IS NOT DISTINCT FROM $1 AND created_at >= $2
            ORDER BY request_id DESC LIMIT $3)
        AND strpos(kinds, 'c') > 0
        AND EXISTS (SELECT FROM unnest(run.texts) WITH ORDINALITY AS token (text, place)
            WHERE substr(run.kinds, token.place::integer, 1) = 'c' AND strpos(token.text, $4) > 0)
    ORDER BY request_id DESC, attempt_seq DESC LIMIT 1";

/// See [`Store::answer_with_call`](crate::Store::answer_with_call). The fragment is how a call writes its id.
pub(super) async fn answer_with_call(
    session: &Session,
    owner: Option<KeyId>,
    fragment: String,
    not_before: Timestamp,
) -> Result<Option<(RequestId, AttemptSeq)>, Error> {
    let params: Params<'_> = &[&owner.map(Key), &Moment::of(not_before)?, &MAX_SEARCHED_REQUESTS, &fragment];
    let rows = session.query(ANSWER_WITH_CALL, params).await?;
    match rows.first() {
        Some(row) => Ok(Some((get::<Id>(row, 0)?.0, attempt_seq(row, 1)?))),
        None => Ok(None),
    }
}

/// The events from `from` on. SQL holds a prefix of a request's events, since they are applied in the order of the
/// log, so what is found from `from` on has no gap.
pub(super) async fn events(
    session: &Session,
    id: RequestId,
    from: Seq,
    limit: usize,
) -> Result<Vec<Event>, Error> {
    let end = Seq(from.0.saturating_add(limit as u64));
    let [requests, attempts, runs] = session.statements([REQUESTS, ATTEMPTS, RUNS]).await?;
    let (client, ids) = (session.client(), [Id(id)]);
    let (ids, id, from_seq, end_seq) = (ids.as_slice(), Id(id), signed(from.0), signed(end.0));
    let (by_ids, page): (Params<'_>, Params<'_>) = (&[&ids], &[&id, &from_seq, &end_seq]);
    let (_, requests, attempts, runs, _) = tokio::try_join!(
        biased;
        client.batch_execute(BEGIN),
        client.query(&requests, by_ids),
        client.query(&attempts, by_ids),
        client.query(&runs, page),
        client.batch_execute("COMMIT"),
    )?;
    if let Some(row) = requests.first()
        && is_erased(row)?
    {
        return Err(Error::Erased);
    }
    let mut events: Vec<_> = framing(&requests, &attempts)?.map(|(_, event)| event).collect();
    events.retain(|event| event.seq >= from);
    for row in &runs {
        let tokens = runs::read(row)?.events().map_err(|error| damaged(row, 7, error))?;
        events.extend(tokens.into_iter().filter(|event| (from..end).contains(&event.seq)));
    }
    events.sort_unstable_by_key(|event| event.seq);
    events.truncate(limit);
    Ok(events)
}

/// Whether what the request of a row of [`REQUESTS`] said was erased. A mark that cannot be read is an error: what may have been
/// erased is never shown.
pub(super) fn is_erased(row: &Row) -> Result<bool, Error> {
    get(row, 27)
}

/// All events of these rows, each with its request.
pub(super) fn framing(
    requests: &[Row],
    attempts: &[Row],
) -> Result<impl Iterator<Item = (RequestId, Event)> + use<>, Error> {
    let mut events = Vec::with_capacity(2 * (requests.len() + attempts.len()));
    for row in requests {
        let Id(id) = get(row, 0)?;
        events.push((id, created_event(row)?));
        events.extend(request_finished_event(row)?.map(|event| (id, event)));
    }
    for row in attempts {
        let Id(id) = get(row, 0)?;
        events.push((id, started_event(row)?));
        events.extend(attempt_finished_event(row)?.map(|event| (id, event)));
    }
    Ok(events.into_iter())
}

fn created_event(row: &Row) -> Result<Event, Error> {
    let max_tokens = optional_count(row, 4)?.map(|most| narrow(row, 4, most)).transpose()?;
    let extra = serde_json::from_str(&text(row, 6)?).map_err(|error| damaged(row, 6, error))?;
    let parameters = Parameters { max_tokens, temperature: get(row, 5)?, extra };
    let idempotency = match optional_text(row, 8)? {
        None => None,
        Some(key) => Some(Idempotency { key, body_sha256: get::<Sha256>(row, 9)?.0 }),
    };
    let prompt = Prompt { text: text(row, 2)?, system_message: optional_text(row, 3)?, parameters };
    let fallback = fallback_from_json(optional_text(row, 25)?.as_deref());
    let fallback = fallback.map_err(|error| damaged(row, 25, error))?;
    let key = get::<Option<Key>>(row, 26)?.map(|Key(key)| key);
    let created = RequestCreated { prompt, lanes: lanes(row, 7)?, idempotency, fallback, key };
    let at = get::<Moment>(row, 1)?.timestamp();
    Ok(Event { seq: Seq::FIRST, at, body: EventBody::RequestCreated(Arc::new(created)) })
}

fn request_finished_event(row: &Row) -> Result<Option<Event>, Error> {
    let RequestStatus::Finished(outcome) = named(row, 10, RequestStatus::from_name)? else {
        return Ok(None);
    };
    let finished = RequestFinished {
        outcome,
        lanes_completed: narrow(row, 13, count(row, 13)?)?,
        attempt_count: narrow(row, 14, count(row, 14)?)?,
        token_count: count(row, 15)?,
        usage: usage(row, 16)?,
        failed_usage: usage(row, 20)?,
        cost: optional_count(row, 24)?.map(Cost::from_nano_usd),
    };
    let seq = Seq(count(row, 12)?.saturating_sub(1));
    let at = get::<Moment>(row, 11)?.timestamp();
    Ok(Some(Event { seq, at, body: EventBody::RequestFinished(Box::new(finished)) }))
}

fn attempt_seq(row: &Row, column: usize) -> Result<AttemptSeq, Error> {
    Ok(AttemptSeq(narrow(row, column, count(row, column)?)?))
}

fn started_event(row: &Row) -> Result<Event, Error> {
    let provider = ProviderName::new(&text(row, 3)?).map_err(|error| damaged(row, 3, error))?;
    let model = ModelRef::new(provider, &text(row, 4)?).map_err(|error| damaged(row, 4, error))?;
    let continues = match get::<Option<i64>>(row, 5)? {
        None => None,
        Some(_) => {
            Some(Continues { attempt_seq: attempt_seq(row, 5)?, token_index: TokenIndex(count(row, 6)?) })
        }
    };
    let lane = get::<i16>(row, 2)?;
    let lane = Lane(lane.try_into().map_err(|error: std::num::TryFromIntError| damaged(row, 2, error))?);
    let started = AttemptStarted { attempt_seq: attempt_seq(row, 1)?, lane, model, continues };
    let at = get::<Moment>(row, 8)?.timestamp();
    Ok(Event { seq: Seq(count(row, 7)?), at, body: EventBody::AttemptStarted(Box::new(started)) })
}

fn attempt_finished_event(row: &Row) -> Result<Option<Event>, Error> {
    let Some(seq) = optional_count(row, 10)? else {
        return Ok(None);
    };
    let status = || -> Result<Option<u16>, Error> {
        let Some(status) = get::<Option<i32>>(row, 21)? else { return Ok(None) };
        Ok(Some(status.try_into().map_err(|error: std::num::TryFromIntError| damaged(row, 21, error))?))
    };
    let failure = match get::<Option<&str>>(row, 19)? {
        None => None,
        Some(_) => Some(Failure {
            class: named(row, 19, FailureClass::from_name)?,
            message: text(row, 20)?,
            provider_status: status()?,
            retry_after_ms: optional_count(row, 22)?,
        }),
    };
    let finished = AttemptFinished {
        attempt_seq: attempt_seq(row, 1)?,
        outcome: named(row, 9, Outcome::from_name)?,
        finish_reason: optional_text(row, 12)?.map(FinishReason),
        usage: match usage(row, 15)? {
            None => None,
            Some(usage) => {
                let details = usage_details(get::<Option<&str>>(row, 26)?);
                Some(Usage { details: details.map_err(|error| damaged(row, 26, error))?, ..usage })
            }
        },
        cost: optional_count(row, 23)?.map(Cost::from_nano_usd),
        token_count: count(row, 13)?,
        answered_by: optional_text(row, 14)?,
        failure,
        rest: rest(get(row, 24)?, optional_text(row, 27)?),
        provider_finish_reason: optional_text(row, 25)?,
    };
    let at = get::<Moment>(row, 11)?.timestamp();
    Ok(Some(Event { seq: Seq(seq), at, body: EventBody::AttemptFinished(Box::new(finished)) }))
}
