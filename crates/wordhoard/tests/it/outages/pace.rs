//! How steadily tokens arrive.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use wordhoard_testkit::client::SeenEvent;

/// What a machine of two cores, busy with a database besides, adds in the worst hundredth without any outage.
const NOISE: Duration = Duration::from_millis(50);

/// The arrivals of the tokens of all streams.
#[derive(Debug, Default)]
pub struct Arrivals(Mutex<Vec<Arrival>>);

#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: Instant,
    /// Since the token before it in its stream.
    gap: Duration,
    /// Since the provider sent it.
    delay: Duration,
}

/// How it was in a stretch of time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub tokens: usize,
    gap_p99: Duration,
    delay_p50: Duration,
    delay_p99: Duration,
    delay_max: Duration,
}

impl Arrivals {
    /// A token has come, after one that came at `before`. Its text begins with the time at which it was sent, in
    /// nanoseconds since 1970.
    pub fn note(&self, token: &SeenEvent, before: Option<Instant>) -> Instant {
        let at = Instant::now();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap();
        let sent = token.data["text"].as_str().unwrap().split(':').next().unwrap().parse().unwrap();
        let delay = now.saturating_sub(Duration::from_nanos(sent));
        if let Some(before) = before {
            let arrival = Arrival { at, gap: at - before, delay };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(arrival);
        }
        at
    }

    pub fn pace(&self, from: Instant, to: Instant) -> Pace {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let within: Vec<_> = all.iter().filter(|one| (from..to).contains(&one.at)).collect();
        let (mut gaps, mut delays): (Vec<_>, Vec<_>) = within.iter().map(|one| (one.gap, one.delay)).unzip();
        gaps.sort_unstable();
        delays.sort_unstable();
        let at = |sorted: &[Duration], percent| sorted.get(sorted.len() * percent / 100).copied();
        Pace {
            tokens: within.len(),
            gap_p99: at(&gaps, 99).unwrap_or_default(),
            delay_p50: at(&delays, 50).unwrap_or_default(),
            delay_p99: at(&delays, 99).unwrap_or_default(),
            delay_max: delays.last().copied().unwrap_or_default(),
        }
    }
}

impl Pace {
    /// As steady as `normal`, in the measure of the promise: twice the worst hundredth.
    pub fn assert_near(&self, normal: &Self, outage: &str) {
        for (what, here, usual) in
            [("gap", self.gap_p99, normal.gap_p99), ("delay", self.delay_p99, normal.delay_p99)]
        {
            let allowed = (usual * 2).max(NOISE);
            assert!(here <= allowed, "{outage}: p99 of the {what} is {here:?}, normal is {usual:?}");
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        write!(
            f,
            "{} tokens, gap p99 {:.1} ms, delay p50 {:.1} p99 {:.1} max {:.1} ms",
            self.tokens,
            ms(self.gap_p99),
            ms(self.delay_p50),
            ms(self.delay_p99),
            ms(self.delay_max)
        )
    }
}
