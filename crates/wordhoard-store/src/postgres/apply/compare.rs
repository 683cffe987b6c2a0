//! What stands in the place of an event that was not new.

use std::collections::{HashMap, HashSet};

use wordhoard_model::{Event, EventBody, RequestId};

use super::super::events::{ATTEMPTS, REQUESTS, framing, is_erased};
use super::super::rows::get;
use super::super::session::Session;
use super::super::types::Id;
use crate::{Batch, Conflict, Error};

/// The conflicts of a batch, each with the place of its event in it.
pub(super) type Conflicts = Vec<(usize, Conflict)>;

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
