//! What administrators decide and every server on the database honours: who may call, and which providers may be
//! called.

use async_trait::async_trait;
use wordhoard_model::{KeyId, KeyLimits, ProviderName, Timestamp};

use crate::Error;

/// Keys and switches, as SQL holds them.
#[async_trait]
pub trait Registry: Send + Sync {
    /// Adds a key.
    async fn add_key(&self, key: KeyRecord) -> Result<(), Error>;

    /// All keys that ever were, oldest first.
    async fn keys(&self) -> Result<Vec<KeyRecord>, Error>;

    /// The keys that open something, oldest first.
    async fn active_keys(&self) -> Result<Vec<KeyRecord>, Error>;

    /// Takes a key away. One that was revoked before stays as it was; `None` where there is no such key.
    async fn revoke_key(&self, id: KeyId, at: Timestamp) -> Result<Option<KeyRecord>, Error>;

    /// Replaces the limits of a key; `None` where there is no such key.
    async fn limit_key(&self, id: KeyId, limits: KeyLimits) -> Result<Option<KeyRecord>, Error>;

    /// The providers that somebody has switched, by name. The others are enabled.
    async fn switches(&self) -> Result<Vec<ProviderSwitch>, Error>;

    /// Switches a provider on or off.
    async fn switch_provider(&self, switch: ProviderSwitch) -> Result<(), Error>;

    /// What servers said of the breakers of providers, by name. Those of which nobody said anything are closed.
    async fn breakers(&self) -> Result<Vec<BreakerNote>, Error>;

    /// Notes what a server says of the breaker of a provider. An older note than the one that is there changes nothing.
    async fn note_breaker(&self, note: BreakerNote) -> Result<(), Error>;

    /// Forgets all that was decided about a provider.
    async fn reset_provider(&self, provider: ProviderName) -> Result<(), Error>;
}

/// What a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Prompts, streams and requests.
    Use,
    /// Figures for Prometheus and for people.
    Metrics,
    /// All that, and the administration.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Use, Self::Metrics, Self::Admin];

    /// Whether a key of this scope opens what needs the other one.
    pub fn covers(self, needed: Self) -> bool {
        self == needed || self == Self::Admin
    }

    /// Its stable name, in SQL and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A key as SQL holds it: by its digest. The key itself is nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its id.
    pub id: KeyId,
    /// What people call it; may be empty.
    pub name: String,
    /// What it opens.
    pub scope: Scope,
    /// The SHA-256 of the key.
    pub sha256: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken away.
    pub revoked_at: Option<Timestamp>,
    /// What it may use.
    pub limits: KeyLimits,
    /// The group whose keys see each other's requests, where it is in one.
    pub group: Option<String>,
}

/// A provider, switched on or off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSwitch {
    /// Which one.
    pub provider: ProviderName,
    /// Whether it may be called.
    pub enabled: bool,
    /// When it was switched.
    pub changed_at: Timestamp,
}

/// What a server says of the breaker of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerNote {
    /// Which one.
    pub provider: ProviderName,
    /// Whether it is open; half-open counts as open.
    pub is_open: bool,
    /// When it changed.
    pub changed_at: Timestamp,
}

impl BreakerNote {
    /// The state as SQL names it.
    pub(crate) fn state(&self) -> &'static str {
        if self.is_open { "open" } else { "closed" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_may_do_what_a_user_may_and_not_the_other_way_round() {
        assert!(Scope::Admin.covers(Scope::Use) && Scope::Admin.covers(Scope::Admin));
        assert!(Scope::Use.covers(Scope::Use) && !Scope::Use.covers(Scope::Admin));
        assert!(!Scope::Use.covers(Scope::Metrics) && !Scope::Metrics.covers(Scope::Use));
        assert_eq!(Scope::from_name("admin"), Some(Scope::Admin));
        assert_eq!(Scope::from_name("Admin"), None);
    }
}
