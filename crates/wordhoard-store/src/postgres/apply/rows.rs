//! A batch, as columns.

use std::collections::HashSet;

use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, EventBody, RequestCreated, RequestFinished, RequestId,
};

use super::super::text::Written;
use super::super::types::{Id, Key, Log, Moment, Sha256};
use crate::columns::{
    fallback_to_json, lanes_to_json, rest_document, rest_events, signed, usage_columns, usage_details_column,
};
use crate::{Batch, Error, LogKey, LoggedEvent};

/// What a batch has besides tokens: rows, and changes to rows, each kind by its columns.
#[derive(Debug, Default)]
pub(super) struct Rows<'a> {
    pub(super) requests: Requests<'a>,
    pub(super) attempts: Attempts<'a>,
    pub(super) attempt_ends: AttemptEnds<'a>,
    pub(super) request_ends: RequestEnds,
    /// The events that are no tokens, by their places in the batch.
    pub(super) framing: Vec<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Requests<'a> {
    pub(super) id: Vec<Id>,
    pub(super) log: Vec<Log>,
    pub(super) created_at: Vec<Moment>,
    pub(super) prompt: Vec<Written<&'a str>>,
    pub(super) system_message: Vec<Option<Written<&'a str>>>,
    pub(super) max_tokens: Vec<Option<i64>>,
    pub(super) temperature: Vec<Option<f64>>,
    pub(super) parameters: Vec<Written<String>>,
    pub(super) lanes: Vec<Written<String>>,
    pub(super) idempotency_key: Vec<Option<Written<&'a str>>>,
    pub(super) idempotency_sha256: Vec<Option<Sha256>>,
    pub(super) fallback: Vec<Option<Written<String>>>,
    pub(super) key_id: Vec<Option<Key>>,
}

#[derive(Debug, Default)]
pub(super) struct Attempts<'a> {
    pub(super) id: Vec<Id>,
    pub(super) attempt_seq: Vec<i64>,
    pub(super) lane: Vec<i16>,
    pub(super) provider: Vec<Written<&'a str>>,
    pub(super) model: Vec<Written<&'a str>>,
    pub(super) continues_attempt_seq: Vec<Option<i64>>,
    pub(super) continues_token_index: Vec<Option<i64>>,
    pub(super) started_seq: Vec<i64>,
    pub(super) started_at: Vec<Moment>,
}

#[derive(Debug, Default)]
pub(super) struct AttemptEnds<'a> {
    /// One change to a row in a statement, or the statement would pick one: the first end of an attempt counts.
    seen: HashSet<(RequestId, AttemptSeq)>,
    pub(super) id: Vec<Id>,
    pub(super) attempt_seq: Vec<i64>,
    pub(super) status: Vec<&'static str>,
    pub(super) seq: Vec<i64>,
    pub(super) at: Vec<Moment>,
    pub(super) finish_reason: Vec<Option<Written<&'a str>>>,
    pub(super) token_count: Vec<i64>,
    pub(super) answered_by: Vec<Option<Written<&'a str>>>,
    pub(super) usage: [Vec<Option<i64>>; 4],
    pub(super) failure_class: Vec<Option<&'static str>>,
    pub(super) failure_message: Vec<Option<Written<&'a str>>>,
    pub(super) failure_provider_status: Vec<Option<i32>>,
    pub(super) failure_retry_after_ms: Vec<Option<i64>>,
    pub(super) cost_nano_usd: Vec<Option<i64>>,
    pub(super) rest_events: Vec<Option<&'a [u8]>>,
    pub(super) rest_document: Vec<Option<Written<&'a str>>>,
    pub(super) provider_finish_reason: Vec<Option<Written<&'a str>>>,
    pub(super) usage_details: Vec<Option<String>>,
}

#[derive(Debug, Default)]
pub(super) struct RequestEnds {
    seen: HashSet<RequestId>,
    pub(super) id: Vec<Id>,
    pub(super) status: Vec<&'static str>,
    pub(super) at: Vec<Moment>,
    pub(super) event_count: Vec<i64>,
    pub(super) lanes_completed: Vec<i64>,
    pub(super) attempt_count: Vec<i64>,
    pub(super) token_count: Vec<i64>,
    pub(super) usage: [Vec<Option<i64>>; 4],
    pub(super) failed_usage: [Vec<Option<i64>>; 4],
    pub(super) cost_nano_usd: Vec<Option<i64>>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(batch: &'a Batch) -> Result<Self, Error> {
        let mut rows = Self::default();
        for (place, logged) in batch.events.iter().enumerate() {
            rows.push(place, batch.log, logged)?;
        }
        Ok(rows)
    }

