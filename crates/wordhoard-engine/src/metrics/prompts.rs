use crate::admission::{AdmitError, Admitted};

/// What became of a prompt that kept the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptFate {
    /// It was taken in.
    Accepted,
    /// It had been taken in before, under the same key.
    Replayed,
    /// Refused: the server starts or stops.
    NotAccepting,
    /// Refused: it cannot be recorded.
    Storage,
    /// Refused: too many run.
    TooManyRunning,
    /// Refused: too many wait for its provider.
    Overloaded,
    /// Refused: its key may not ask it, or not now.
    OverLimit,
    /// Refused: its key was used for another body.
    KeyReused,
    /// Refused: the first under its key is still being accepted.
    KeyInFlight,
    /// Refused: whether its key is known cannot be told.
    KeysUnavailable,
}

impl PromptFate {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Accepted,
        Self::Replayed,
        Self::NotAccepting,
        Self::Storage,
        Self::TooManyRunning,
        Self::Overloaded,
        Self::OverLimit,
        Self::KeyReused,
        Self::KeyInFlight,
        Self::KeysUnavailable,
    ];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Replayed => "replayed",
            Self::NotAccepting => "not_accepting",
            Self::Storage => "storage",
            Self::TooManyRunning => "too_many_running",
            Self::Overloaded => "overloaded",
            Self::OverLimit => "over_limit",
            Self::KeyReused => "key_reused",
            Self::KeyInFlight => "key_in_flight",
            Self::KeysUnavailable => "keys_unavailable",
        }
    }

    pub(crate) fn of(admitted: &Result<Admitted, AdmitError>) -> Self {
        match admitted {
            Ok(Admitted { replayed: false, .. }) => Self::Accepted,
            Ok(Admitted { replayed: true, .. }) => Self::Replayed,
            Err(AdmitError::NotAccepting) => Self::NotAccepting,
            Err(AdmitError::Storage(_)) => Self::Storage,
            Err(AdmitError::TooManyRunning { .. }) => Self::TooManyRunning,
            Err(AdmitError::Overloaded { .. }) => Self::Overloaded,
            Err(
                AdmitError::ModelNotAllowed { .. }
                | AdmitError::NoPrice { .. }
                | AdmitError::OverLimit(_)
                | AdmitError::UsageUnknown,
            ) => Self::OverLimit,
            Err(AdmitError::KeyReused) => Self::KeyReused,
            Err(AdmitError::KeyInFlight) => Self::KeyInFlight,
            Err(AdmitError::KeysUnavailable(_)) => Self::KeysUnavailable,
        }
    }
}
