use proptest::prelude::*;

use super::*;

const SETTINGS: BreakerSettings = BreakerSettings { failures: 3, open_for: Duration::from_secs(30) };

/// A moment; far from the first one, so that a clock may jump back.
fn at(seconds: u64) -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now) + Duration::from_secs(1_000_000 + seconds)
}

fn caller(request: u8) -> Caller {
    Caller { request: RequestId::from_bytes([request; 16]), is_retry: false }
}

fn fail(breaker: &mut Breaker, caller: Caller) {
    let pass = breaker.ask(at(0)).unwrap();
    breaker.end(&pass, caller, Verdict::Failure, at(0));
}

fn opened(now: Instant) -> Breaker {
    let mut breaker = Breaker::new(SETTINGS);
    for request in 0..3 {
        let pass = breaker.ask(now).unwrap();
        breaker.end(&pass, caller(request), Verdict::Failure, now);
    }
    assert!(matches!(breaker.state(), State::Open { .. }));
    breaker
}

#[test]
fn it_opens_after_three_failures_in_a_row_and_lets_one_probe_through_after_its_time() {
    let mut breaker = opened(at(0));
    assert_eq!(breaker.ask(at(10)), Err(Duration::from_secs(20)));
    let probe = breaker.ask(at(30)).unwrap();
    assert_eq!(breaker.ask(at(31)), Err(Duration::ZERO), "one probe at a time");
    breaker.end(&probe, caller(9), Verdict::Failure, at(31));
    assert_eq!(
        breaker.ask(at(32)),
        Err(Duration::from_secs(29)),
        "a failed probe opens it for another period"
    );
    let mut probe = breaker.ask(at(61)).unwrap();
    breaker.first_token(&mut probe);
    let other = breaker.ask(at(61)).unwrap();
    breaker.end(&probe, caller(9), Verdict::Success, at(62));
    breaker.end(&other, caller(9), Verdict::Failure, at(63));
    assert!(matches!(breaker.state(), State::Closed { failures: 1, .. }));
}

#[test]
fn one_request_alone_opens_nothing() {
    let mut breaker = Breaker::new(SETTINGS);
    (0..9).for_each(|_| fail(&mut breaker, caller(1)));
    assert!(matches!(breaker.state(), State::Closed { failures: 9, .. }));
    fail(&mut breaker, caller(2));
    assert!(matches!(breaker.state(), State::Open { .. }));
}

#[test]
fn retries_of_a_call_count_once() {
    let mut breaker = Breaker::new(SETTINGS);
    for request in 1..3 {
        fail(&mut breaker, caller(request));
        (0..3).for_each(|_| fail(&mut breaker, Caller { is_retry: true, ..caller(request) }));
    }
    assert!(matches!(breaker.state(), State::Closed { failures: 2, .. }));
}

#[test]
fn successes_between_failures_keep_it_closed_and_refusals_do_not_count() {
    let mut breaker = Breaker::new(SETTINGS);
    for verdict in [Verdict::Failure, Verdict::Failure, Verdict::Success, Verdict::Failure, Verdict::Answered]
    {
        let pass = breaker.ask(at(0)).unwrap();
        breaker.end(&pass, caller(9), verdict, at(0));
    }
    assert!(matches!(breaker.state(), State::Closed { failures: 1, .. }));
}

#[test]
fn a_probe_that_begins_well_and_breaks_opens_it_again() {
    let mut breaker = opened(at(0));
    let mut probe = breaker.ask(at(30)).unwrap();
    breaker.first_token(&mut probe);
    assert!(breaker.ask(at(30)).is_ok());
    breaker.end(&probe, caller(9), Verdict::Failure, at(31));
    assert!(breaker.ask(at(32)).is_err());
}

#[test]
fn a_cancelled_probe_frees_its_place() {
    let mut breaker = opened(at(0));
    let probe = breaker.ask(at(30)).unwrap();
    breaker.end(&probe, caller(9), Verdict::Nothing, at(31));
    assert!(breaker.ask(at(31)).is_ok());
}

