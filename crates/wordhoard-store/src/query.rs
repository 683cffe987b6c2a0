use wordhoard_model::{ModelRef, RequestId, RequestStatus, Timestamp};

use crate::LogKey;

/// Which requests a list shows, newest first.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only requests older than this one: the cursor of the next page.
    pub before: Option<RequestId>,
    /// Only requests of this status.
    pub status: Option<RequestStatus>,
    /// At most so many.
    pub limit: usize,
}

/// What a list shows of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSummary {
    /// Which request.
    pub request_id: RequestId,
    /// The log of the server that took it in, and runs it.
    pub log: LogKey,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Where it stands.
    pub status: RequestStatus,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The models that were asked for.
    pub models: Vec<ModelRef>,
    /// How many events it has; known for ended requests only.
    pub event_count: Option<u64>,
    /// How many tokens were recorded; known for ended requests only.
    pub token_count: Option<u64>,
}

/// A request that was accepted under an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotentMatch {
    /// Which request.
    pub request_id: RequestId,
    /// SHA-256 of the body that it came with.
    pub body_sha256: [u8; 32],
}
