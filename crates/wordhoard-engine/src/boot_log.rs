//! The steps of a start: what each took and how it ended, for the log and for health.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

/// One step of the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootStep {
    /// What is done.
    pub name: &'static str,
    /// Whether it is done, and how it ended.
    pub state: BootStepState,
    /// How long it took; nothing while it runs.
    pub elapsed_ms: Option<u64>,
}

/// How a step of the start stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootStepState {
    /// It runs.
    Running,
    /// It is done.
    Done,
    /// The server goes on without it for now; it is done later. The reason is for the operator.
    Deferred(String),
    /// It failed, and the start with it.
    Failed(String),
}

impl BootStepState {
    /// Its name, as health shows it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Deferred(_) => "deferred",
            Self::Failed(_) => "failed",
        }
    }
}

/// The steps so far. Clones are the same one.
#[derive(Clone, Debug)]
pub struct BootLog(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    begun: Instant,
    steps: Vec<BootStep>,
    ready_after_ms: Option<u64>,
}

/// A step that runs. Dropping it leaves the step as failed: the start was given up in it.
#[derive(Debug)]
#[must_use]
pub struct RunningStep {
    log: BootLog,
    place: usize,
    begun: Instant,
    ended: bool,
}

impl Default for BootLog {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Inner { begun: Instant::now(), steps: Vec::new(), ready_after_ms: None })))
    }
}

impl BootLog {
    /// Begins a step.
    pub fn begin(&self, name: &'static str) -> RunningStep {
        let mut inner = self.0.lock();
        inner.steps.push(BootStep { name, state: BootStepState::Running, elapsed_ms: None });
        RunningStep { log: self.clone(), place: inner.steps.len() - 1, begun: Instant::now(), ended: false }
    }

    /// All steps, in their order.
    pub fn steps(&self) -> Vec<BootStep> {
        self.0.lock().steps.clone()
    }

    /// The server is ready. Gives the milliseconds since the start.
    pub fn ready(&self) -> u64 {
        let mut inner = self.0.lock();
        let elapsed_ms = inner.begun.elapsed().as_millis() as u64;
        *inner.ready_after_ms.get_or_insert(elapsed_ms)
    }

    /// How long the start took, once it is over.
    pub fn ready_after_ms(&self) -> Option<u64> {
        self.0.lock().ready_after_ms
    }
}

impl RunningStep {
    /// It is done.
    pub fn done(self) {
        self.end(BootStepState::Done);
    }

    /// The server goes on without it.
    pub fn deferred(self, reason: impl Into<String>) {
        self.end(BootStepState::Deferred(reason.into()));
    }

    /// It failed.
    pub fn failed(self, reason: impl Into<String>) {
        self.end(BootStepState::Failed(reason.into()));
    }

    fn end(mut self, state: BootStepState) {
        self.ended = true;
        self.record(state);
    }

    fn record(&self, state: BootStepState) {
        let elapsed_ms = self.begun.elapsed().as_millis() as u64;
        let mut inner = self.log.0.lock();
        let Some(step) = inner.steps.get_mut(self.place) else { return };
        match &state {
            BootStepState::Deferred(reason) => {
                tracing::warn!(step = step.name, elapsed_ms, reason, "boot: the server goes on without it");
            }
            // Whoever gave up says why.
            BootStepState::Failed(_) => tracing::debug!(step = step.name, elapsed_ms, "boot: failed"),
            _ => tracing::info!(step = step.name, elapsed_ms, "boot"),
        }
        (step.state, step.elapsed_ms) = (state, Some(elapsed_ms));
    }
}

impl Drop for RunningStep {
    fn drop(&mut self) {
        if !self.ended {
            self.record(BootStepState::Failed("the start was given up".into()));
        }
    }
}
