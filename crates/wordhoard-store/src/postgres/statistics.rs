use async_trait::async_trait;
use wordhoard_model::Timestamp;

use super::PostgresStore;
use super::rows::{count, get, text};
use super::session::Session;
use super::types::Moment;
use crate::{Error, ProviderTotals, Statistics, Totals};

/// Both can be answered by an index alone.
pub(super) const REQUESTS: &str = "
SELECT count(*), count(*) FILTER (WHERE created_at >= $1), count(*) FILTER (WHERE status = 'completed'),
    coalesce(sum(token_count), 0)::bigint
FROM llm_requests";
pub(super) const ATTEMPTS: &str = "
SELECT provider, count(*), (avg(greatest(extract(epoch FROM finished_at - started_at), 0))
    FILTER (WHERE finished_at IS NOT NULL))::double precision
FROM llm_attempts GROUP BY provider ORDER BY provider";

#[async_trait]
impl Statistics for PostgresStore {
    async fn totals(&self, new_since: Timestamp) -> Result<Totals, Error> {
        self.short(move |session| Box::pin(totals(session, new_since))).await
    }
}

async fn totals(session: &Session, new_since: Timestamp) -> Result<Totals, Error> {
    let new_since = Moment::of(new_since)?;
    let requests = session.query(REQUESTS, &[&new_since]).await?;
    let attempts = session.query(ATTEMPTS, &[]).await?;
    let provider = |row| {
        Ok(ProviderTotals {
            provider: text(row, 0)?,
            attempts: count(row, 1)?,
            average_seconds: get(row, 2)?,
        })
    };
    let providers = attempts.iter().map(provider).collect::<Result<_, Error>>()?;
    let Some(row) = requests.first() else { return Ok(Totals { providers, ..Totals::default() }) };
    Ok(Totals {
        requests: count(row, 0)?,
        new_requests: count(row, 1)?,
        completed_requests: count(row, 2)?,
        tokens: count(row, 3)?,
        providers,
    })
}
