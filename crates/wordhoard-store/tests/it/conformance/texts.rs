use std::sync::Arc;

use serde_json::json;
use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, Event, EventBody, Failure, FailureClass, Fallback,
    FinishReason, Idempotency, Lane, LaneSpec, ModelRef, Outcome, Parameters, Prompt, ProviderName,
    RequestCreated, RequestState, Rest, Seq, Timestamp, Token, TokenIndex, TokenKind,
};
use wordhoard_store::Store;

use crate::story::Story;

/// NUL, what PostgreSQL's escape of it is made of, what CSV and COPY would trip over, and every kind of width.
const ODD: &[&str] = &[
    "",
    "\0",
    "a\0b\0",
    "\u{fdd0}",
    "\u{fdd0}0",
    "\u{fdd0}\u{fdd0}\0",
    "\\N",
    "\\x00 \\. \t\r\n",
    "\u{feff}\u{200b}\u{202e}",
    "☃ 🏳️‍🌈 \u{10ffff}",
    "'; DROP TABLE llm_requests; --",
    "{\"a\":[\"\\u0000\"]}",
];

pub async fn every_text_comes_back_in_every_column(store: &dyn Store) {
    let mut from = 0;
    for (place, text) in ODD.iter().enumerate() {
        let story = told_in(text, 1_000 + place as i64);
        let applied = store.apply(story.batch(from)).await.unwrap();
        assert_eq!(applied.inserted, story.events.len() as u64);
        assert_eq!(store.events(story.id, Seq(0), 100).await.unwrap(), story.events, "{text:?}");
        let again = store.apply(story.batch(from)).await.unwrap();
        assert_eq!((again.inserted, again.conflicts.len()), (0, 0), "{text:?}");
        from += story.events.len() as u64;
    }
}

pub async fn an_odd_key_finds_its_request(store: &dyn Store) {
    for (place, key) in ODD.iter().enumerate() {
        let story = Story::created(1_000 + place as i64, Some(key));
        store.apply(story.batch(place as u64)).await.unwrap();
        let found = store
            .find_idempotent(Some(Story::owner(key)), (*key).to_owned(), Timestamp::from_millis(0))
            .await
            .unwrap();
        assert_eq!(found.unwrap().request_id, story.id, "{key:?}");
    }
}

fn told_in(text: &str, at_ms: i64) -> Story {
    let mut story = Story::created(at_ms, None);
    let mut parameters = Parameters { max_tokens: Some(u32::MAX), ..Parameters::default() };
    parameters.insert("user", json!(text)).unwrap();
    parameters.insert("stop", json!([text, "\u{fdd0}"])).unwrap();
    // A model's name may hold no controls and no blanks; U+FDD0 is neither.
    let visible: String = text.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    let model = ModelRef::new(ProviderName::new("p").unwrap(), &format!("m{visible}")).unwrap();
    let created = RequestCreated {
        prompt: Prompt { text: text.to_owned(), system_message: Some(text.to_owned()), parameters },
        lanes: vec![LaneSpec { model: model.clone(), weight: Some(0.1) }],
        idempotency: Some(Idempotency { key: text.to_owned(), body_sha256: [0; 32] }),
        fallback: Fallback::Default,
        key: None,
    };
    let at = story.events[0].at;
    story.events = vec![Event { seq: Seq(0), at, body: EventBody::RequestCreated(Arc::new(created)) }];
    let attempt_seq = AttemptSeq(1);
    story.push(EventBody::AttemptStarted(Box::new(AttemptStarted {
        attempt_seq,
        lane: Lane(0),
        model,
        continues: None,
    })));
    let events = (!text.is_empty()).then(|| text.as_bytes().into());
    let (token_index, kind) = (TokenIndex(0), TokenKind::Text);
    story.push(EventBody::Token(Token { attempt_seq, token_index, kind, text: text.to_owned(), events }));
    story.push(EventBody::AttemptFinished(Box::new(AttemptFinished {
        attempt_seq,
        outcome: Outcome::Failed,
        finish_reason: Some(FinishReason(text.to_owned())),
        usage: None,
        cost: None,
        token_count: 1,
        answered_by: Some(text.to_owned()),
        failure: Some(Failure { provider_status: Some(u16::MAX), ..Failure::new(FailureClass::Cut, text) }),
        rest: Rest::Document(text.into()),
        provider_finish_reason: Some(text.to_owned()),
    })));
    let closing = RequestState::replay(&story.events).unwrap().closing();
    story.push(EventBody::RequestFinished(Box::new(closing)));
    story
}
