use proptest::prelude::*;
use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, Continues, Lane, Rest, Timestamp, TokenIndex,
};

use super::*;

const RULES: Rules = Rules { max_retries: 3, longest_wait: Duration::from_secs(20), has_beginning: false };

fn candidate(model: &str) -> Candidate {
    Candidate { model: model.parse().unwrap(), can_continue: false, context_window: None }
}

fn attempt(model: &str, tokens: u64, outcome: Outcome, failure: Option<Failure>) -> AttemptState {
    let (attempt_seq, at) = (AttemptSeq(1), Timestamp::from_millis(0));
    let started =
        AttemptStarted { attempt_seq, lane: Lane(0), model: model.parse().unwrap(), continues: None };
    let finished = AttemptFinished {
        attempt_seq,
        outcome,
        finish_reason: None,
        usage: None,
        cost: None,
        token_count: tokens,
        answered_by: None,
        failure,
        rest: Rest::Nothing,
        provider_finish_reason: None,
    };
    AttemptState {
        started,
        started_at: at,
        next_token_index: TokenIndex(tokens),
        finished: Some((at, finished)),
    }
}

fn failed(model: &str, tokens: u64, class: FailureClass) -> AttemptState {
    attempt(model, tokens, Outcome::Failed, Some(Failure::new(class, "")))
}

fn refused_to_continue(model: &str) -> AttemptState {
    let mut attempt = failed(model, 0, FailureClass::BadRequest);
    attempt.started.continues = Some(Continues { attempt_seq: AttemptSeq(1), token_index: TokenIndex(0) });
    attempt
}

fn told(attempts: &[AttemptState], candidates: &[Candidate], rules: Rules) -> String {
    let attempts: Vec<_> = attempts.iter().collect();
    match next(&attempts, candidates, rules) {
        Next::End => "end".to_owned(),
        Next::Attempt(Step { candidate, continues, why }) => {
            let how = if continues { "goes on" } else { "anew" };
            let why = match why {
                Why::First => "at once".to_owned(),
                Why::Retry { nth, at_least } => format!("retry {nth} after {at_least:?}"),
                Why::Fallback { at_once: true } => "fallback at once".to_owned(),
                Why::Fallback { at_once: false } => "fallback".to_owned(),
            };
            format!("{} {how}, {why}", candidates[candidate].model)
        }
    }
}

#[test]
fn each_failure_has_its_remedy() {
    let both = [candidate("a:x"), candidate("b:y")];
    for (class, tokens, expected) in [
        (FailureClass::RateLimited, 0, "b:y anew, fallback"),
        (FailureClass::ProviderOverloaded, 0, "b:y anew, fallback"),
        (FailureClass::OutOfCredit, 0, "b:y anew, fallback"),
        (FailureClass::ProviderError, 0, "a:x anew, retry 1 after 0ns"),
        (FailureClass::Connect, 0, "a:x anew, retry 1 after 0ns"),
        (FailureClass::Cut, 0, "a:x anew, retry 1 after 0ns"),
        (FailureClass::Cut, 40, "b:y anew, fallback"),
        (FailureClass::Malformed, 40, "b:y anew, fallback"),
        (FailureClass::StallTimeout, 40, "b:y anew, fallback"),
        (FailureClass::FirstTokenTimeout, 0, "b:y anew, fallback"),
        (FailureClass::Unauthorized, 0, "b:y anew, fallback"),
        (FailureClass::NotFound, 0, "b:y anew, fallback"),
        (FailureClass::ContextLength, 0, "b:y anew, fallback"),
        (FailureClass::ProviderDown, 0, "b:y anew, fallback at once"),
        (FailureClass::Overloaded, 0, "b:y anew, fallback at once"),
        (FailureClass::Unavailable, 0, "b:y anew, fallback at once"),
        (FailureClass::BadRequest, 0, "end"),
        (FailureClass::ContentPolicy, 0, "end"),
        (FailureClass::ContentPolicy, 9, "end"),
        (FailureClass::TotalTimeout, 9, "end"),
    ] {
        assert_eq!(told(&[failed("a:x", tokens, class)], &both, RULES), expected, "{class}");
    }
    assert_eq!(told(&[], &both, RULES), "a:x anew, at once");
    assert_eq!(told(&[failed("a:x", 0, FailureClass::FirstTokenTimeout)], &both[..1], RULES), "end");
    assert_eq!(
        told(&[failed("a:x", 40, FailureClass::Cut)], &both[..1], RULES),
        "a:x anew, retry 1 after 0ns",
        "without a fallback a broken answer is restarted by its own model"
    );
}

