use async_trait::async_trait;
use tokio_postgres::Row;
use wordhoard_model::{KeyId, KeyLimits, ProviderName, Timestamp};

use super::PostgresStore;
use super::rows::{damaged, get, named, optional_text, text};
use super::session::Session;
use super::text::Written;
use super::types::{Key, Moment, Sha256};
use crate::columns::{limits_from_json, limits_to_json};
use crate::{BreakerNote, Error, KeyRecord, ProviderSwitch, Registry, Scope};

pub(super) const ADD_KEY: &str = "INSERT INTO api_keys (key_id, name, scope, sha256, created_at, revoked_at, limits, group_name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
pub(super) const KEYS: &str = "SELECT key_id, name, scope, sha256, created_at, revoked_at, limits, group_name FROM api_keys ORDER BY key_id";
pub(super) const ACTIVE_KEYS: &str = "SELECT key_id, name, scope, sha256, created_at, revoked_at, limits, group_name FROM api_keys WHERE revoked_at IS NULL ORDER BY key_id";
pub(super) const REVOKE_KEY: &str =
    "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE key_id = $1
    RETURNING key_id, name, scope, sha256, created_at, revoked_at, limits, group_name";
pub(super) const LIMIT_KEY: &str = "UPDATE api_keys SET limits = $2 WHERE key_id = $1
    RETURNING key_id, name, scope, sha256, created_at, revoked_at, limits, group_name";
pub(super) const SWITCHES: &str =
    "SELECT provider, enabled, changed_at FROM provider_status ORDER BY provider";
pub(super) const SWITCH_PROVIDER: &str =
    "INSERT INTO provider_status (provider, enabled, changed_at) VALUES ($1, $2, $3)
    ON CONFLICT (provider) DO UPDATE SET enabled = excluded.enabled, changed_at = excluded.changed_at";
pub(super) const BREAKERS: &str = "SELECT provider, breaker = 'open', breaker_changed_at FROM provider_status
    WHERE breaker_changed_at IS NOT NULL ORDER BY provider";
pub(super) const NOTE_BREAKER: &str =
    "INSERT INTO provider_status AS kept (provider, breaker, breaker_changed_at, changed_at) VALUES ($1, $2, $3, $3)
    ON CONFLICT (provider) DO UPDATE SET breaker = excluded.breaker, breaker_changed_at = excluded.breaker_changed_at
    WHERE kept.breaker_changed_at IS NULL OR kept.breaker_changed_at <= excluded.breaker_changed_at";
pub(super) const RESET_PROVIDER: &str = "DELETE FROM provider_status WHERE provider = $1";

#[cfg(test)]
pub(super) const ALL: [&str; 10] = [
    ADD_KEY,
    KEYS,
    ACTIVE_KEYS,
    REVOKE_KEY,
    LIMIT_KEY,
    SWITCHES,
    SWITCH_PROVIDER,
    BREAKERS,
    NOTE_BREAKER,
    RESET_PROVIDER,
];

