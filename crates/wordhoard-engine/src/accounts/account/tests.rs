use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Ask(Estimate),
    /// Ends the n-th of those that run, with a share of what was reserved.
    End(usize, u64),
    Refuse(usize),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..50, 0_u64..40).prop_map(|(tokens, cost)| {
            Step::Ask(Estimate { tokens, cost: Cost::from_nano_usd(cost) })
        }),
        3 => (any::<usize>(), 0_u64..=100).prop_map(|(which, percent)| Step::End(which, percent)),
        1 => any::<usize>().prop_map(Step::Refuse),
        2 => prop_oneof![1_i64..30_000, Just(12 * 3_600_000)].prop_map(Step::Wait),
    ]
}

/// A request that was let in, as the test itself keeps it.
struct Kept {
    number: u64,
    at: Timestamp,
    tokens: u64,
    cost: Cost,
    runs: bool,
}

proptest! {
    /// Whatever comes and ends in whatever order: no limit is broken, and what is refused would have broken one.
    #[test]
    fn what_is_let_in_keeps_every_limit_and_what_is_refused_would_not(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let limits = KeyLimits {
            requests_per_minute: Some(6),
            tokens_per_minute: Some(120),
            concurrent_requests: Some(3),
            budget_per_day: Some(Cost::from_nano_usd(150)),
            budget_per_month: Some(Cost::from_nano_usd(400)),
            ..KeyLimits::default()
        };
        let (mut account, mut kept, mut now) = (Account::default(), Vec::<Kept>::new(), Timestamp::from_millis(0));
        for (number, step) in (0..).zip(steps) {
            let running: Vec<usize> = (0..kept.len()).filter(|place| kept[*place].runs).collect();
            let chosen = |which: usize| (!running.is_empty()).then(|| running[which % running.len()]);
            match step {
                Step::Wait(millis) => now = Timestamp::from_millis(now.as_millis() + millis),
                Step::End(which, percent) => if let Some(place) = chosen(which) {
                    let one = &mut kept[place];
                    one.runs = false;
                    one.tokens = one.tokens * percent / 100;
                    one.cost = Cost::from_nano_usd(one.cost.nano_usd() * percent / 100);
                    account.settle(one.number, one.tokens, one.cost);
                },
                Step::Refuse(which) => if let Some(place) = chosen(which) {
                    account.release(kept.remove(place).number);
                },
                Step::Ask(asked) => {
                    let minute = || kept.iter().filter(|one| is_recent(one.at, now));
                    let cost = |from: i64| kept.iter().filter(|one| one.at.utc_day() >= from)
                        .fold(asked.cost, |sum, one| sum.plus(one.cost));
                    let requests = minute().count() as u64 + 1;
                    let tokens = minute().map(|one| one.tokens).sum::<u64>() + asked.tokens;
                    let month = now.utc_month().utc_day();
                    let spent = |cost: Cost| Cost::from_nano_usd(cost.nano_usd() - asked.cost.nano_usd());
                    let (day, month) = (cost(now.utc_day()), cost(month));
                    let is_over = |cost: Cost, budget: u64| cost.nano_usd() > budget || spent(cost).nano_usd() >= budget;
                    let breaks = requests > 6 || tokens > 120 || running.len() >= 3 || is_over(day, 150) || is_over(month, 400);
                    let checked = account.check(&limits, asked, now);
                    prop_assert_eq!(checked.is_err(), breaks, "{:?}", checked);
                    if checked.is_ok() {
                        account.reserve(number, asked, now);
                        let (tokens, cost) = (asked.tokens, asked.cost);
                        kept.push(Kept { number, at: now, tokens, cost, runs: true });
                    }
                }
            }
        }
    }
}

/// Whoever comes back when it was told to gets in.
#[test]
fn the_wait_that_is_told_is_long_enough_and_not_longer() {
    let limits = KeyLimits { requests_per_minute: Some(2), ..KeyLimits::default() };
    let (mut account, mut number) = (Account::default(), 0);
    let mut ask = |millis: i64| {
        let now = Timestamp::from_millis(millis);
        let checked = account.check(&limits, Estimate::default(), now);
        if checked.is_ok() {
            number += 1;
            account.reserve(number, Estimate::default(), now);
        }
        checked.map_err(|refusal| refusal.retry_after.unwrap().as_millis())
    };
    assert_eq!((ask(0), ask(20_000)), (Ok(()), Ok(())));
    assert_eq!(ask(30_000), Err(30_000));
    assert_eq!((ask(59_999), ask(60_000), ask(60_001)), (Err(1), Ok(()), Err(19_999)));
}

/// What can never pass says so by not naming a time.
#[test]
fn what_is_larger_than_the_limit_itself_is_not_told_to_come_back() {
    let now = Timestamp::from_millis(0);
    let tokens = KeyLimits { tokens_per_minute: Some(10), ..KeyLimits::default() };
    let money = KeyLimits { budget_per_month: Some(Cost::from_nano_usd(5)), ..KeyLimits::default() };
    let asked = Estimate { tokens: 11, cost: Cost::from_nano_usd(6) };
    for limits in [tokens, money] {
        assert_eq!(Account::default().check(&limits, asked, now).unwrap_err().retry_after, None);
    }
}
