//! How long a stream has told nothing.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// How long a stream is silent at most (SPEC FD 1).
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One timer for all silences of a stream. Each ends with the next write, and a timer that was set for each would cost as much as the
/// write.
pub(super) struct Silence {
    timer: Pin<Box<Sleep>>,
    since: Instant,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self { timer: Box::pin(sleep(KEEP_ALIVE)), since: Instant::now() }
    }

    /// From now on nothing is told.
    pub(super) fn begin(&mut self) {
        self.since = Instant::now();
    }

    /// Ends when the silence has lasted so long that the stream should show that it is alive.
    pub(super) async fn is_long(&mut self) {
        let due = self.since + KEEP_ALIVE;
        loop {
            self.timer.as_mut().await;
            if self.timer.deadline() >= due {
                return;
            }
            self.timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_silence_without_a_pause_is_long() {
        let mut silence = Silence::new();
        for _ in 0..5 {
            silence.begin();
            tokio::time::advance(KEEP_ALIVE - Duration::from_millis(1)).await;
            assert!(silence.is_long().now_or_never().is_none());
        }
        let begun = Instant::now();
        silence.is_long().await;
        assert_eq!(begun.elapsed(), Duration::from_millis(1));
        silence.begin();
        silence.is_long().await;
        assert_eq!(begun.elapsed(), KEEP_ALIVE + Duration::from_millis(1));
    }
}
