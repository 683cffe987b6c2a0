//! One key's account: pure counting.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use wordhoard_model::{Cost, KeyLimits, Timestamp};
use wordhoard_store::OthersSpending;

use super::{Estimate, Exceeded, KeyUsage, Refusal, Standing, Window};

const MINUTE_MS: i64 = 60_000;
/// More tokens than this can only be a provider's nonsense; bounded, no sum saturates.
const MAX_TOKENS: u64 = 1 << 40;
/// When to try again where a request has to end first: nobody can tell.
const SHORT_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Account {
    /// Requests of the last minute, oldest first; older ones until somebody looks.
    recent: VecDeque<Recent>,
    /// The tokens of all in `recent`.
    recent_tokens: u64,
    /// Requests that run, by their reservations.
    running: BTreeMap<u64, Reserved>,
    /// What the requests of a day have cost, of those that have ended.
    days: BTreeMap<i64, Cost>,
    others: Others,
}

#[derive(Debug)]
struct Recent {
    at: Timestamp,
    tokens: u64,
    /// None for one of an earlier run.
    reservation: Option<u64>,
}

#[derive(Debug)]
struct Reserved {
    at: Timestamp,
    cost: Cost,
}

/// What other servers use, as it was at a moment. What is older than its period counts no more.
#[derive(Debug)]
struct Others {
    at: Timestamp,
    requests: u64,
    tokens: u64,
    running: u64,
    day: Cost,
    month: Cost,
}

impl Default for Others {
    fn default() -> Self {
        let (at, nothing) = (Timestamp::from_millis(0), Cost::default());
        Self { at, requests: 0, tokens: 0, running: 0, day: nothing, month: nothing }
    }
}

impl Others {
    fn at(&self, now: Timestamp) -> KeyUsage {
        let is_new = is_recent(self.at, now);
        let of_minute = |count: u64| if is_new { count } else { 0 };
        let of = |is_same: bool, cost: Cost| if is_same { cost } else { Cost::default() };
        KeyUsage {
            requests: of_minute(self.requests),
            tokens: of_minute(self.tokens),
            running: of_minute(self.running),
            day: of(self.at.utc_day() == now.utc_day(), self.day),
            month: of(self.at.utc_month() == now.utc_month(), self.month),
        }
    }
}

impl Account {
    pub(super) fn check(
        &mut self,
        limits: &KeyLimits,
        asked: Estimate,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let used = self.usage(now);
        let standing = self.standing(limits, used, now);
        let refuse = |exceeded, retry_after| Err(Refusal { exceeded, retry_after, standing });
        if let Some(limit) = limits.concurrent_requests.map(u64::from)
            && used.running >= limit
        {
            return refuse(Exceeded::Concurrent { limit }, Some(SHORT_PAUSE));
        }
        if let Some(limit) = limits.requests_per_minute.map(u64::from)
            && used.requests >= limit
        {
            let wait = self.wait_for(used.requests + 1 - limit, |_| 1, now);
            return refuse(Exceeded::Requests { limit }, (limit > 0).then_some(wait));
        }
        if let Some(limit) = limits.tokens_per_minute
            && used.tokens.saturating_add(asked.tokens) > limit
        {
            let exceeded = Exceeded::Tokens { limit, asked: asked.tokens };
            let too_many = used.tokens.saturating_add(asked.tokens) - limit;
            let wait = self.wait_for(too_many, |recent| recent.tokens, now);
            return refuse(exceeded, (asked.tokens <= limit).then_some(wait));
        }
        let periods = [
            (limits.budget_per_day, used.day, "day", now.next_utc_day()),
            (limits.budget_per_month, used.month, "month", now.next_utc_month()),
        ];
        for (budget, used, period, next) in periods {
            let Some(budget) = budget else { continue };
            // Without a price nobody gets here; and where all is spent, what costs nothing does not pass either.
            if used.plus(asked.cost) > budget || used >= budget {
                let left = Cost::from_nano_usd(budget.nano_usd().saturating_sub(used.nano_usd()));
                let exceeded = Exceeded::Budget { budget, period, left, asked: asked.cost };
                let wait = Duration::from_millis(next.millis_since(now));
                return refuse(exceeded, (asked.cost <= budget).then_some(wait));
            }
        }
        Ok(())
    }

    pub(super) fn reserve(&mut self, number: u64, asked: Estimate, at: Timestamp) {
        let recent = Recent { at, tokens: asked.tokens, reservation: Some(number) };
        self.insert(recent);
        self.running.insert(number, Reserved { at, cost: asked.cost });
    }

