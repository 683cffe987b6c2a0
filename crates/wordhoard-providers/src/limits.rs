use std::time::Duration;

/// How long a provider may take. Past a limit the call fails in a class of its own for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// For the name lookup, TCP and TLS together.
    pub connect: Duration,
    /// From the start of the call to the first delta. Headers, comments and chunks without text do not count.
    pub first_token: Duration,
    /// From one delta to the next, and from the last one to the end. Comments do not count. Runs only while someone
    /// waits for the delta: a slow reader is not the provider's fault.
    pub between_tokens: Duration,
    /// From the start of the call to its end.
    pub total: Duration,
}

/// The defaults of the specification: 5 s, 30 s, 30 s, 10 min.
impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_token: Duration::from_secs(30),
            between_tokens: Duration::from_secs(30),
            total: Duration::from_secs(600),
        }
    }
}
