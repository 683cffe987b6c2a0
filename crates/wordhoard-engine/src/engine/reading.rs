use std::collections::HashSet;
use std::sync::Arc;

use wordhoard_model::{Event, EventBody, KeyId, RequestId, RequestStatus, Seq, Transcript};
use wordhoard_store::{ListQuery, LogKey, RequestSummary};

use super::Inner;
use crate::history::{LogPlace, ReadError};
use crate::hub::LiveRequest;

const PAGE_EVENTS: usize = 4096;

impl Inner {
    pub(crate) async fn transcript(&self, id: RequestId) -> Result<Option<Transcript>, ReadError> {
        let live = self.hub.get(id);
        let end = live.as_ref().map(|live| live.watch().borrow().end);
        let mut transcript: Option<Transcript> = None;
        let mut place = LogPlace::default();
        loop {
            let next = transcript.as_ref().map_or(Seq::FIRST, |so_far| so_far.state.next_seq());
            let page = match (&live, end) {
                (Some(_), Some(end)) if next >= end => Vec::new(),
                (Some(live), Some(end)) => self.page_of_live(live, next, end).await?,
                _ => self.history.stored(id, next, PAGE_EVENTS, &mut place).await?,
            };
            if page.is_empty() && transcript.is_none() && !self.hub.is_whole() {
                return Err(ReadError::Interrupted);
            }
            if page.is_empty() {
                if live.is_none()
                    && transcript.as_ref().is_some_and(|so_far| so_far.state.finished().is_none())
                {
                    self.history.ensure_not_pruned(id).await?;
                }
                return Ok(transcript);
            }
            for event in page {
                let followed = match &mut transcript {
                    Some(transcript) => transcript.apply(&event),
                    None => Transcript::begin(&event).map(|begun| transcript = Some(begun)),
                };
                followed.map_err(|violation| {
                    tracing::error!(request_id = %id, %violation, "the events of a request do not make sense");
                    ReadError::Gap { id, missing: event.seq }
                })?;
            }
        }
    }

    async fn page_of_live(
        &self,
        live: &Arc<LiveRequest>,
        next: Seq,
        end: Seq,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        match live.tail(next, end, PAGE_EVENTS) {
            Some(page) => Ok(page),
            None => self.history.of_live(live, next, end, PAGE_EVENTS).await,
        }
    }

    pub(crate) async fn key_of(&self, id: RequestId) -> Result<Option<Option<KeyId>>, ReadError> {
        let first = self.history.stored(id, Seq::FIRST, 1, &mut LogPlace::default()).await?;
        if first.is_empty() && !self.hub.is_whole() {
            return Err(ReadError::Interrupted);
        }
        Ok(first.first().and_then(|event| match &event.body {
            EventBody::RequestCreated(created) => Some(created.key),
            _ => None,
        }))
    }

    pub(crate) async fn list(&self, query: ListQuery) -> Result<Vec<RequestSummary>, ReadError> {
        let log = self.log();
        let live = self.hub.all();
        let in_memory: HashSet<_> = live.iter().map(|live| live.id()).collect();
        // Memory is newer than SQL, so what both have is taken from memory, even where it then does not match.
        let known = live.iter().filter_map(|live| summary(live, log));
        let mut found: Vec<_> = known.filter(|summary| query.takes(summary)).collect();
        let limit = query.limit;
        let stored = ListQuery { limit: limit + in_memory.len(), ..query };
        let stored =
            self.store.list(stored).await.map_err(|error| ReadError::Unavailable(error.to_string()))?;
        found.extend(stored.into_iter().filter(|summary| !in_memory.contains(&summary.request_id)));
        found.sort_unstable_by_key(|summary| std::cmp::Reverse(summary.request_id));
        found.truncate(limit);
        Ok(found)
    }
}

/// What is visible of a request in memory; nothing where not even its first event is.
fn summary(live: &LiveRequest, log: LogKey) -> Option<RequestSummary> {
    let state = live.state();
    if live.watch().borrow().end == Seq::FIRST {
        return None;
    }
    let finished = live.visible_end();
    Some(RequestSummary {
        request_id: live.id(),
        log,
        key: live.created().key,
        created_at: state.created_at(),
        status: finished
            .as_ref()
            .map_or(RequestStatus::Running, |finished| RequestStatus::Finished(finished.outcome)),
        finished_at: finished.as_ref().and_then(|_| state.finished().map(|(at, _)| *at)),
        models: state.lanes().iter().map(|lane| lane.model.clone()).collect(),
        event_count: finished.as_ref().map(|_| state.next_seq().0),
        token_count: finished.map(|finished| finished.token_count),
    })
}
