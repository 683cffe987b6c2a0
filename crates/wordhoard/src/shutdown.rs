//! The orderly end: steps that the parts register, run in a fixed order, each with a limit of its own, so that none
//! can hold up the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use crate::upkeep::ShutdownStep;

/// When a step has its turn. Steps of one phase run in the order in which they were registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Nothing new is begun.
    Refuse,
    /// What runs may end, and is ended.
    Drain,
    /// Readers are told to come back, and connections close.
    Disconnect,
    /// SQL gets its last chance to take what the log has.
    Apply,
    /// The log and the database are closed.
    Close,
    /// All work is over; what was gathered about it may be sent.
    Report,
}

/// Why a step has not done its work. For the log.
pub(crate) type StepResult = Result<(), String>;

type Work = Box<dyn FnOnce() -> BoxFuture<'static, StepResult> + Send>;

struct Step {
    phase: Phase,
    name: &'static str,
    limit: Duration,
    work: Work,
}

/// The steps of one server's end. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Shutdown(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    steps: Vec<Step>,
    initiated: bool,
    told: Vec<ShutdownStep>,
}

impl Shutdown {
    /// Adds a step. One that takes longer than its limit is dropped where it is, and the next one has its turn.
    pub(crate) fn register<F>(
        &self,
        phase: Phase,
        name: &'static str,
        limit: Duration,
        work: impl FnOnce() -> F + Send + 'static,
    ) where
        F: Future<Output = StepResult> + Send + 'static,
    {
        let work: Work = Box::new(move || work().boxed());
        self.0.lock().steps.push(Step { phase, name, limit, work });
    }

    /// Runs all steps, once.
    pub(crate) async fn run(&self) {
        let mut steps = {
            let mut inner = self.0.lock();
            inner.initiated = true;
            std::mem::take(&mut inner.steps)
        };
        steps.sort_by_key(|step| step.phase);
        for step in steps {
            self.run_step(step).await;
        }
    }

    async fn run_step(&self, Step { name, limit, work, .. }: Step) {
        let place = {
            let told = &mut self.0.lock().told;
            told.push(ShutdownStep { name, state: "running", elapsed_ms: None });
            told.len() - 1
        };
        let started = Instant::now();
        let result = tokio::time::timeout(limit, work()).await;
        let elapsed_ms = started.elapsed().as_millis() as u64;
        let state = match result {
            Ok(Ok(())) => {
                tracing::info!(step = name, elapsed_ms, "shutdown");
                "done"
            }
            Ok(Err(reason)) => {
                tracing::warn!(step = name, elapsed_ms, reason, "shutdown: a step failed");
                "failed"
            }
            Err(_) => {
                tracing::warn!(step = name, elapsed_ms, "shutdown: the time of a step is over");
                "timed_out"
            }
        };
        if let Some(told) = self.0.lock().told.get_mut(place) {
            (told.state, told.elapsed_ms) = (state, Some(elapsed_ms));
        }
    }

    /// The steps that have begun.
    pub(crate) fn steps(&self) -> Vec<ShutdownStep> {
        self.0.lock().told.clone()
    }
}

impl std::fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shutdown").field("initiated", &self.0.lock().initiated).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn steps_run_by_phase_and_none_holds_up_the_others() {
        let (shutdown, ran) = (Shutdown::default(), Arc::new(Mutex::new(Vec::new())));
        let note = |name: &'static str| {
            let ran = Arc::clone(&ran);
            move || async move {
                ran.lock().push(name);
                Ok(())
            }
        };
        let limit = Duration::from_millis(50);
        shutdown.register(Phase::Close, "last", limit, note("last"));
        shutdown.register(Phase::Drain, "hangs", limit, std::future::pending);
        shutdown.register(Phase::Drain, "fails", limit, || async { Err("broken".to_owned()) });
        shutdown.register(Phase::Refuse, "first", limit, note("first"));
        assert!(shutdown.steps().is_empty());
        shutdown.run().await;
        assert_eq!(*ran.lock(), ["first", "last"]);
        let steps = shutdown.steps();
        let told: Vec<_> = steps.iter().map(|step| (step.name, step.state)).collect();
        let expected = [("first", "done"), ("hangs", "timed_out"), ("fails", "failed"), ("last", "done")];
        assert_eq!(told, expected);
        assert!(steps.iter().all(|step| step.elapsed_ms.is_some()));
    }
}