    fn push(&mut self, place: usize, log: LogKey, logged: &'a LoggedEvent) -> Result<(), Error> {
        let (id, event) = (logged.request_id, &logged.event);
        let (seq, at) = (signed(event.seq.0), Moment::of(event.at)?);
        match &event.body {
            EventBody::Token(_) => return Ok(()),
            EventBody::RequestCreated(created) => self.requests.push(id, log, at, created)?,
            EventBody::AttemptStarted(started) => self.attempts.push(id, seq, at, started),
            EventBody::AttemptFinished(finished) => self.attempt_ends.push(id, seq, at, finished),
            EventBody::RequestFinished(finished) => {
                self.request_ends.push(id, signed(event.seq.next().0), at, finished);
            }
        }
        self.framing.push(place);
        Ok(())
    }
}

impl<'a> Requests<'a> {
    fn push(
        &mut self,
        id: RequestId,
        log: LogKey,
        at: Moment,
        created: &'a RequestCreated,
    ) -> Result<(), Error> {
        let prompt = &created.prompt;
        let refused = |error: serde_json::Error| Error::Refused(error.to_string());
        let key = created.idempotency.as_ref();
        self.id.push(Id(id));
        self.log.push(Log(log));
        self.created_at.push(at);
        self.prompt.push(Written(&prompt.text));
        self.system_message.push(prompt.system_message.as_deref().map(Written));
        self.max_tokens.push(prompt.parameters.max_tokens.map(i64::from));
        self.temperature.push(prompt.parameters.temperature);
        self.parameters.push(Written(serde_json::to_string(&prompt.parameters.extra).map_err(refused)?));
        self.lanes.push(Written(lanes_to_json(&created.lanes).map_err(refused)?));
        self.idempotency_key.push(key.map(|idempotency| Written(idempotency.key.as_str())));
        self.idempotency_sha256.push(key.map(|idempotency| Sha256(idempotency.body_sha256)));
        self.fallback.push(fallback_to_json(&created.fallback).map_err(refused)?.map(Written));
        self.key_id.push(created.key.map(Key));
        Ok(())
    }
}

impl<'a> Attempts<'a> {
    fn push(&mut self, id: RequestId, seq: i64, at: Moment, started: &'a AttemptStarted) {
        self.id.push(Id(id));
        self.attempt_seq.push(started.attempt_seq.0.into());
        self.lane.push(started.lane.0.into());
        self.provider.push(Written(started.model.provider.as_str()));
        self.model.push(Written(&started.model.model));
        self.continues_attempt_seq.push(started.continues.map(|continues| continues.attempt_seq.0.into()));
        self.continues_token_index.push(started.continues.map(|continues| signed(continues.token_index.0)));
        self.started_seq.push(seq);
        self.started_at.push(at);
    }
}

impl<'a> AttemptEnds<'a> {
    fn push(&mut self, id: RequestId, seq: i64, at: Moment, finished: &'a AttemptFinished) {
        if !self.seen.insert((id, finished.attempt_seq)) {
            return;
        }
        let failure = finished.failure.as_ref();
        self.id.push(Id(id));
        self.attempt_seq.push(finished.attempt_seq.0.into());
        self.status.push(finished.outcome.as_str());
        self.seq.push(seq);
        self.at.push(at);
        self.finish_reason.push(finished.finish_reason.as_ref().map(|reason| Written(reason.0.as_str())));
        self.token_count.push(signed(finished.token_count));
        self.answered_by.push(finished.answered_by.as_deref().map(Written));
        for (column, value) in self.usage.iter_mut().zip(usage_columns(finished.usage)) {
            column.push(value);
        }
        self.failure_class.push(failure.map(|failure| failure.class.as_str()));
        self.failure_message.push(failure.map(|failure| Written(failure.message.as_str())));
        self.failure_provider_status.push(failure.and_then(|failure| failure.provider_status).map(i32::from));
        self.failure_retry_after_ms.push(failure.and_then(|failure| failure.retry_after_ms).map(signed));
        self.cost_nano_usd.push(finished.cost.map(|cost| signed(cost.nano_usd())));
        self.rest_events.push(rest_events(&finished.rest));
        self.rest_document.push(rest_document(&finished.rest).map(Written));
        self.provider_finish_reason.push(finished.provider_finish_reason.as_deref().map(Written));
        self.usage_details.push(usage_details_column(finished.usage));
    }
}

impl RequestEnds {
    fn push(&mut self, id: RequestId, event_count: i64, at: Moment, finished: &RequestFinished) {
        if !self.seen.insert(id) {
            return;
        }
        self.id.push(Id(id));
        self.status.push(finished.outcome.as_str());
        self.at.push(at);
        self.event_count.push(event_count);
        self.lanes_completed.push(finished.lanes_completed.into());
        self.attempt_count.push(finished.attempt_count.into());
        self.token_count.push(signed(finished.token_count));
        for (column, value) in self.usage.iter_mut().zip(usage_columns(finished.usage)) {
            column.push(value);
        }
        for (column, value) in self.failed_usage.iter_mut().zip(usage_columns(finished.failed_usage)) {
            column.push(value);
        }
        self.cost_nano_usd.push(finished.cost.map(|cost| signed(cost.nano_usd())));
    }
}
