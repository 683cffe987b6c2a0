use async_trait::async_trait;
use rusqlite::Transaction;
use wordhoard_model::Timestamp;

use super::SqliteStore;
use super::rows::unsigned;
use crate::{Error, ProviderTotals, Statistics, Totals};

/// Both are answered by an index that has all their columns: rows are as long as their prompts.
const REQUESTS: &str = "
SELECT count(*), count(*) FILTER (WHERE created_at >= ?1), count(*) FILTER (WHERE status = 'completed'),
    coalesce(sum(token_count), 0)
FROM llm_requests INDEXED BY llm_requests_counted";
const ATTEMPTS: &str = "
SELECT provider, count(*), avg(max(finished_at - started_at, 0)) / 1000.0
FROM llm_attempts INDEXED BY llm_attempts_counted GROUP BY provider ORDER BY provider";

#[async_trait]
impl Statistics for SqliteStore {
    async fn totals(&self, new_since: Timestamp) -> Result<Totals, Error> {
        self.read(move |snapshot| totals(snapshot, new_since)).await
    }
}

fn totals(snapshot: &Transaction<'_>, new_since: Timestamp) -> Result<Totals, Error> {
    let mut attempts = snapshot.prepare_cached(ATTEMPTS)?;
    let providers = attempts.query_map([], |row| {
        Ok(ProviderTotals {
            provider: row.get(0)?,
            attempts: unsigned(row.get(1)?),
            average_seconds: row.get(2)?,
        })
    })?;
    let providers = providers.collect::<Result<_, _>>()?;
    let mut requests = snapshot.prepare_cached(REQUESTS)?;
    Ok(requests.query_row([new_since.as_millis()], |row| {
        Ok(Totals {
            requests: unsigned(row.get(0)?),
            new_requests: unsigned(row.get(1)?),
            completed_requests: unsigned(row.get(2)?),
            tokens: unsigned(row.get(3)?),
            providers,
        })
    })?)
}