#[test]
fn after_its_retries_a_model_gives_way_and_a_long_wait_is_not_waited_for() {
    let both = [candidate("a:x"), candidate("b:y")];
    let errors = vec![failed("a:x", 0, FailureClass::ProviderError); 4];
    assert_eq!(told(&errors[..3], &both, RULES), "a:x anew, retry 3 after 0ns");
    assert_eq!(told(&errors, &both, RULES), "b:y anew, fallback");
    let asks = |ms| {
        let failure = Failure { retry_after_ms: Some(ms), ..Failure::new(FailureClass::RateLimited, "") };
        attempt("a:x", 0, Outcome::Failed, Some(failure))
    };
    assert_eq!(told(&[asks(2_000)], &both, RULES), "b:y anew, fallback", "another one need not wait");
    assert_eq!(told(&[asks(2_000)], &both[..1], RULES), "a:x anew, retry 1 after 2s");
    assert_eq!(told(&[asks(60_000)], &both, RULES), "b:y anew, fallback");
    assert_eq!(told(&[asks(60_000)], &both[..1], RULES), "end");
}

#[test]
fn an_answer_goes_on_where_a_model_can_and_is_restarted_where_it_refuses() {
    let can = |model: &str| Candidate { can_continue: true, ..candidate(model) };
    let rules = Rules { has_beginning: true, ..RULES };
    let cut = failed("a:x", 40, FailureClass::Cut);
    let stalled = failed("a:x", 40, FailureClass::StallTimeout);
    let mixed = [candidate("a:x"), can("b:y")];
    assert_eq!(
        told(std::slice::from_ref(&cut), &[can("a:x"), can("b:y")], rules),
        "a:x goes on, retry 1 after 0ns"
    );
    assert_eq!(told(std::slice::from_ref(&cut), &mixed, rules), "b:y goes on, fallback");
    assert_eq!(told(&[stalled], &mixed, rules), "b:y goes on, fallback");
    let refused = [cut.clone(), refused_to_continue("b:y")];
    assert_eq!(told(&refused, &mixed, rules), "b:y anew, at once");
    let again = [cut, refused_to_continue("b:y"), failed("b:y", 7, FailureClass::Cut)];
    assert_eq!(told(&again, &mixed, rules), "b:y anew, retry 1 after 0ns", "it is not asked a second time");
    let interrupted = [attempt("b:y", 7, Outcome::Interrupted, None)];
    assert_eq!(told(&interrupted, &mixed, rules), "b:y goes on, at once");
}

#[test]
fn what_is_too_long_goes_to_a_larger_window() {
    let window = |model: &str, tokens| Candidate { context_window: Some(tokens), ..candidate(model) };
    let all = [window("a:x", 8_000), window("b:y", 8_000), candidate("c:z"), window("d:w", 128_000)];
    assert_eq!(told(&[failed("a:x", 0, FailureClass::ContextLength)], &all, RULES), "d:w anew, fallback");
    assert_eq!(told(&[failed("a:x", 0, FailureClass::ContextLength)], &all[..3], RULES), "end");
}

proptest! {
    /// However calls fail: a lane ends, no model is called more often than its retries allow, a route that was silent
    /// to its limit is not called again, and nobody is called after an answer was refused for what it is.
    #[test]
    fn every_lane_ends_and_hammers_nobody(
        fates in proptest::collection::vec((prop::sample::select(FailureClass::ALL), 0..3_u64), 60),
        can_continue in proptest::collection::vec(any::<bool>(), 1..5),
        has_beginning in any::<bool>(),
    ) {
        let candidates: Vec<_> = (0..)
            .zip(&can_continue)
            .map(|(place, can)| Candidate { can_continue: *can, ..candidate(&format!("p{place}:m")) })
            .collect();
        let rules = Rules { has_beginning, ..RULES };
        let mut attempts: Vec<AttemptState> = Vec::new();
        for (class, tokens) in fates {
            let so_far: Vec<_> = attempts.iter().collect();
            let Next::Attempt(step) = next(&so_far, &candidates, rules) else {
                let last = attempts.last().unwrap();
                prop_assert!(last.finished.is_some());
                return Ok(());
            };
            let model = &candidates[step.candidate].model;
            let of_model: Vec<_> = attempts.iter().filter(|attempt| attempt.started.model == *model).collect();
            // A refusal to go on from a beginning comes on top, once.
            prop_assert!(of_model.len() < 5, "{attempts:?}");
            for attempt in &of_model {
                prop_assert!(!has_failed_by(attempt, FailureClass::FirstTokenTimeout));
                prop_assert!(!has_failed_by(attempt, FailureClass::StallTimeout));
            }
            prop_assert!(!attempts.iter().any(|attempt| has_failed_by(attempt, FailureClass::ContentPolicy)));
            let mut attempt = failed(&model.to_string(), tokens, class);
            attempt.started.continues =
                step.continues.then_some(Continues { attempt_seq: AttemptSeq(1), token_index: TokenIndex(0) });
            attempts.push(attempt);
        }
        prop_assert!(false, "the lane does not end: {attempts:?}");
    }
}
