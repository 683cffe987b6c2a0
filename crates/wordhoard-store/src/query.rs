use wordhoard_model::{KeyId, ModelRef, ProviderName, RequestId, RequestStatus, Timestamp};

use crate::LogKey;

/// Which requests a list shows, newest first.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only requests older than this one: the cursor of the next page.
    pub before: Option<RequestId>,
    /// Only requests of this status.
    pub status: Option<RequestStatus>,
    /// Only requests accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Only requests accepted before this time.
    pub until: Option<Timestamp>,
    /// Only requests that asked for this.
    pub asked_for: Option<AskedFor>,
    /// Only requests of these.
    pub owners: Owners,
    /// At most so many.
    pub limit: usize,
}

/// Whose requests are seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Owners {
    /// Everybody's.
    #[default]
    All,
    /// Those that were made without a key.
    Nobody,
    /// Those of these keys.
    Keys(Vec<KeyId>),
}

impl Owners {
    /// Whether a request of that key, or without one, is seen.
    pub fn include(&self, key: Option<KeyId>) -> bool {
        match self {
            Self::All => true,
            Self::Nobody => key.is_none(),
            Self::Keys(keys) => key.is_some_and(|key| keys.contains(&key)),
        }
    }

    /// The keys, where it is some keys' requests that are seen.
    pub(crate) fn keys(&self) -> Option<&[KeyId]> {
        match self {
            Self::Keys(keys) => Some(keys),
            Self::All | Self::Nobody => None,
        }
    }
}

/// What a request asked for, in at least one of its lanes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedFor {
    /// Any model of this provider.
    Provider(ProviderName),
    /// This model.
    Model(ModelRef),
}

impl ListQuery {
    /// Whether a request belongs in the list, the number of its entries aside.
    pub fn takes(&self, summary: &RequestSummary) -> bool {
        let (lowest, highest) = self.ids();
        let asked_for = |model: &ModelRef| match &self.asked_for {
            None => true,
            Some(AskedFor::Provider(provider)) => model.provider == *provider,
            Some(AskedFor::Model(wanted)) => model == wanted,
        };
        (lowest..highest).contains(&summary.request_id)
            && self.owners.include(summary.key)
            && self.status.is_none_or(|status| summary.status == status)
            && summary.models.iter().any(asked_for)
    }

    /// The ids that may be in the list, from the first to before the second. They are by time, so that an index
    /// serves every limit.
    pub(crate) fn ids(&self) -> (RequestId, RequestId) {
        // No id is as large: its version would be 15.
        let end = RequestId::from_bytes([0xff; 16]);
        let until = self.until.map_or(end, first_id_at);
        let lowest = self.since.map_or(RequestId::from_bytes([0; 16]), first_id_at);
        (lowest, self.before.unwrap_or(end).min(until))
    }

    /// What the column `lanes` contains where a request asked for it.
    pub(crate) fn needle(&self) -> Option<String> {
        match self.asked_for.as_ref()? {
            // No provider's name has a character that JSON would escape.
            AskedFor::Provider(provider) => Some(format!("\"model\":\"{provider}:")),
            AskedFor::Model(model) => {
                Some(format!("\"model\":{}", serde_json::Value::from(model.to_string())))
            }
        }
    }
}

/// The smallest id that a request can have which was accepted at this time.
fn first_id_at(at: Timestamp) -> RequestId {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0).min((1 << 48) - 1);
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    RequestId::from_bytes(bytes)
}

/// What a list shows of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSummary {
    /// Which request.
    pub request_id: RequestId,
    /// The log of the server that took it in, and runs it.
    pub log: LogKey,
    /// The key that it was asked with, where one was shown.
    pub key: Option<KeyId>,
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
