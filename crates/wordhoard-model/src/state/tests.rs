use std::sync::Arc;

use super::*;
use crate::{ModelRef, Parameters, Prompt, RequestCreated, Token, TokenKind};

struct Story(Vec<Event>);

impl Story {
    fn of_lanes(count: usize) -> Self {
        let model: ModelRef = "demo:brisk".parse().unwrap();
        let lanes = vec![LaneSpec { model, weight: None }; count];
        let prompt = Prompt::new("hello".into(), None, Parameters::default()).unwrap();
        let created = RequestCreated {
            prompt,
            lanes,
            idempotency: None,
            fallback: crate::Fallback::Default,
            key: None,
        };
        Self(Vec::new()).then(EventBody::RequestCreated(Arc::new(created)))
    }

    fn then(mut self, body: EventBody) -> Self {
        let seq = Seq(self.0.len() as u64);
        self.0.push(Event { seq, at: Timestamp::from_millis(seq.0 as i64), body });
        self
    }

    fn started(self, attempt: u32, lane: u8) -> Self {
        let model = "demo:brisk".parse().unwrap();
        self.then(EventBody::AttemptStarted(Box::new(AttemptStarted {
            attempt_seq: AttemptSeq(attempt),
            lane: Lane(lane),
            model,
            continues: None,
        })))
    }

    fn token(self, attempt: u32, index: u64) -> Self {
        self.then(EventBody::Token(Token {
            attempt_seq: AttemptSeq(attempt),
            token_index: TokenIndex(index),
            kind: TokenKind::Text,
            text: "x".into(),
            events: None,
        }))
    }

    fn ended(self, attempt: u32, outcome: Outcome, token_count: u64) -> Self {
        self.then(EventBody::AttemptFinished(Box::new(AttemptFinished {
            attempt_seq: AttemptSeq(attempt),
            outcome,
            finish_reason: None,
            provider_finish_reason: None,
            usage: Some(Usage { input_tokens: 1, output_tokens: token_count, ..Usage::default() }),
            cost: None,
            token_count,
            answered_by: None,
            failure: None,
            rest: Rest::Nothing,
        })))
    }

    fn state(&self) -> Result<RequestState, Violation> {
        RequestState::replay(&self.0)
    }
}

#[test]
fn a_whole_story_of_two_lanes_with_a_retry_is_told_and_closed() {
    let story = Story::of_lanes(2).started(1, 0).started(2, 1).token(1, 0).token(2, 0).token(1, 1);
    let story = story.ended(1, Outcome::Failed, 2).started(3, 0).token(3, 0).ended(3, Outcome::Completed, 1);
    let running = story.state().unwrap();
    assert_eq!(running.lane(Lane(0)), LaneState::Ended(AttemptSeq(3), Outcome::Completed));
    assert_eq!(running.lane(Lane(1)), LaneState::Running(AttemptSeq(2)));
    let story = story.ended(2, Outcome::Completed, 1);
    let closing = story.state().unwrap().closing();
    assert_eq!((closing.outcome, closing.lanes_completed), (Outcome::Completed, 2));
    assert_eq!((closing.attempt_count, closing.token_count), (3, 4));
    assert_eq!(closing.usage.unwrap().output_tokens, 2, "of the attempts that completed");
    assert_eq!(closing.failed_usage.unwrap().output_tokens, 2, "of the others");
    let story = story.then(EventBody::RequestFinished(Box::new(closing)));
    assert_eq!(story.state().unwrap().status(), RequestStatus::Finished(Outcome::Completed));
}

#[test]
fn a_request_is_completed_only_when_every_lane_is() {
    let one_failed = Story::of_lanes(2).started(1, 0).ended(1, Outcome::Completed, 0).started(2, 1);
    let state = one_failed.ended(2, Outcome::Failed, 0).state().unwrap();
    assert_eq!((state.closing().outcome, state.closing().lanes_completed), (Outcome::Failed, 1));
    let never_started = Story::of_lanes(2).started(1, 0).ended(1, Outcome::Completed, 0).state().unwrap();
    assert_eq!(never_started.closing().outcome, Outcome::Interrupted);
}

#[test]
fn what_cannot_follow_is_refused_by_its_reason() {
    let told = |story: Story| story.state().unwrap_err().to_string();
    let begun = || Story::of_lanes(1).started(1, 0);
    assert_eq!(told(begun().token(1, 1)), "token 1 of attempt 1 where 0 is next");
    assert_eq!(told(begun().token(2, 0)), "token of attempt 2, which was not started");
    assert_eq!(told(begun().token(0, 0)), "token of attempt 0, which does not exist");
    assert_eq!(
        told(begun().started(2, 0)),
        "attempt.started of attempt 2, which starts while another one of its lane runs"
    );
    assert_eq!(told(begun().started(3, 0)), "attempt.started of attempt 3, which is not the next one");
    assert_eq!(
        told(Story::of_lanes(1).started(1, 1)),
        "attempt.started of attempt 1, which belongs to no lane"
    );
    assert_eq!(
        told(begun().token(1, 0).ended(1, Outcome::Failed, 2)),
        "attempt.finished of attempt 1, which counts other tokens than it has"
    );
    let closing = begun().state().unwrap().closing();
    assert_eq!(
        told(begun().then(EventBody::RequestFinished(Box::new(closing)))),
        "request.finished comes while an attempt runs"
    );
    let mut doubled = begun();
    doubled.0.push(doubled.0[1].clone());
    assert_eq!(told(doubled), "event 1 where 2 is next");
    assert_eq!(RequestState::replay([]).unwrap_err(), Violation::NotCreated("missing"));
}

#[test]
fn whatever_is_missing_a_request_can_be_ended() {
    let story =
        Story::of_lanes(2).started(1, 0).token(1, 0).started(2, 1).token(1, 1).token(2, 0).token(1, 2);
    let story = story.ended(1, Outcome::Failed, 3).started(3, 0).token(3, 0).token(2, 1).0;
    // Every way to lose some of the events behind the first.
    for lost in 0_u32..1 << (story.len() - 1) {
        let left =
            story.iter().enumerate().filter(|(place, _)| *place == 0 || lost & (1 << (place - 1)) == 0);
        let left: Vec<_> = left.map(|(_, event)| event.clone()).collect();
        let mut state = RequestState::salvage(&left).unwrap();
        assert_eq!(state.next_seq(), left.last().unwrap().seq.next());
        let then = |state: &mut RequestState, body| {
            state.apply(&Event { seq: state.next_seq(), at: Timestamp::from_millis(0), body }).unwrap();
        };
        let open: Vec<_> = state.open_attempts().map(|attempt| attempt.started.attempt_seq).collect();
        for attempt in open {
            let ending = state.ending(attempt, Outcome::Interrupted, None);
            then(&mut state, EventBody::AttemptFinished(Box::new(ending)));
        }
        let closing = state.closing();
        then(&mut state, EventBody::RequestFinished(Box::new(closing)));
    }
    assert_eq!(RequestState::salvage(&story), RequestState::replay(&story).ok());
    assert_eq!(RequestState::salvage(&story[1..]), None);
}
