use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// One timer for all waits of an answer: their ends move on with every read, and a timer that was set costs as much as a read.
#[derive(Debug)]
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    pub(super) fn new(at: Instant) -> Self {
        Self(Box::pin(sleep_until(at)))
    }

    /// Ends at this moment. The timer is only set anew where it would go off too late, or has gone off too early.
    pub(super) async fn until(&mut self, at: Instant) {
        if self.0.deadline() > at {
            self.0.as_mut().reset(at);
        }
        loop {
            self.0.as_mut().await;
            if self.0.deadline() >= at {
                return;
            }
            self.0.as_mut().reset(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_goes_off_at_the_moment_that_was_named_last() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut alarm = Alarm::new(after(50));
        for ms in [80, 70, 90, 20] {
            assert_eq!(alarm.until(after(ms)).now_or_never(), None, "{ms}");
        }
        alarm.until(after(60)).await;
        assert_eq!(start.elapsed(), Duration::from_millis(60));
        alarm.until(after(40)).await;
        assert_eq!(start.elapsed(), Duration::from_millis(60));
    }
}
