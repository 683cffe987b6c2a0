//! What stands in the place of an event that was not new.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Statement;
use wordhoard_model::{Event, EventBody, RequestId};

use super::super::events::{ATTEMPTS, REQUESTS, framing, is_erased};
use super::super::rows::get;
use super::super::session::Session;
use super::super::types::Id;
use super::rows::TokenRow;
use super::tokens::Columns;
use crate::{Batch, Conflict, Error};

/// By the key of each, and not by a join: whatever the planner thinks, this looks each one up in the index. A row that
/// is not there under the key differs too: then another token has the event's `seq`.
pub(super) const TOKENS: &str = "SELECT given.place
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[],
        $8::text[])
        WITH ORDINALITY AS given (request_id, attempt_seq, token_index, seq, at, kind, text, envelope, place)
    LEFT JOIN LATERAL (
        SELECT true AS there FROM llm_token_log AS token
        WHERE token.request_id = given.request_id AND token.attempt_seq = given.attempt_seq
            AND token.token_index = given.token_index AND token.seq = given.seq AND token.at = given.at
            AND token.kind = given.kind AND token.text = given.text
            AND token.envelope IS NOT DISTINCT FROM given.envelope
        LIMIT 1
    ) AS same ON true
    WHERE same.there IS NULL AND NOT EXISTS (SELECT FROM llm_requests AS erased
        WHERE erased.request_id = given.request_id AND erased.erased_at IS NOT NULL)";

/// The conflicts of a batch, each with the place of its event in it.
pub(super) type Conflicts = Vec<(usize, Conflict)>;

/// Of these tokens, which are there by now, those that are there otherwise.
pub(super) async fn tokens(
    session: &Session,
    statement: &Statement,
    chunk: &[TokenRow<'_>],
    columns: &Columns<'_>,
    conflicts: &mut Conflicts,
) -> Result<(), tokio_postgres::Error> {
    for differing in columns.differing(session, statement).await? {
        let Some(token) = chunk.get(differing) else { continue };
        let what = format!("another token {} of attempt {}", token.token_index, token.attempt_seq);
        conflicts.push((token.place, Conflict { request_id: token.id.0, what }));
    }
    Ok(())
}

/// Reads all requests and attempts of the batch back, through the reader's own code, so that what is compared is what
/// a client would see.
pub(super) async fn events(
    session: &Session,
    batch: &Batch,
    places: &[usize],
    conflicts: &mut Conflicts,
) -> Result<(), Error> {
    let events = || places.iter().filter_map(|place| Some((*place, batch.events.get(*place)?)));
    let ids: HashSet<RequestId> = events().map(|(_, logged)| logged.request_id).collect();
    let ids: Vec<Id> = ids.into_iter().map(Id).collect();
    let (requests, attempts) =
        (session.query(REQUESTS, &[&ids]).await?, session.query(ATTEMPTS, &[&ids]).await?);
    // Nothing of them is there to be compared, nor to be put back.
    let mut erased = HashSet::new();
    for row in &requests {
        if is_erased(row)? {
            erased.insert(get::<Id>(row, 0)?.0);
        }
    }
    let mut there: HashMap<RequestId, Vec<Event>> = HashMap::with_capacity(ids.len());
    for (id, event) in framing(&requests, &attempts)? {
        there.entry(id).or_default().push(event);
    }
    for (place, logged) in events() {
        if !erased.contains(&logged.request_id)
            && !there.get(&logged.request_id).is_some_and(|there| there.contains(&logged.event))
        {
            conflicts
                .push((place, Conflict { request_id: logged.request_id, what: what(&logged.event.body) }));
        }
    }
    Ok(())
}

fn what(body: &EventBody) -> String {
    match body {
        EventBody::RequestCreated(_) => "another request under this id".to_owned(),
        EventBody::AttemptStarted(started) => format!("another attempt {}", started.attempt_seq),
        EventBody::Token(token) => {
            format!("another token {} of attempt {}", token.token_index, token.attempt_seq)
        }
        EventBody::AttemptFinished(finished) => format!("another end of attempt {}", finished.attempt_seq),
        EventBody::RequestFinished(_) => "another end of the request".to_owned(),
    }
}
