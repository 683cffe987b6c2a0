//! One batch, one transaction.

use futures_util::future::{BoxFuture, try_join_all};
use tokio_postgres::Statement;
use wordhoard_model::RequestId;

use super::super::failure::Failure;
use super::super::listener::CHANNEL;
use super::super::rows::{count, get};
use super::super::session::{Params, Session};
use super::super::types::{Id, Log};
use super::compare::{self, Conflicts};
use super::position;
use super::rows::Rows;
use super::statements::{ATTEMPT_ENDS, ATTEMPTS, BEGIN, COMMIT, NOTIFY, REQUEST_ENDS, REQUESTS};
use super::tokens::{self, Written};
use crate::columns::signed;
use crate::runs::{is_in_order, runs, tokens_of};
use crate::{Applied, Batch, Error};

/// From so many runs of tokens on, `COPY` is quicker, though it takes two round trips more. `cargo bench -p wordhoard-store` on two
/// cores, median of a whole apply of runs of 16 tokens, by `INSERT` and by `COPY`: 4 runs .63 ms and .85, 8 runs 1.09 and .95, 64 runs
/// 3.2 and 1.4. That is with the server on the same machine.
pub(in super::super) const COPY_FROM: usize = 8;

/// Whether tokens of the batch may be in the database already.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tokens {
    /// The position will say.
    Unknown,
    /// One was found.
    MayBeThere,
}

/// Dropping this future, at whatever point, drops the connection, and so either all of the batch is applied or
/// nothing of it.
pub(super) async fn apply(
    session: &Session,
    batch: &Batch,
    rows: &Rows<'_>,
    tokens: Tokens,
    copy_from: usize,
) -> Result<Applied, Failure> {
    let mut conflicts = Conflicts::new();
    let given = tokens_of(batch);
    let may_be_new = matches!(tokens, Tokens::Unknown) && is_in_order(batch);
    let new = if may_be_new { Written::new(runs(given.clone()))? } else { Written::new(Vec::new())? };
    let copies = new.len() >= copy_from;
    let begun = begin(session, batch, rows, (!copies).then_some(&new)).await?;
    if begun.framing < rows.framing.len() as u64 {
        compare::events(session, batch, &rows.framing, &mut conflicts).await?;
    }
    let mut inserted = begun.framing;
    if may_be_new && batch.is_all_new(begun.applied, begun.doubted_through) {
        if copies {
            new.insert(session, copy_from).await?;
        } else {
            new.expect(begun.runs)?;
        }
        inserted += given.len() as u64;
    } else {
        let examined = tokens::missing(session, &given).await?;
        conflicts.extend(examined.conflicts);
        inserted += examined.new;
        Written::new(examined.rows)?.insert(session, copy_from).await?;
    }
    commit(session, batch).await?;
    conflicts.sort_by_key(|(place, _)| *place);
    let conflicts: Vec<_> = conflicts.into_iter().map(|(_, conflict)| conflict).collect();
    // A trigger of the operator's that alters what it lets in would make an event both.
    let already_there = (batch.events.len() as u64).saturating_sub(conflicts.len() as u64 + inserted);
    Ok(Applied { inserted, already_there, conflicts })
}

/// What the first round trip has done.
struct Begun {
    /// The position before this batch.
    applied: u64,
    doubted_through: Option<RequestId>,
    /// Rows made or changed by events that are no tokens.
    framing: u64,
    runs: u64,
}

/// All in one round trip: the server takes the statements one after the other, so each one after the lock runs under
/// it, and what was sent in vain is rolled back.
async fn begin(
    session: &Session,
    batch: &Batch,
    rows: &Rows<'_>,
    new: Option<&Written<'_>>,
) -> Result<Begun, Failure> {
    let [known, lock, insert] =
        session.statements([position::KNOWN, position::LOCK, tokens::INSERT_NEW]).await?;
    let framing = session.statements([REQUESTS, ATTEMPTS, ATTEMPT_ENDS, REQUEST_ENDS]).await?;
    let (client, log) = (session.client(), Log(batch.log));
    let log: Params<'_> = &[&log];
    let new = async {
        match new {
            Some(new) => new.insert_new(session, &insert, batch).await,
            None => Ok(0),
        }
    };
    let (_, _, position, framing, runs) = tokio::try_join!(
        biased;
        client.batch_execute(BEGIN),
        client.execute(&known, log),
        client.query_one(&lock, log),
        try_join_all(write_framing(session, rows, &framing)),
        new,
    )?;
    if get(&position, 1)? {
        return Err(Failure::Final(Error::LogRetired));
    }
    let applied = count(&position, 0)?;
    if batch.from > applied {
        return Err(Failure::Final(Error::Gap { from: batch.from, applied }));
    }
    let doubted_through = get::<Option<Id>>(&position, 2)?.map(|Id(id)| id);
    Ok(Begun { applied, doubted_through, framing: framing.into_iter().sum(), runs })
}

