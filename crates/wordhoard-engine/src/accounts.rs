//! What keys may use, and what they have used.
//!
//! The truth is in the requests themselves: each has its key, its cost and its tokens, in the log and then in SQL. Here it is
//! summed up in memory, so that no prompt waits for SQL: what earlier runs of this server used is read once, what this run
//! uses is added as it happens, and what other servers use is asked for from time to time. What a request may use at most is
//! reserved when it comes, and replaced by what it did use when it ends.

mod account;
pub(crate) mod estimate;
mod loading;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use account::Account;
pub(crate) use estimate::{Estimate, tokens_of};
pub(crate) use loading::{hear_of_others, load_at_start, run};
use parking_lot::Mutex;
use wordhoard_model::{Cost, KeyId, KeyLimits, RequestFinished, Timestamp};
use wordhoard_store::{OthersSpending, OwnSpending};

/// How much of a limit by the minute is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What may be used within a minute.
    pub limit: u64,
    /// What of it may be used at once.
    pub remaining: u64,
    /// When all of it is there again, if nothing is used meanwhile.
    pub reset: Duration,
}

/// How a key stands with its limits by the minute; none where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Requests.
    pub requests: Option<Window>,
    /// Tokens.
    pub tokens: Option<Window>,
}

/// What a key uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyUsage {
    /// Requests of the last 60 seconds.
    pub requests: u64,
    /// Their tokens; of those that run, what is reserved for them.
    pub tokens: u64,
    /// Requests that run.
    pub running: u64,
    /// What the requests of this day (UTC) cost, with what is reserved for those that run.
    pub day: Cost,
    /// The same of this month.
    pub month: Cost,
}

/// Which limit a request would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// Requests by the minute.
    #[error("this key may send {limit} requests a minute")]
    Requests {
        /// The limit.
        limit: u64,
    },
    /// Tokens by the minute.
    #[error("this key may use {limit} tokens a minute, and the request may need {asked}")]
    Tokens {
        /// The limit.
        limit: u64,
        /// What the request may need.
        asked: u64,
    },
    /// Requests at the same time.
    #[error("this key may have {limit} requests running at the same time")]
    Concurrent {
        /// The limit.
        limit: u64,
    },
    /// Money.
    #[error(
        "this key may spend {budget} USD a {period} (UTC), of which {left} are left, and the request may cost {asked}"
    )]
    Budget {
        /// The limit.
        budget: Cost,
        /// `day` or `month`.
        period: &'static str,
        /// What is left of it.
        left: Cost,
        /// What the request may cost.
        asked: Cost,
    },
}

/// A request that would break a limit of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which limit.
    pub exceeded: Exceeded,
    /// When it may be tried again; none where it can never pass, because it is larger than the limit.
    pub retry_after: Option<Duration>,
    /// How the key stands.
    pub standing: Standing,
}

/// All keys. Every request with a key is counted, whether anything is limited or not: a limit that is set later knows what was
/// used before.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    inner: Mutex<Inner>,
    next_reservation: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    limits: HashMap<KeyId, Arc<KeyLimits>>,
    accounts: HashMap<KeyId, Account>,
    /// Whether what earlier runs used is counted.
    is_loaded: bool,
}

/// What is reserved for a request. Given back when it is dropped, unless it was settled.
#[derive(Debug)]
pub(crate) struct Reservation {
    accounts: Arc<Accounts>,
    key: KeyId,
    number: u64,
}

impl Accounts {
    /// Takes over what the keys may use.
    pub(crate) fn set_limits(&self, limits: HashMap<KeyId, KeyLimits>) {
        let limits = limits.into_iter().map(|(key, limits)| (key, Arc::new(limits))).collect();
        self.inner.lock().limits = limits;
    }

    /// What a key may use.
    pub(crate) fn limits(&self, key: KeyId) -> Arc<KeyLimits> {
        self.inner.lock().limits.get(&key).cloned().unwrap_or_default()
    }

