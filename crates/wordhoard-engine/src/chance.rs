//! Randomness for waits: so that those who fail together do not come back together.

use std::time::Duration;

/// A number from 0 up to, and without, 1.
pub(crate) fn uniform() -> f64 {
    // Without randomness a wait is the middle one; that is no reason to fail.
    let bits = getrandom::u64().unwrap_or(u64::MAX / 2);
    // The 53 bits that a double holds exactly.
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A duration between two, both included.
pub(crate) fn between(shortest: Duration, longest: Duration) -> Duration {
    shortest + longest.saturating_sub(shortest).mul_f64(uniform())
}
