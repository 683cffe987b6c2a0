use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use wordhoard_model::{KeyId, KeyLimits, ProviderName, Timestamp};

use super::SqliteStore;
use super::rows::{damaged, named};
use crate::columns::{limits_from_json, limits_to_json};
use crate::{BreakerNote, Error, KeyRecord, ProviderSwitch, Registry, Scope};

const COLUMNS: &str = "key_id, name, scope, sha256, created_at, revoked_at, limits, group_name";

#[async_trait]
impl Registry for SqliteStore {
    async fn add_key(&self, key: KeyRecord) -> Result<(), Error> {
        self.writer.run(move |connection| durably(connection, |connection| add_key(connection, &key))).await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, Error> {
        self.read(|snapshot| keys(snapshot, "")).await
    }

    async fn active_keys(&self) -> Result<Vec<KeyRecord>, Error> {
        self.read(|snapshot| keys(snapshot, "WHERE revoked_at IS NULL")).await
    }

    async fn revoke_key(&self, id: KeyId, at: Timestamp) -> Result<Option<KeyRecord>, Error> {
        self.writer
            .run(move |connection| durably(connection, |connection| revoke_key(connection, id, at)))
            .await
    }

    async fn limit_key(&self, id: KeyId, limits: KeyLimits) -> Result<Option<KeyRecord>, Error> {
        self.writer
            .run(move |connection| durably(connection, |connection| limit_key(connection, id, &limits)))
            .await
    }

    async fn switches(&self) -> Result<Vec<ProviderSwitch>, Error> {
        self.read(switches).await
    }

    async fn switch_provider(&self, switch: ProviderSwitch) -> Result<(), Error> {
        self.writer
            .run(move |connection| durably(connection, |connection| switch_provider(connection, &switch)))
            .await
    }

    async fn breakers(&self) -> Result<Vec<BreakerNote>, Error> {
        self.read(breakers).await
    }

    async fn note_breaker(&self, note: BreakerNote) -> Result<(), Error> {
        self.writer.run(move |connection| note_breaker(connection, &note)).await
    }

    async fn reset_provider(&self, provider: ProviderName) -> Result<(), Error> {
        self.writer
            .run(move |connection| durably(connection, |connection| reset_provider(connection, &provider)))
            .await
    }
}

/// Commits so that the decision survives a loss of power: no log of ours has it, and a revoked key must not come back.
fn durably<T>(
    connection: &Connection,
    write: impl FnOnce(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    connection.pragma_update(None, "synchronous", "full")?;
    let written = write(connection);
    connection.pragma_update(None, "synchronous", "normal")?;
    written
}

fn reset_provider(connection: &Connection, provider: &ProviderName) -> Result<(), Error> {
    let sql = "DELETE FROM provider_status WHERE provider = ?1";
    connection.prepare_cached(sql)?.execute([provider.as_str()])?;
    Ok(())
}

fn add_key(connection: &Connection, key: &KeyRecord) -> Result<(), Error> {
    let sql = format!("INSERT INTO api_keys ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    connection.prepare_cached(&sql)?.execute((
        key.id.as_bytes(),
        &key.name,
        key.scope.as_str(),
        key.sha256,
        key.created_at.as_millis(),
        key.revoked_at.map(Timestamp::as_millis),
        limits_to_json(&key.limits).map_err(|error| damaged(6, error))?,
        &key.group,
    ))?;
    Ok(())
}

fn keys(snapshot: &Transaction<'_>, which: &str) -> Result<Vec<KeyRecord>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys {which} ORDER BY key_id");
    let mut statement = snapshot.prepare_cached(&sql)?;
    let rows = statement.query_map([], key)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn revoke_key(connection: &Connection, id: KeyId, at: Timestamp) -> Result<Option<KeyRecord>, Error> {
    let sql = format!(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2) WHERE key_id = ?1 RETURNING {COLUMNS}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row((id.as_bytes(), at.as_millis()), key).optional()?)
}

fn limit_key(connection: &Connection, id: KeyId, limits: &KeyLimits) -> Result<Option<KeyRecord>, Error> {
    let sql = format!("UPDATE api_keys SET limits = ?2 WHERE key_id = ?1 RETURNING {COLUMNS}");
    let limits = limits_to_json(limits).map_err(|error| damaged(6, error))?;
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row((id.as_bytes(), limits), key).optional()?)
}

fn switches(snapshot: &Transaction<'_>) -> Result<Vec<ProviderSwitch>, Error> {
    let sql = "SELECT provider, enabled, changed_at FROM provider_status ORDER BY provider";
    let mut statement = snapshot.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let provider: String = row.get(0)?;
        Ok(ProviderSwitch {
            provider: ProviderName::new(&provider).map_err(|error| damaged(0, error))?,
            enabled: row.get(1)?,
            changed_at: Timestamp::from_millis(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn switch_provider(connection: &Connection, switch: &ProviderSwitch) -> Result<(), Error> {
    let sql = "INSERT INTO provider_status (provider, enabled, changed_at) VALUES (?1, ?2, ?3)
               ON CONFLICT (provider) DO UPDATE SET enabled = excluded.enabled, changed_at = excluded.changed_at";
    let row = (switch.provider.as_str(), switch.enabled, switch.changed_at.as_millis());
    connection.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

fn breakers(snapshot: &Transaction<'_>) -> Result<Vec<BreakerNote>, Error> {
    let sql = "SELECT provider, breaker = 'open', breaker_changed_at FROM provider_status
               WHERE breaker_changed_at IS NOT NULL ORDER BY provider";
    let mut statement = snapshot.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let provider: String = row.get(0)?;
        Ok(BreakerNote {
            provider: ProviderName::new(&provider).map_err(|error| damaged(0, error))?,
            is_open: row.get(1)?,
            changed_at: Timestamp::from_millis(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn note_breaker(connection: &Connection, note: &BreakerNote) -> Result<(), Error> {
    let sql = "INSERT INTO provider_status (provider, breaker, breaker_changed_at, changed_at) VALUES (?1, ?2, ?3, ?3)
               ON CONFLICT (provider) DO UPDATE
               SET breaker = excluded.breaker, breaker_changed_at = excluded.breaker_changed_at
               WHERE breaker_changed_at IS NULL OR breaker_changed_at <= excluded.breaker_changed_at";
    let row = (note.provider.as_str(), note.state(), note.changed_at.as_millis());
    connection.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

fn key(row: &Row<'_>) -> Result<KeyRecord, rusqlite::Error> {
    Ok(KeyRecord {
        id: KeyId::from_bytes(row.get(0)?),
        name: row.get(1)?,
        scope: named(row, 2, Scope::from_name)?,
        sha256: row.get(3)?,
        created_at: Timestamp::from_millis(row.get(4)?),
        revoked_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        limits: limits_from_json(row.get::<_, Option<String>>(6)?.as_deref())
            .map_err(|error| damaged(6, error))?,
        group: row.get(7)?,
    })
}