#[test]
fn trial_by_hand_decides_at_once() {
    let mut breaker = opened(at(0));
    breaker.tried_by_hand(Verdict::Success, at(1));
    assert!(breaker.ask(at(1)).is_ok());
    breaker.tried_by_hand(Verdict::Failure, at(2));
    assert!(breaker.ask(at(2)).is_err());
}

#[test]
fn switched_off_it_never_opens() {
    let mut breaker = Breaker::new(BreakerSettings { failures: 0, ..SETTINGS });
    for _ in 0..100 {
        let pass = breaker.ask(at(0)).unwrap();
        breaker.end(&pass, caller(9), Verdict::Failure, at(0));
    }
    assert!(breaker.ask(at(0)).is_ok());
}

#[derive(Clone, Debug)]
enum Step {
    Ask,
    FirstToken(prop::sample::Index),
    End(prop::sample::Index, Verdict),
    /// The clock goes on, or jumps back.
    Clock(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let verdict = prop::sample::select(vec![
        Verdict::Success,
        Verdict::Answered,
        Verdict::Failure,
        Verdict::Failure,
        Verdict::Nothing,
    ]);
    prop_oneof![
        3 => Just(Step::Ask),
        1 => any::<prop::sample::Index>().prop_map(Step::FirstToken),
        3 => (any::<prop::sample::Index>(), verdict).prop_map(|(which, verdict)| Step::End(which, verdict)),
        2 => prop_oneof![0..40_i64, -100..0_i64].prop_map(Step::Clock),
    ]
}

proptest! {
    /// Whatever happens in whatever order: never two probes at once, nobody through while open, nothing that began
    /// before the newest opening closes, and never open for longer than its time by any clock.
    #[test]
    fn it_keeps_its_rules_under_any_history(steps in proptest::collection::vec(any_step(), 1..120)) {
        let mut breaker = Breaker::new(SETTINGS);
        let mut out: Vec<Pass> = Vec::new();
        let mut now_s: i64 = 0;
        for step in steps {
            let now = at(0) + Duration::from_secs(u64::try_from(now_s + 10_000).unwrap());
            let before = breaker.state();
            match step {
                Step::Clock(by) => now_s = (now_s + by).max(-9_000),
                Step::Ask => {
                    let asked = breaker.ask(now);
                    match (before, &asked) {
                        (State::Closed { .. }, asked) => prop_assert!(asked.is_ok()),
                        (State::HalfOpen { probing }, asked) => prop_assert_eq!(asked.is_err(), probing),
                        (State::Open { since, lasts }, Ok(pass)) => {
                            prop_assert!(pass.is_probe);
                            prop_assert!(now.saturating_duration_since(since) >= lasts);
                        }
                        (State::Open { lasts, .. }, Err(left)) => prop_assert!(*left <= lasts),
                    }
                    out.extend(asked);
                }
                Step::FirstToken(which) if !out.is_empty() => {
                    let place = which.index(out.len());
                    let was_current = breaker.is_current(&out[place]) && out[place].is_probe;
                    breaker.first_token(&mut out[place]);
                    prop_assert_eq!(breaker.state() != before, was_current);
                }
                Step::End(which, verdict) if !out.is_empty() => {
                    let pass = out.swap_remove(which.index(out.len()));
                    let was_current = breaker.is_current(&pass);
                    breaker.end(&pass, caller(u8::from(now_s % 2 == 0)), verdict, now);
                    if !was_current {
                        prop_assert_eq!(breaker.state(), before, "a stale end changes nothing");
                    }
                    if matches!(before, State::Open { .. }) {
                        prop_assert_eq!(breaker.state(), before, "nobody is let through while it is open");
                    }
                }
                _ => {}
            }
            let probes = out.iter().filter(|pass| pass.is_probe && breaker.is_current(pass)).count();
            let probing = breaker.state() == State::HalfOpen { probing: true };
            prop_assert_eq!(probes, usize::from(probing), "one probe, and only while half-open");
        }
    }
}