    /// Whether it is known what a key has used, as far as its limits ask for it.
    pub(crate) fn knows(&self, limits: &KeyLimits) -> bool {
        !limits.needs_history() || self.inner.lock().is_loaded
    }

    /// Reserves what a new request may use.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        key: KeyId,
        estimate: Estimate,
        now: Timestamp,
    ) -> Result<(Reservation, Standing), Refusal> {
        let number = self.next_reservation.fetch_add(1, Ordering::Relaxed);
        let mut inner = self.inner.lock();
        let limits = inner.limits.get(&key).cloned().unwrap_or_default();
        let account = inner.accounts.entry(key).or_default();
        account.check(&limits, estimate, now)?;
        account.reserve(number, estimate, now);
        let used = account.usage(now);
        let standing = account.standing(&limits, used, now);
        Ok((Reservation { accounts: Arc::clone(self), key, number }, standing))
    }

    /// Reserves for a request of an earlier run, whatever the limits.
    pub(crate) fn take_up(
        self: &Arc<Self>,
        key: KeyId,
        estimate: Estimate,
        created_at: Timestamp,
    ) -> Reservation {
        let number = self.next_reservation.fetch_add(1, Ordering::Relaxed);
        self.inner.lock().accounts.entry(key).or_default().reserve(number, estimate, created_at);
        Reservation { accounts: Arc::clone(self), key, number }
    }

    /// What a key uses now.
    pub(crate) fn usage(&self, key: KeyId, now: Timestamp) -> KeyUsage {
        self.inner.lock().accounts.get_mut(&key).map(|account| account.usage(now)).unwrap_or_default()
    }

    fn load(&self, own: OwnSpending) {
        let mut inner = self.inner.lock();
        // The start and the task may both have asked.
        if inner.is_loaded {
            return;
        }
        for spent in own.days {
            inner.accounts.entry(spent.key).or_default().add_spent(spent.day, spent.cost);
        }
        for request in own.recent {
            inner.accounts.entry(request.key).or_default().add_recent(request.at, request.tokens);
        }
        inner.is_loaded = true;
    }

    fn is_loaded(&self) -> bool {
        self.inner.lock().is_loaded
    }

    fn set_others(&self, others: &[OthersSpending], now: Timestamp) {
        let mut inner = self.inner.lock();
        inner.accounts.values_mut().for_each(Account::forget_others);
        for spending in others {
            inner.accounts.entry(spending.key).or_default().add_others(spending, now);
        }
    }
}

impl Reservation {
    /// The request has ended: what it used counts, in the place of what was reserved.
    pub(crate) fn settle(self, finished: &RequestFinished) {
        let both = [finished.usage, finished.failed_usage].into_iter().flatten().reduce(|a, b| a.plus(b));
        let counted = both.map(|usage| usage.input_tokens.saturating_add(usage.output_tokens));
        let tokens = counted.unwrap_or(finished.token_count);
        let mut inner = self.accounts.inner.lock();
        if let Some(account) = inner.accounts.get_mut(&self.key) {
            account.settle(self.number, tokens, finished.cost.unwrap_or_default());
        }
    }

    /// A call of which nothing is recorded has ended, or its caller has gone: it counts, and took no tokens that are billed.
    fn end_unrecorded(&self) {
        if let Some(account) = self.accounts.inner.lock().accounts.get_mut(&self.key) {
            account.settle(self.number, 0, Cost::default());
        }
    }
}

/// A reservation for a call of which nothing is recorded. It counts however the call ends.
#[derive(Debug)]
pub(crate) struct Unrecorded(pub(crate) Reservation);

impl Drop for Unrecorded {
    fn drop(&mut self) {
        self.0.end_unrecorded();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(account) = self.accounts.inner.lock().accounts.get_mut(&self.key) {
            account.release(self.number);
        }
    }
}
