//! Randomness that can be repeated: the seed is printed, and can be given.

/// A small generator (SplitMix64). Its quality is enough to choose moments and cases.
pub struct Random(u64);

impl Random {
    /// From `WORDHOARD_SEED`, or from the clock.
    pub fn from_environment(test: &str) -> Self {
        Self::from_environment_or(test, std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64)
    }

    /// From `WORDHOARD_SEED`, or this one.
    pub fn from_environment_or(test: &str, seed: u64) -> Self {
        let seed = setting("WORDHOARD_SEED").unwrap_or(seed);
        println!("{test}: WORDHOARD_SEED={seed}");
        Self(seed)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

/// A number from the environment, for runs longer than those of every day.
#[expect(clippy::disallowed_methods, reason = "a test has no configuration to read it for it")]
pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}
