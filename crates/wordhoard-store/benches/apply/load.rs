use std::sync::Arc;

use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, Event, EventBody, Fallback, FinishReason, Lane, LaneSpec,
    Outcome, Parameters, Prompt, RequestCreated, RequestFinished, RequestId, Rest, Seq, Timestamp, Token,
    TokenIndex, TokenKind, Usage,
};
use wordhoard_store::{Batch, LogKey, LoggedEvent};

pub const LOG: LogKey = LogKey([7; 16]);
/// In the week of 2026-11-19.
pub const AT: Timestamp = Timestamp::from_millis(1_795_400_000_000);

/// Requests at the same time, and so how far the tokens of one lie apart.
const REQUESTS: usize = 200;
/// With the four other events of each request, some 60,000 events a batch: 4 MiB of log.
const TOKENS: u64 = 300;

/// Batches as the applier gives them.
pub struct Load {
    pub batches: Vec<Batch>,
    pub tokens: u64,
}

impl Load {
    pub fn new(batches: usize) -> Self {
        let mut from = 0;
        let mut next = |_| {
            let batch = batch(from, REQUESTS, TOKENS);
            from = batch.through;
            batch
        };
        let batches: Vec<_> = (0..batches).map(&mut next).collect();
        Self { tokens: batches.len() as u64 * REQUESTS as u64 * TOKENS, batches }
    }

    /// The tokens, in the order of the log.
    pub fn rows(&self) -> impl Iterator<Item = (RequestId, &Event, &Token)> {
        let events = self.batches.iter().flat_map(|batch| &batch.events);
        events.filter_map(|logged| match &logged.event.body {
            EventBody::Token(token) => Some((logged.request_id, &logged.event, token)),
            _ => None,
        })
    }
}

/// Whole requests, their events in turns.
pub fn batch(from: u64, requests: usize, tokens: u64) -> Batch {
    let ids: Vec<_> = (0..requests).map(|_| RequestId::generate(AT)).collect();
    let bodies: Vec<_> = std::iter::once(created())
        .chain([started()])
        .chain((0..tokens).map(token))
        .chain([attempt_finished(tokens), request_finished(tokens)])
        .collect();
    let in_turns = bodies.iter().enumerate().flat_map(|(seq, body)| {
        ids.iter().map(move |id| (*id, Event { seq: Seq(seq as u64), at: AT, body: body.clone() }))
    });
    let logged = |(position, (request_id, event))| LoggedEvent { position, request_id, event };
    let events: Vec<_> = (from..).zip(in_turns).map(logged).collect();
    Batch { log: LOG, from, through: from + events.len() as u64, events }
}

/// Sixteen tokens of each of some requests, as they come while it is quiet.
pub fn runs(from: u64, runs: usize) -> Batch {
    let ids: Vec<_> = (0..runs).map(|_| RequestId::generate(AT)).collect();
    let event = |index| Event { seq: Seq(index + 2), at: AT, body: token(index) };
    let in_turns = (0..16).flat_map(|index| ids.iter().map(move |id| (*id, event(index))));
    let logged = |(position, (request_id, event))| LoggedEvent { position, request_id, event };
    let events: Vec<_> = (from..).zip(in_turns).map(logged).collect();
    Batch { log: LOG, from, through: from + events.len() as u64, events }
}

fn created() -> EventBody {
    let prompt = Prompt::new("Tell me of the word hoard.".into(), None, Parameters::default()).unwrap();
    let lanes = vec![LaneSpec { model: "demo:brisk".parse().unwrap(), weight: None }];
    EventBody::RequestCreated(Arc::new(RequestCreated {
        prompt,
        lanes,
        idempotency: None,
        fallback: Fallback::Default,
        key: None,
    }))
}

fn started() -> EventBody {
    let model = "demo:brisk".parse().unwrap();
    EventBody::AttemptStarted(Box::new(AttemptStarted {
        attempt_seq: AttemptSeq(1),
        lane: Lane(0),
        model,
        continues: None,
    }))
}

fn token(index: u64) -> EventBody {
    let (attempt_seq, token_index) = (AttemptSeq(1), TokenIndex(index));
    EventBody::Token(Token {
        attempt_seq,
        token_index,
        kind: TokenKind::Text,
        text: " word".into(),
        events: None,
    })
}

fn attempt_finished(token_count: u64) -> EventBody {
    EventBody::AttemptFinished(Box::new(AttemptFinished {
        attempt_seq: AttemptSeq(1),
        outcome: Outcome::Completed,
        finish_reason: Some(FinishReason("stop".into())),
        provider_finish_reason: None,
        usage: Some(Usage { input_tokens: 9, output_tokens: token_count, ..Usage::default() }),
        cost: None,
        token_count,
        answered_by: None,
        failure: None,
        rest: Rest::Nothing,
    }))
}

fn request_finished(token_count: u64) -> EventBody {
    let usage = Some(Usage { input_tokens: 9, output_tokens: token_count, ..Usage::default() });
    EventBody::RequestFinished(Box::new(RequestFinished {
        outcome: Outcome::Completed,
        lanes_completed: 1,
        attempt_count: 1,
        token_count,
        usage,
        failed_usage: None,
        cost: None,
    }))
}
