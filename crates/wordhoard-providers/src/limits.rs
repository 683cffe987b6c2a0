use std::time::Duration;

/// How long a provider may take. Past a limit the call fails in a class of its own for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// For the name lookup, TCP and TLS together.
    pub connect: Duration,
    /// From one byte to the next until the first delta: headers, comments and pings are signs of life.
    pub first_token: Duration,
    /// From one byte to the next after the first delta. Runs only while someone waits for the delta: a slow reader is not the
    /// provider's fault.
    pub between_bytes: Duration,
    /// From the start of the call to its end.
    pub total: Duration,
}

/// The defaults of SPEC FD 2.
impl Default for TimeLimits {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            connect: Duration::from_secs(10),
            first_token: 10 * MINUTE,
            between_bytes: 10 * MINUTE,
            total: 60 * MINUTE,
        }
    }
}