#[async_trait]
impl Registry for PostgresStore {
    async fn add_key(&self, key: KeyRecord) -> Result<(), Error> {
        self.short(move |session| Box::pin(add_key(session, key))).await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, Error> {
        self.short(|session| Box::pin(keys(session, KEYS))).await
    }

    async fn active_keys(&self) -> Result<Vec<KeyRecord>, Error> {
        self.short(|session| Box::pin(keys(session, ACTIVE_KEYS))).await
    }

    async fn revoke_key(&self, id: KeyId, at: Timestamp) -> Result<Option<KeyRecord>, Error> {
        self.short(move |session| Box::pin(revoke_key(session, id, at))).await
    }

    async fn limit_key(&self, id: KeyId, limits: KeyLimits) -> Result<Option<KeyRecord>, Error> {
        self.short(move |session| Box::pin(limit_key(session, id, limits))).await
    }

    async fn switches(&self) -> Result<Vec<ProviderSwitch>, Error> {
        self.short(|session| Box::pin(switches(session))).await
    }

    async fn switch_provider(&self, switch: ProviderSwitch) -> Result<(), Error> {
        self.short(move |session| Box::pin(switch_provider(session, switch))).await
    }

    async fn breakers(&self) -> Result<Vec<BreakerNote>, Error> {
        self.short(|session| Box::pin(breakers(session))).await
    }

    async fn note_breaker(&self, note: BreakerNote) -> Result<(), Error> {
        self.short(move |session| Box::pin(note_breaker(session, note))).await
    }

    async fn reset_provider(&self, provider: ProviderName) -> Result<(), Error> {
        self.short(move |session| Box::pin(reset_provider(session, provider))).await
    }
}

async fn add_key(session: &Session, key: KeyRecord) -> Result<(), Error> {
    let revoked_at = key.revoked_at.map(Moment::of).transpose()?;
    let (created_at, scope) = (Moment::of(key.created_at)?, key.scope.as_str());
    let limits = written(&key.limits)?;
    session
        .execute(
            ADD_KEY,
            &[
                &Key(key.id),
                &Written(key.name),
                &scope,
                &Sha256(key.sha256),
                &created_at,
                &revoked_at,
                &limits,
                &key.group.map(Written),
            ],
        )
        .await?;
    Ok(())
}

async fn keys(session: &Session, sql: &'static str) -> Result<Vec<KeyRecord>, Error> {
    session.query(sql, &[]).await?.iter().map(key).collect()
}

async fn revoke_key(session: &Session, id: KeyId, at: Timestamp) -> Result<Option<KeyRecord>, Error> {
    session.query(REVOKE_KEY, &[&Key(id), &Moment::of(at)?]).await?.first().map(key).transpose()
}

async fn limit_key(session: &Session, id: KeyId, limits: KeyLimits) -> Result<Option<KeyRecord>, Error> {
    session.query(LIMIT_KEY, &[&Key(id), &written(&limits)?]).await?.first().map(key).transpose()
}

fn written(limits: &KeyLimits) -> Result<Option<Written<String>>, Error> {
    let json = limits_to_json(limits).map_err(|error| Error::Refused(error.to_string()))?;
    Ok(json.map(Written))
}

async fn switches(session: &Session) -> Result<Vec<ProviderSwitch>, Error> {
    let switch = |row: &Row| {
        let provider = ProviderName::new(&text(row, 0)?).map_err(|error| damaged(row, 0, error))?;
        let changed_at = get::<Moment>(row, 2)?.timestamp();
        Ok(ProviderSwitch { provider, enabled: get(row, 1)?, changed_at })
    };
    session.query(SWITCHES, &[]).await?.iter().map(switch).collect()
}

async fn switch_provider(session: &Session, switch: ProviderSwitch) -> Result<(), Error> {
    let provider = switch.provider.as_str();
    let changed_at = Moment::of(switch.changed_at)?;
    session.execute(SWITCH_PROVIDER, &[&provider, &switch.enabled, &changed_at]).await?;
    Ok(())
}

async fn breakers(session: &Session) -> Result<Vec<BreakerNote>, Error> {
    let note = |row: &Row| {
        let provider = ProviderName::new(&text(row, 0)?).map_err(|error| damaged(row, 0, error))?;
        let changed_at = get::<Moment>(row, 2)?.timestamp();
        Ok(BreakerNote { provider, is_open: get(row, 1)?, changed_at })
    };
    session.query(BREAKERS, &[]).await?.iter().map(note).collect()
}

async fn note_breaker(session: &Session, note: BreakerNote) -> Result<(), Error> {
    let (provider, state) = (note.provider.as_str(), note.state());
    session.execute(NOTE_BREAKER, &[&provider, &state, &Moment::of(note.changed_at)?]).await?;
    Ok(())
}

async fn reset_provider(session: &Session, provider: ProviderName) -> Result<(), Error> {
    session.execute(RESET_PROVIDER, &[&provider.as_str()]).await?;
    Ok(())
}

fn key(row: &Row) -> Result<KeyRecord, Error> {
    Ok(KeyRecord {
        id: get::<Key>(row, 0)?.0,
        name: text(row, 1)?,
        scope: named(row, 2, Scope::from_name)?,
        sha256: get::<Sha256>(row, 3)?.0,
        created_at: get::<Moment>(row, 4)?.timestamp(),
        revoked_at: get::<Option<Moment>>(row, 5)?.map(Moment::timestamp),
        limits: limits_from_json(optional_text(row, 6)?.as_deref())
            .map_err(|error| damaged(row, 6, error))?,
        group: optional_text(row, 7)?,
    })
}
