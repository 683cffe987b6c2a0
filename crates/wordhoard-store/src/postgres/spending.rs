use async_trait::async_trait;
use tokio_postgres::Row;
use wordhoard_model::{Cost, Timestamp};

use super::rows::{count, get};
use super::session::Session;
use super::types::{Key, Log, Moment};
use super::{PostgresStore, limits};
use crate::spending::tokens_of_row;
use crate::{Error, LogKey, OthersSpending, OwnSpending, RecentRequest, Spending, SpentOfDay};

/// A cost beyond 10¹⁵ nano-dollars can only be a provider's nonsense; bounded, no sum overflows. `least` passes over NULL, so
/// what has no cost is left out.
pub(super) const DAYS: &str = "
SELECT key_id, floor(extract(epoch FROM created_at) / 86400)::bigint,
    sum(least(cost_nano_usd, 1000000000000000))::bigint
FROM llm_requests
WHERE key_id IS NOT NULL AND created_at >= $1 AND finished_at < $2 AND log_id = ANY ($3) AND cost_nano_usd > 0
GROUP BY 1, 2";
pub(super) const RECENT: &str = concat!(
    "SELECT key_id, created_at, ",
    tokens_of_row!(),
    " FROM llm_requests WHERE key_id IS NOT NULL AND created_at >= $1 AND finished_at < $2 AND log_id = ANY ($3)
    ORDER BY created_at"
);
pub(super) const OTHERS: &str = concat!(
    "SELECT key_id, count(*) FILTER (WHERE created_at >= $3),
    coalesce(sum(",
    tokens_of_row!(),
    ") FILTER (WHERE created_at >= $3), 0)::bigint, count(*) FILTER (WHERE finished_at IS NULL AND log_id IN
        (SELECT log_id FROM servers WHERE departure IS NULL AND seen_at > clock_timestamp() - interval '30 seconds')),
    coalesce(sum(least(cost_nano_usd, 1000000000000000)) FILTER (WHERE created_at >= $2 AND cost_nano_usd > 0), 0)::bigint,
    coalesce(sum(least(cost_nano_usd, 1000000000000000)) FILTER (WHERE created_at >= $1 AND cost_nano_usd > 0), 0)::bigint
FROM llm_requests
WHERE key_id IS NOT NULL AND created_at >= least($1, $3) AND log_id <> ALL ($4) GROUP BY 1"
);

/// A month of requests takes longer than a call that somebody waits for.
const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '25s'";
const COMMIT: &str = "COMMIT";

#[cfg(test)]
pub(super) const ALL: [&str; 3] = [DAYS, RECENT, OTHERS];

#[async_trait]
impl Spending for PostgresStore {
    async fn own_spending(
        &self,
        logs: Vec<LogKey>,
        month: Timestamp,
        minute: Timestamp,
        ended_before: Timestamp,
    ) -> Result<OwnSpending, Error> {
        self.limited(limits::APPLY, move |session| Box::pin(own(session, logs, month, minute, ended_before)))
            .await
    }

    async fn others_spending(
        &self,
        logs: Vec<LogKey>,
        month: Timestamp,
        day: Timestamp,
        minute: Timestamp,
    ) -> Result<Vec<OthersSpending>, Error> {
        self.limited(limits::APPLY, move |session| Box::pin(others(session, logs, [month, day, minute])))
            .await
    }
}

async fn own(
    session: &Session,
    logs: Vec<LogKey>,
    month: Timestamp,
    minute: Timestamp,
    ended_before: Timestamp,
) -> Result<OwnSpending, Error> {
    let logs: Vec<Log> = logs.into_iter().map(Log).collect();
    let (month, minute) = (Moment::of(month)?, Moment::of(minute)?);
    let ended_before = Moment::of(ended_before)?;
    let day =
        |row: &Row| Ok(SpentOfDay { key: get::<Key>(row, 0)?.0, day: get(row, 1)?, cost: cost(row, 2)? });
    session.client().batch_execute(BEGIN).await?;
    let days = session.query(DAYS, &[&month, &ended_before, &logs]).await?;
    let recent = |row: &Row| {
        let at = get::<Moment>(row, 1)?.timestamp();
        Ok(RecentRequest { key: get::<Key>(row, 0)?.0, at, tokens: count(row, 2)? })
    };
    let newest = session.query(RECENT, &[&minute, &ended_before, &logs]).await?;
    session.client().batch_execute(COMMIT).await?;
    Ok(OwnSpending {
        days: days.iter().map(day).collect::<Result<_, Error>>()?,
        recent: newest.iter().map(recent).collect::<Result<_, Error>>()?,
    })
}

async fn others(
    session: &Session,
    logs: Vec<LogKey>,
    [month, day, minute]: [Timestamp; 3],
) -> Result<Vec<OthersSpending>, Error> {
    let logs: Vec<Log> = logs.into_iter().map(Log).collect();
    let (month, day, minute) = (Moment::of(month)?, Moment::of(day)?, Moment::of(minute)?);
    let spending = |row: &Row| {
        Ok(OthersSpending {
            key: get::<Key>(row, 0)?.0,
            requests: count(row, 1)?,
            tokens: count(row, 2)?,
            running: count(row, 3)?,
            day: cost(row, 4)?,
            month: cost(row, 5)?,
        })
    };
    session.client().batch_execute(BEGIN).await?;
    let rows = session.query(OTHERS, &[&month, &day, &minute, &logs]).await?;
    session.client().batch_execute(COMMIT).await?;
    rows.iter().map(spending).collect()
}

fn cost(row: &Row, column: usize) -> Result<Cost, Error> {
    Ok(Cost::from_nano_usd(count(row, column)?))
}
