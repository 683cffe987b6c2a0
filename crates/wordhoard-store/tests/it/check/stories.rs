//! Requests of any length, planned or by chance.

use wordhoard_model::{
    AttemptSeq, EventBody, Lane, LaneState, Outcome, RequestState, RequestStatus, Seq, TokenIndex, TokenKind,
};
use wordhoard_store::Fault;

use crate::story::Story;
use wordhoard_testkit::chance::Chance;

/// Two attempts of ten tokens, one after the other, both completed. Their numbers: 0 created; 1 started, 2 to 11
/// tokens, 12 finished; 13 started, 14 to 23 tokens, 24 finished; 25 finished.
pub fn plain(at_ms: i64) -> Story {
    let mut story = Story::created(at_ms, None);
    for attempt in [1, 2] {
        story.start(attempt, attempt as u8 - 1, None);
        (0..10).for_each(|index| story.token(attempt, index, TokenKind::Text, "word "));
        end_attempt(&mut story, attempt, Outcome::Completed);
    }
    end(&mut story);
    story
}

/// A request of about `length` events that may go as any request can, with its end.
pub fn any(at_ms: i64, length: u64, chance: &mut Chance) -> Story {
    let mut story = Story::created(at_ms, None);
    while (story.events.len() as u64) < length {
        let state = RequestState::replay(&story.events).unwrap();
        let lane = Lane(chance.below(2) as u8);
        match state.lane(lane) {
            LaneState::Ended(_, Outcome::Completed) if state.open_attempts().next().is_none() => break,
            LaneState::Ended(_, Outcome::Completed) => {}
            LaneState::Waiting | LaneState::Ended(..) => {
                story.start(state.next_attempt_seq().0, lane.0, None);
            }
            LaneState::Running(attempt) if chance.below(8) == 0 => {
                let outcome = if chance.below(3) == 0 { Outcome::Completed } else { Outcome::Failed };
                end_attempt(&mut story, attempt.0, outcome);
            }
            LaneState::Running(attempt) => {
                let TokenIndex(index) = state.attempt(attempt).unwrap().next_token_index;
                story.token(attempt.0, index, TokenKind::Text, "x");
            }
        }
    }
    let state = RequestState::replay(&story.events).unwrap();
    for attempt in state.open_attempts() {
        end_attempt(&mut story, attempt.started.attempt_seq.0, Outcome::Interrupted);
    }
    end(&mut story);
    story
}

fn end_attempt(story: &mut Story, attempt: u32, outcome: Outcome) {
    let state = RequestState::replay(&story.events).unwrap();
    story.push(EventBody::AttemptFinished(Box::new(state.ending(AttemptSeq(attempt), outcome, None))));
}

fn end(story: &mut Story) {
    let state = RequestState::replay(&story.events).unwrap();
    story.push(EventBody::RequestFinished(Box::new(state.closing())));
    assert_ne!(RequestState::replay(&story.events).unwrap().status(), RequestStatus::Running);
}

/// How many tokens the first `events` of a story have.
pub fn tokens(story: &Story, events: usize) -> u64 {
    story.events.iter().take(events).filter(|event| matches!(event.body, EventBody::Token(_))).count() as u64
}

pub fn tokens_missing(from: u64, through: u64) -> Fault {
    Fault::TokensMissing { from: TokenIndex(from), through: TokenIndex(through) }
}

pub fn events_missing(from: u64, through: u64) -> Fault {
    Fault::EventsMissing { from: Seq(from), through: Seq(through) }
}

pub fn count_differs(column: &'static str, recorded: u64, found: u64) -> Fault {
    Fault::CountDiffers { column, recorded, found }
}
