//! Randomness that can be repeated: the seed is printed, and can be given.

use wordhoard_testkit::chance::Chance;

/// Chance whose seed is printed.
pub struct Random(Chance);

impl Random {
    /// From `WORDHOARD_SEED`, or from the clock.
    pub fn from_environment(test: &str) -> Self {
        Self::from_environment_or(test, std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64)
    }

    /// From `WORDHOARD_SEED`, or this one.
    pub fn from_environment_or(test: &str, seed: u64) -> Self {
        let seed = setting("WORDHOARD_SEED").unwrap_or(seed);
        println!("{test}: WORDHOARD_SEED={seed}");
        Self(Chance::new(seed))
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0.below(end)
    }
}

/// A number from the environment, for runs longer than those of every day.
#[expect(clippy::disallowed_methods, reason = "a test has no configuration to read it for it")]
pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}
