use async_trait::async_trait;
use rusqlite::{Row, Transaction};
use wordhoard_model::{Cost, KeyId, Timestamp};

use super::SqliteStore;
use super::rows::unsigned;
use crate::spending::{MAX_COST_NANO_USD, TOKENS};
use crate::{Error, LogKey, OthersSpending, OwnSpending, RecentRequest, Spending, SpentOfDay};

#[async_trait]
impl Spending for SqliteStore {
    async fn own_spending(
        &self,
        logs: Vec<LogKey>,
        month: Timestamp,
        minute: Timestamp,
        ended_before: Timestamp,
    ) -> Result<OwnSpending, Error> {
        self.read(move |snapshot| {
            let days = days(snapshot, &logs, month, ended_before)?;
            Ok(OwnSpending { days, recent: recent(snapshot, &logs, minute, ended_before)? })
        })
        .await
    }

    async fn others_spending(
        &self,
        logs: Vec<LogKey>,
        month: Timestamp,
        day: Timestamp,
        minute: Timestamp,
    ) -> Result<Vec<OthersSpending>, Error> {
        self.read(move |snapshot| others(snapshot, &logs, [month, day, minute])).await
    }
}

fn key(row: &Row<'_>) -> Result<KeyId, rusqlite::Error> {
    Ok(KeyId::from_bytes(row.get(0)?))
}

fn count(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    Ok(unsigned(row.get::<_, Option<i64>>(column)?.unwrap_or(0)))
}

fn days(
    snapshot: &Transaction<'_>,
    logs: &[LogKey],
    month: Timestamp,
    ended_before: Timestamp,
) -> Result<Vec<SpentOfDay>, Error> {
    let sql = format!(
        "SELECT key_id, created_at / 86400000, sum(min(cost_nano_usd, {MAX_COST_NANO_USD})) FROM llm_requests
         WHERE key_id IS NOT NULL AND created_at >= ?1 AND finished_at < ?2 AND log_id = ?3 AND cost_nano_usd > 0
         GROUP BY 1, 2"
    );
    let mut statement = snapshot.prepare_cached(&sql)?;
    let mut all = Vec::new();
    for log in logs {
        let rows = statement.query_map((month.as_millis(), ended_before.as_millis(), log.0), |row| {
            Ok(SpentOfDay { key: key(row)?, day: row.get(1)?, cost: Cost::from_nano_usd(count(row, 2)?) })
        })?;
        all.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(all)
}

fn recent(
    snapshot: &Transaction<'_>,
    logs: &[LogKey],
    minute: Timestamp,
    ended_before: Timestamp,
) -> Result<Vec<RecentRequest>, Error> {
    let sql = format!(
        "SELECT key_id, created_at, {TOKENS} FROM llm_requests
         WHERE key_id IS NOT NULL AND created_at >= ?1 AND finished_at < ?2 AND log_id = ?3 ORDER BY created_at"
    );
    let mut statement = snapshot.prepare_cached(&sql)?;
    let mut all = Vec::new();
    for log in logs {
        let rows = statement.query_map((minute.as_millis(), ended_before.as_millis(), log.0), |row| {
            Ok(RecentRequest {
                key: key(row)?,
                at: Timestamp::from_millis(row.get(1)?),
                tokens: count(row, 2)?,
            })
        })?;
        all.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(all)
}

fn others(
    snapshot: &Transaction<'_>,
    logs: &[LogKey],
    [month, day, minute]: [Timestamp; 3],
) -> Result<Vec<OthersSpending>, Error> {
    let sql = format!(
        "SELECT key_id, log_id, count(*) FILTER (WHERE created_at >= ?3), sum({TOKENS}) FILTER (WHERE created_at >= ?3),
             count(*) FILTER (WHERE finished_at IS NULL AND log_id IN (SELECT log_id FROM servers
                 WHERE departure IS NULL AND seen_at > CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) - 30000)),
             sum(min(cost_nano_usd, {MAX_COST_NANO_USD})) FILTER (WHERE created_at >= ?2),
             sum(min(cost_nano_usd, {MAX_COST_NANO_USD})) FILTER (WHERE created_at >= ?1)
         FROM llm_requests WHERE key_id IS NOT NULL AND created_at >= min(?1, ?3) GROUP BY 1, 2"
    );
    let mut statement = snapshot.prepare_cached(&sql)?;
    let rows = statement.query_map([month.as_millis(), day.as_millis(), minute.as_millis()], |row| {
        let spending = OthersSpending {
            key: key(row)?,
            requests: count(row, 2)?,
            tokens: count(row, 3)?,
            running: count(row, 4)?,
            day: Cost::from_nano_usd(count(row, 5)?),
            month: Cost::from_nano_usd(count(row, 6)?),
        };
        Ok((LogKey(row.get(1)?), spending))
    })?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(rows.into_iter().filter(|(log, _)| !logs.contains(log)).map(|(_, spending)| spending).collect())
}
