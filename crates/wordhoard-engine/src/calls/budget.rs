//! How often calls to one provider may be tried again, over all requests: so that an outage is not multiplied.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::settings::RetrySettings;

/// What counts as recent.
const WINDOW: Duration = Duration::from_secs(60);
/// Calls are counted by the second.
const SLOT: Duration = Duration::from_secs(1);

/// The budget: retries within the last minute are at most a share of the first calls of that minute, or the floor.
#[derive(Debug)]
pub(super) struct RetryBudget {
    settings: RetrySettings,
    /// Oldest first.
    slots: VecDeque<Slot>,
}

#[derive(Debug)]
struct Slot {
    since: Instant,
    calls: u64,
    retries: u64,
}

impl RetryBudget {
    pub(super) fn new(settings: RetrySettings) -> Self {
        Self { settings, slots: VecDeque::new() }
    }

    /// A call was made that is no retry.
    pub(super) fn note_call(&mut self, now: Instant) {
        self.slot(now).calls += 1;
    }

    /// Takes one retry, if there is one left.
    pub(super) fn take_retry(&mut self, now: Instant) -> bool {
        self.slot(now);
        let calls: u64 = self.slots.iter().map(|slot| slot.calls).sum();
        let retries: u64 = self.slots.iter().map(|slot| slot.retries).sum();
        let share = (calls as f64 * self.settings.budget_share) as u64;
        let is_left = retries < share.max(u64::from(self.settings.budget_floor));
        if is_left {
            self.slot(now).retries += 1;
        }
        is_left
    }

    fn slot(&mut self, now: Instant) -> &mut Slot {
        while self.slots.front().is_some_and(|oldest| now.saturating_duration_since(oldest.since) >= WINDOW) {
            self.slots.pop_front();
        }
        let is_over = |newest: &Slot| now.saturating_duration_since(newest.since) >= SLOT;
        if self.slots.back().is_none_or(is_over) {
            self.slots.push_back(Slot { since: now, calls: 0, retries: 0 });
        }
        let newest = self.slots.len() - 1;
        &mut self.slots[newest]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(share: f64, floor: u32) -> RetryBudget {
        RetryBudget::new(RetrySettings {
            max: 3,
            longest_wait: Duration::ZERO,
            budget_share: share,
            budget_floor: floor,
        })
    }

    #[test]
    fn retries_are_a_share_of_the_calls_of_the_last_minute_or_the_floor() {
        let (mut budget, start) = (budget(0.2, 3), Instant::now());
        let taken = |budget: &mut RetryBudget, now| (0..1_000).filter(|_| budget.take_retry(now)).count();
        assert_eq!(taken(&mut budget, start), 3, "the floor, without any call");
        for second in 0..50 {
            (0..10).for_each(|_| budget.note_call(start + Duration::from_secs(second)));
        }
        assert_eq!(taken(&mut budget, start + Duration::from_secs(50)), 97);
        let later = start + Duration::from_secs(200);
        assert_eq!(taken(&mut budget, later), 3, "what is older does not count");
        assert!(budget.slots.len() <= 61);
    }
}
