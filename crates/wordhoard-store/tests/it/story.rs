//! A request that uses every column, as its events.

use std::sync::Arc;

use serde_json::json;
use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, Continues, Cost, Event, EventBody, Failure, FailureClass,
    Fallback, FinishReason, Idempotency, KeyId, Lane, LaneSpec, Outcome, Parameters, Prompt, RequestCreated,
    RequestId, RequestState, Rest, Seq, ServiceTier, Timestamp, Token, TokenIndex, TokenKind, Usage,
    UsageDetails,
};
use wordhoard_store::{Batch, LogKey, LoggedEvent};

pub const LOG: LogKey = LogKey([7; 16]);

pub struct Story {
    pub id: RequestId,
    pub events: Vec<Event>,
}

impl Story {
    pub fn created(at_ms: i64, key: Option<&str>) -> Self {
        let mut parameters =
            Parameters { max_tokens: Some(7), temperature: Some(0.25), ..Parameters::default() };
        parameters.insert("seed", json!(-3)).unwrap();
        let prompt = Prompt::new("tell me\tof ☃".into(), Some("be brief".into()), parameters).unwrap();
        let lane = |model: &str, weight| LaneSpec { model: model.parse().unwrap(), weight };
        let created = RequestCreated {
            prompt,
            lanes: vec![lane("demo:brisk", Some(0.5)), lane("other:llama3:8b", None)],
            idempotency: key.map(|key| Idempotency { key: key.into(), body_sha256: [9; 32] }),
            fallback: match key {
                None => Fallback::Default,
                Some("off") => Fallback::Off,
                Some(_) => Fallback::Queue(vec!["demo:bard".parse().unwrap(), "other:x".parse().unwrap()]),
            },
            key: key.map(Self::owner),
        };
        let id = RequestId::generate(Timestamp::from_millis(at_ms));
        let body = EventBody::RequestCreated(Arc::new(created));
        Self { id, events: vec![Event { seq: Seq(0), at: Timestamp::from_millis(at_ms), body }] }
    }

    /// The API key that asks under this idempotency key.
    pub fn owner(key: &str) -> KeyId {
        KeyId::from_bytes([key.len() as u8; 16])
    }

    /// Two attempts, every kind of token with every odd character, a failure, usage, and the end.
    pub fn whole(at_ms: i64) -> Self {
        let mut story = Self::created(at_ms, None);
        story.start(1, 0, None);
        story.token(1, 0, TokenKind::Text, "a\0b \u{feff}☃");
        story.start(2, 1, None);
        story.token(2, 0, TokenKind::Reasoning, "hm");
        story.token(1, 1, TokenKind::Text, "\r\n");
        story.end(1, Outcome::Failed, 2);
        story.start(3, 0, Some((1, 1)));
        story.token(3, 0, TokenKind::ToolCall, r#"{"index":0}"#);
        story.token(2, 1, TokenKind::Refusal, "no");
        story.token(3, 1, TokenKind::Annotation, r#"{"type":"citation"}"#);
        story.end(3, Outcome::Completed, 2);
        story.end(2, Outcome::Cancelled, 2);
        let closing = RequestState::replay(&story.events).unwrap().closing();
        story.push(EventBody::RequestFinished(Box::new(closing)));
        story
    }

    pub fn push(&mut self, body: EventBody) {
        let at = Timestamp::from_millis(self.events[0].at.as_millis() + self.events.len() as i64);
        self.events.push(Event { seq: Seq(self.events.len() as u64), at, body });
    }

    pub fn start(&mut self, attempt: u32, lane: u8, continues: Option<(u32, u64)>) {
        self.push(EventBody::AttemptStarted(Box::new(AttemptStarted {
            attempt_seq: AttemptSeq(attempt),
            lane: Lane(lane),
            model: "demo:brisk".parse().unwrap(),
            continues: continues
                .map(|(a, t)| Continues { attempt_seq: AttemptSeq(a), token_index: TokenIndex(t) }),
        })));
    }

    pub fn token(&mut self, attempt: u32, index: u64, kind: TokenKind, text: &str) {
        let (attempt_seq, token_index) = (AttemptSeq(attempt), TokenIndex(index));
        // Those of a frame stand with its first token.
        let events = index.is_multiple_of(3).then(|| format!("around {text}").into_bytes().into());
        self.push(EventBody::Token(Token { attempt_seq, token_index, kind, text: text.into(), events }));
    }

    pub fn end(&mut self, attempt: u32, outcome: Outcome, token_count: u64) {
        let failed = outcome != Outcome::Completed;
        self.push(EventBody::AttemptFinished(Box::new(AttemptFinished {
            attempt_seq: AttemptSeq(attempt),
            outcome,
            finish_reason: (!failed).then(|| FinishReason("stop".into())),
            usage: Some(Usage {
                input_tokens: if failed { 2 } else { 3 },
                output_tokens: 4,
                reasoning_tokens: Some(1),
                cached_input_tokens: None,
                details: UsageDetails {
                    cache_write_tokens: (!failed).then_some(2),
                    service_tier: (!failed).then_some(ServiceTier::Flex),
                    ..UsageDetails::default()
                },
            }),
            cost: Some(Cost::from_nano_usd(1_234_567)),
            token_count,
            answered_by: Some("brisk-2026".into()),
            failure: failed.then(|| Failure {
                class: FailureClass::RateLimited,
                message: "slow down".into(),
                provider_status: Some(429),
                retry_after_ms: Some(2000),
            }),
            rest: if failed { Rest::Nothing } else { Rest::Events(b"\0 the last events".as_slice().into()) },
            provider_finish_reason: (!failed).then(|| "end_turn".into()),
        })));
    }

    pub fn batch(&self, from: u64) -> Batch {
        let logged = |(position, event): (u64, &Event)| LoggedEvent {
            position,
            request_id: self.id,
            event: event.clone(),
        };
        let events: Vec<_> = (from..).zip(&self.events).map(logged).collect();
        Batch { log: LOG, from, through: from + events.len() as u64, events }
    }

    /// One request with so many tokens, and its end.
    pub fn long(at_ms: i64, tokens: u64) -> Self {
        let mut story = Self::created(at_ms, None);
        story.start(1, 0, None);
        for index in 0..tokens {
            story.token(1, index, TokenKind::Text, " word");
        }
        story.end(1, Outcome::Completed, tokens);
        let closing = RequestState::replay(&story.events).unwrap().closing();
        story.push(EventBody::RequestFinished(Box::new(closing)));
        story
    }

    /// The events of all, one of each in turn.
    pub fn interleaved(stories: &[Self], from: u64) -> Batch {
        let longest = stories.iter().map(|story| story.events.len()).max().unwrap_or(0);
        let in_turn = (0..longest).flat_map(|place| stories.iter().map(move |story| (story, place)));
        let there = in_turn.filter_map(|(story, place)| Some((story.id, story.events.get(place)?.clone())));
        let logged = |(position, (request_id, event))| LoggedEvent { position, request_id, event };
        let events: Vec<_> = (from..).zip(there).map(logged).collect();
        Batch { log: LOG, from, through: from + events.len() as u64, events }
    }
}
