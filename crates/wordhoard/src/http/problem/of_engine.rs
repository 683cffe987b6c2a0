//! What the engine's errors are to a client.

use wordhoard_engine::{AdmitError, CancelError, EraseError, Exceeded, ReadError, Refusal};

use super::{Problem, ProblemKind, can_fail, whole_seconds};

can_fail!(AdmitError: NotAccepting, Storage, Overloaded, TooManyRunning, IdempotencyUnavailable, ModelNotAllowed, ModelWithoutPrice, UsageUnknown, RateLimitExceeded, BudgetUsed, ExceedsLimitOfKey, IdempotencyKeyReused, IdempotencyKeyInFlight);

impl From<AdmitError> for Problem {
    fn from(error: AdmitError) -> Self {
        let detail = error.to_string();
        match error {
            AdmitError::NotAccepting => Self::new(ProblemKind::NotAccepting, detail).retry_after(5),
            AdmitError::Storage(_) => Self::new(ProblemKind::Storage, detail).retry_after(5),
            AdmitError::Overloaded { retry_after, .. } => {
                Self::new(ProblemKind::Overloaded, detail).retry_after(whole_seconds(retry_after))
            }
            AdmitError::TooManyRunning { .. } => {
                Self::new(ProblemKind::TooManyRunning, detail).retry_after(1)
            }
            AdmitError::KeysUnavailable(_) => {
                Self::new(ProblemKind::IdempotencyUnavailable, detail).retry_after(5)
            }
            AdmitError::ModelNotAllowed { .. } => {
                Self::new(ProblemKind::ModelNotAllowed, detail).field("model")
            }
            AdmitError::NoPrice { .. } => Self::new(ProblemKind::ModelWithoutPrice, detail).field("model"),
            AdmitError::UsageUnknown => Self::new(ProblemKind::UsageUnknown, detail).retry_after(2),
            AdmitError::OverLimit(refusal) => over_limit(&refusal, detail),
            AdmitError::KeyReused => {
                Self::new(ProblemKind::IdempotencyKeyReused, detail).field("Idempotency-Key")
            }
            AdmitError::KeyInFlight => {
                Self::new(ProblemKind::IdempotencyKeyInFlight, detail).field("Idempotency-Key").retry_after(1)
            }
        }
    }
}

can_fail!(ReadError: HistoryUnavailable, Pruned, NoSuchRequest, HistoryDamaged);

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let detail = error.to_string();
        match error {
            ReadError::Unavailable(_) | ReadError::Interrupted | ReadError::ServerAbsent(_) => {
                Self::new(ProblemKind::HistoryUnavailable, detail).retry_after(2)
            }
            ReadError::Pruned => Self::pruned(),
            ReadError::Erased => Self::no_such_request(),
            ReadError::Gap { .. } => Self::new(ProblemKind::HistoryDamaged, detail),
        }
    }
}

can_fail!(EraseError: NoSuchRequest, RequestRunning, HistoryUnavailable);

impl From<EraseError> for Problem {
    fn from(error: EraseError) -> Self {
        let detail = error.to_string();
        match error {
            EraseError::NotFound => Self::no_such_request(),
            EraseError::Running => Self::new(ProblemKind::RequestRunning, detail),
            EraseError::Unavailable(_) => Self::new(ProblemKind::HistoryUnavailable, detail).retry_after(2),
        }
    }
}

can_fail!(CancelError: NoSuchRequest, Pruned, RunsElsewhere, CancelUnfinished);

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::NotFound => Self::no_such_request(),
            CancelError::Pruned => Self::pruned(),
            CancelError::RunsElsewhere(_) => Self::new(ProblemKind::RunsElsewhere, error.to_string()),
            CancelError::StillRunning | CancelError::Unavailable(_) => {
                Self::new(ProblemKind::CancelUnfinished, error.to_string()).retry_after(1)
            }
        }
    }
}

/// What is larger than its limit can never pass, and nobody is to wait for it.
fn over_limit(refusal: &Refusal, detail: String) -> Problem {
    let kind = match refusal.exceeded {
        Exceeded::Budget { .. } => ProblemKind::BudgetUsed,
        Exceeded::Requests { .. } | Exceeded::Tokens { .. } | Exceeded::Concurrent { .. } => {
            ProblemKind::RateLimitExceeded
        }
    };
    let problem = match refusal.retry_after {
        Some(wait) => Problem::new(kind, detail).retry_after(whole_seconds(wait)),
        None => Problem::new(ProblemKind::ExceedsLimitOfKey, detail),
    };
    Problem { standing: refusal.standing, ..problem }
}
