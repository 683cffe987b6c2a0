use crate::name_table::name_table;

/// How an attempt or a request ended. There is no other way to end (P5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The provider said that the answer is whole.
    Completed,
    /// A provider, a limit or a rule ended it; a failure says which.
    Failed,
    /// A caller ended it.
    Cancelled,
    /// The server went away under it.
    Interrupted,
}

name_table!(Outcome {
    Completed => "completed",
    Failed => "failed",
    Cancelled => "cancelled",
    Interrupted => "interrupted",
});

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestStatus {
    /// Accepted; at least one lane has not ended.
    Running,
    /// Ended, and how.
    Finished(Outcome),
}

impl RequestStatus {
    /// The stable name of this status on the wire, in SQL and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished(outcome) => outcome.as_str(),
        }
    }

    /// The status of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "running" {
            return Some(Self::Running);
        }
        Outcome::from_name(name).map(Self::Finished)
    }
}

/// Why the provider stopped, in the words of the chat dialect: one of those below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishReason(pub String);

impl FinishReason {
    /// The model came to its end.
    pub const STOP: &str = "stop";
    /// The limit of tokens was reached.
    pub const LENGTH: &str = "length";
    /// The model calls tools.
    pub const TOOL_CALLS: &str = "tool_calls";
    /// The model refused to answer, or the provider's filter held the answer back.
    pub const CONTENT_FILTER: &str = "content_filter";
}
