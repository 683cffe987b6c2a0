use std::sync::{Mutex, MutexGuard, PoisonError};

/// On which side of a transaction's end the connection breaks. The client sees the same: an error in place of the
/// answer to its `COMMIT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitCut {
    /// The server does not get the `COMMIT`: the transaction did not happen.
    BeforeForwarding,
    /// The server gets it, and nothing that it answers comes back. The client's side is cut only when the server is
    /// done with all it got, so that the transaction has happened when the client notices.
    AfterForwarding,
}

/// The `COMMIT`s of all connections.
#[derive(Debug, Default)]
pub(super) struct Commits(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seen: u64,
    cut: u64,
    plan: Option<(u64, CommitCut)>,
}

impl Commits {
    /// Plans a cut at the `n`-th from now.
    pub(super) fn cut_at(&self, n: u64, cut: CommitCut) {
        self.state().plan = Some((n, cut));
    }

    /// One goes by: whether it is the one to cut at, and how.
    pub(super) fn pass(&self) -> Option<CommitCut> {
        let mut state = self.state();
        state.seen += 1;
        let (n, cut) = state.plan.take()?;
        if n > 1 {
            state.plan = Some((n - 1, cut));
            return None;
        }
        state.cut += 1;
        Some(cut)
    }

    pub(super) fn seen(&self) -> u64 {
        self.state().seen
    }

    pub(super) fn cut(&self) -> u64 {
        self.state().cut
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