    pub(super) fn settle(&mut self, number: u64, tokens: u64, cost: Cost) {
        let Some(reserved) = self.running.remove(&number) else { return };
        let tokens = tokens.min(MAX_TOKENS);
        self.add_spent(reserved.at.utc_day(), cost);
        if let Some(place) = self.place_of(number, reserved.at) {
            let recent = &mut self.recent[place];
            self.recent_tokens = self.recent_tokens.saturating_sub(recent.tokens).saturating_add(tokens);
            recent.tokens = tokens;
            recent.reservation = None;
        }
    }

    /// Gives back what was reserved, where it was not settled.
    pub(super) fn release(&mut self, number: u64) {
        let Some(reserved) = self.running.remove(&number) else { return };
        let place = self.place_of(number, reserved.at);
        if let Some(recent) = place.and_then(|place| self.recent.remove(place)) {
            self.recent_tokens = self.recent_tokens.saturating_sub(recent.tokens);
        }
    }

    fn place_of(&self, number: u64, at: Timestamp) -> Option<usize> {
        let first = self.recent.partition_point(|recent| recent.at < at);
        let same_time = self.recent.range(first..).take_while(|recent| recent.at == at);
        same_time.zip(first..).find(|(recent, _)| recent.reservation == Some(number)).map(|(_, place)| place)
    }

    pub(super) fn add_spent(&mut self, day: i64, cost: Cost) {
        let spent = self.days.entry(day).or_default();
        *spent = spent.plus(cost);
    }

    pub(super) fn add_recent(&mut self, at: Timestamp, tokens: u64) {
        self.insert(Recent { at, tokens, reservation: None });
    }

    pub(super) fn forget_others(&mut self) {
        self.others = Others::default();
    }

    pub(super) fn add_others(&mut self, spending: &OthersSpending, at: Timestamp) {
        let others = &mut self.others;
        others.at = at;
        others.requests += spending.requests;
        others.tokens += spending.tokens;
        others.running += spending.running;
        others.day = others.day.plus(spending.day);
        others.month = others.month.plus(spending.month);
    }

    pub(super) fn usage(&mut self, now: Timestamp) -> KeyUsage {
        self.forget_old(now);
        let of = |first_day: i64| {
            let spent = self.days.range(first_day..).map(|(_, cost)| *cost);
            let reserved =
                self.running.values().filter(|one| one.at.utc_day() >= first_day).map(|one| one.cost);
            spent.chain(reserved).fold(Cost::default(), Cost::plus)
        };
        let others = self.others.at(now);
        KeyUsage {
            requests: others.requests + self.recent.len() as u64,
            tokens: others.tokens.saturating_add(self.recent_tokens),
            running: others.running + self.running.len() as u64,
            day: of(now.utc_day()).plus(others.day),
            month: of(now.utc_month().utc_day()).plus(others.month),
        }
    }

    /// How the key stands that uses this much now.
    pub(super) fn standing(&self, limits: &KeyLimits, used: KeyUsage, now: Timestamp) -> Standing {
        let reset = self.recent.back().map_or(Duration::ZERO, |newest| left_of_minute(newest.at, now));
        let window = |limit: u64, used: u64| Window { limit, remaining: limit.saturating_sub(used), reset };
        Standing {
            requests: limits.requests_per_minute.map(|limit| window(limit.into(), used.requests)),
            tokens: limits.tokens_per_minute.map(|limit| window(limit, used.tokens)),
        }
    }

    /// How long until so much of the last minute is older than that. What others use is not known by its times: for it, a
    /// whole minute.
    fn wait_for(&self, amount: u64, of: impl Fn(&Recent) -> u64, now: Timestamp) -> Duration {
        let mut freed = 0_u64;
        for recent in &self.recent {
            freed = freed.saturating_add(of(recent));
            if freed >= amount {
                return left_of_minute(recent.at, now);
            }
        }
        Duration::from_millis(MINUTE_MS.unsigned_abs())
    }

    fn insert(&mut self, mut recent: Recent) {
        recent.tokens = recent.tokens.min(MAX_TOKENS);
        self.recent_tokens = self.recent_tokens.saturating_add(recent.tokens);
        let place = self.recent.partition_point(|other| other.at <= recent.at);
        self.recent.insert(place, recent);
    }

    fn forget_old(&mut self, now: Timestamp) {
        while let Some(oldest) = self.recent.pop_front_if(|oldest| !is_recent(oldest.at, now)) {
            self.recent_tokens = self.recent_tokens.saturating_sub(oldest.tokens);
        }
        // The month before stays for a while: a clock that is set back must not forget what was spent.
        let oldest_day = now.utc_day() - 62;
        self.days.retain(|day, _| *day >= oldest_day);
    }
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.as_millis().saturating_sub(at.as_millis()) < MINUTE_MS
}

fn left_of_minute(at: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis((MINUTE_MS as u64).saturating_sub(now.millis_since(at)).max(1))
}

#[cfg(test)]
mod tests;