type Changed<'a> = BoxFuture<'a, Result<u64, tokio_postgres::Error>>;

/// The order matters: an end finds its beginning, also in the same batch.
fn write_framing<'a>(
    session: &'a Session,
    rows: &'a Rows<'_>,
    statements: &'a [Statement; 4],
) -> Vec<Changed<'a>> {
    let Rows { requests: r, attempts: a, attempt_ends: e, request_ends: f, .. } = rows;
    let [requests, attempts, attempt_ends, request_ends] = statements;
    let mut changes = Vec::<Changed<'a>>::with_capacity(4);
    let client = session.client();
    if !r.id.is_empty() {
        changes.push(Box::pin(async move {
            let params: Params<'_> = &[
                &r.id,
                &r.log,
                &r.created_at,
                &r.prompt,
                &r.system_message,
                &r.max_tokens,
                &r.temperature,
                &r.parameters,
                &r.lanes,
                &r.idempotency_key,
                &r.idempotency_sha256,
                &r.fallback,
                &r.key_id,
            ];
            client.execute(requests, params).await
        }));
    }
    if !a.id.is_empty() {
        changes.push(Box::pin(async move {
            let params: Params<'_> = &[
                &a.id,
                &a.attempt_seq,
                &a.lane,
                &a.provider,
                &a.model,
                &a.continues_attempt_seq,
                &a.continues_token_index,
                &a.started_seq,
                &a.started_at,
            ];
            client.execute(attempts, params).await
        }));
    }
    if !e.id.is_empty() {
        changes.push(Box::pin(async move {
            let [input, output, reasoning, cached] = &e.usage;
            let params: Params<'_> = &[
                &e.id,
                &e.attempt_seq,
                &e.status,
                &e.seq,
                &e.at,
                &e.finish_reason,
                &e.token_count,
                &e.answered_by,
                input,
                output,
                reasoning,
                cached,
                &e.failure_class,
                &e.failure_message,
                &e.failure_provider_status,
                &e.failure_retry_after_ms,
                &e.cost_nano_usd,
                &e.rest_events,
                &e.provider_finish_reason,
                &e.usage_details,
                &e.rest_document,
            ];
            client.execute(attempt_ends, params).await
        }));
    }
    if !f.id.is_empty() {
        changes.push(Box::pin(async move {
            let [input, output, reasoning, cached] = &f.usage;
            let [failed_input, failed_output, failed_reasoning, failed_cached] = &f.failed_usage;
            let params: Params<'_> = &[
                &f.id,
                &f.status,
                &f.at,
                &f.event_count,
                &f.lanes_completed,
                &f.attempt_count,
                &f.token_count,
                input,
                output,
                reasoning,
                cached,
                failed_input,
                failed_output,
                failed_reasoning,
                failed_cached,
                &f.cost_nano_usd,
            ];
            client.execute(request_ends, params).await
        }));
    }
    changes
}

/// Only once everything before has gone well: a `COMMIT` of a transaction in which something failed is no error to
/// the server, it rolls back.
async fn commit(session: &Session, batch: &Batch) -> Result<(), Failure> {
    let [advance, notify] = session.statements([position::ADVANCE, NOTIFY]).await?;
    let (client, log, through) = (session.client(), Log(batch.log), signed(batch.through));
    let (advanced, channel): (Params<'_>, Params<'_>) = (&[&log, &through], &[&CHANNEL, &log]);
    tokio::try_join!(
        biased;
        client.execute(&advance, advanced),
        client.execute(&notify, channel),
        client.batch_execute(COMMIT),
    )?;
    Ok(())
}
