//! Removing partitions. That needs the whole table for a moment, and whoever waits for a lock makes all others wait
//! behind him: so it waits shortly, and comes back.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;
use wordhoard_model::RequestId;

use super::super::rows::get;
use super::super::session::Session;
use super::super::types::{Id, Moment};
use crate::Error;
use crate::upkeep::PruneRange;

/// Nobody else waits longer than this behind our try to lock.
const LOCK_PATIENCE_MS: u32 = 200;
/// Once for a partition: PostgreSQL calls its own vacuum off where that has held somebody up for a second
/// (`deadlock_timeout`). Only who reads this partition waits that long.
const VACUUM_PATIENCE_MS: u32 = 1_500;
/// Between two tries others have their turn.
const PAUSE: Duration = Duration::from_millis(300);
/// How long one partition is tried. Who holds the table for longer (`pg_dump` does) is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The partitions but the default one, with their bounds as PostgreSQL writes them.
pub(in super::super) const LIST: &str =
    "SELECT child.oid::regclass::text, pg_get_expr(child.relpartbound, child.oid)
    FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = 'llm_token_runs'::regclass ORDER BY child.relname";
/// Whether a request with an id from `$1` up to below `$2` has to stay.
pub(in super::super) const KEPT: &str = "SELECT EXISTS (SELECT 1 FROM llm_requests
    WHERE request_id >= $1 AND request_id < $2 AND (status = 'running' OR finished_at >= $3))";

struct Partition {
    /// Quoted, as SQL takes it.
    name: String,
    from: RequestId,
    to: RequestId,
}

/// What has become of a partition.
enum Fate {
    Dropped,
    /// Something in it has to stay.
    Kept,
    /// Others hold it for too long.
    InUse,
}

pub(in super::super) async fn prune(session: &Session, range: PruneRange) -> Result<u64, Error> {
    let mut dropped = 0;
    for row in session.query(LIST, &[]).await? {
        let (name, bounds): (String, String) = (get(&row, 0)?, get(&row, 1)?);
        let Some((from, to)) = parse(&bounds) else { continue };
        if to <= range.end() {
            let partition = Partition { name, from, to };
            match drop_in_time(session, &partition, range).await? {
                Fate::Dropped => dropped += 1,
                Fate::Kept => {}
                // Who holds one holds the others.
                Fate::InUse => break,
            }
        }
    }
    Ok(dropped)
}

async fn drop_in_time(session: &Session, partition: &Partition, range: PruneRange) -> Result<Fate, Error> {
    let (started, ended) = (Instant::now(), Moment::of(range.ended_before)?);
    for number in 0.. {
        let patience_ms = if number == 1 { VACUUM_PATIENCE_MS } else { LOCK_PATIENCE_MS };
        match try_drop(session, partition, ended, patience_ms).await {
            Ok(fate) => return Ok(fate),
            Err(error) if is_busy(&error) => {
                session.client().batch_execute("ROLLBACK").await?;
                if started.elapsed() > PATIENCE {
                    tracing::warn!(
                        partition = partition.name,
                        "partitions are in use for too long to be dropped; their rows are removed one by one"
                    );
                    return Ok(Fate::InUse);
                }
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Fate::InUse)
}

/// Looks only once it has the table: nobody can write tokens from then on, so what is found stays true.
async fn try_drop(
    session: &Session,
    partition: &Partition,
    ended: Moment,
    patience_ms: u32,
) -> Result<Fate, tokio_postgres::Error> {
    let client = session.client();
    let Partition { name, from, to } = partition;
    client
        .batch_execute(&format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED;
             SET LOCAL lock_timeout = {patience_ms};
             LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE;
             SET LOCAL lock_timeout = {LOCK_PATIENCE_MS};
             LOCK TABLE ONLY llm_token_runs IN ACCESS EXCLUSIVE MODE"
        ))
        .await?;
    let [kept] = session.statements([KEPT]).await?;
    let kept: bool = client.query_one(&kept, &[&Id(*from), &Id(*to), &ended]).await?.try_get(0)?;
    if kept {
        client.batch_execute("ROLLBACK").await?;
        return Ok(Fate::Kept);
    }
    client.batch_execute(&format!("DROP TABLE {name}; COMMIT")).await?;
    tracing::info!(partition = name, "a partition was pruned");
    Ok(Fate::Dropped)
}

fn is_busy(error: &tokio_postgres::Error) -> bool {
    [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED]
        .iter()
        .any(|code| error.code() == Some(code))
}

/// `FOR VALUES FROM ('…') TO ('…')`; of other partitions, the default one among them, nothing.
fn parse(bounds: &str) -> Option<(RequestId, RequestId)> {
    let mut quoted = bounds.strip_prefix("FOR VALUES FROM ")?.split('\'').skip(1).step_by(2);
    Some((quoted.next()?.parse().ok()?, quoted.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_as_postgresql_writes_them() {
        let bounds = "FOR VALUES FROM ('019aa3dd-7400-0000-0000-000000000000') TO ('019ac7ea-0800-0000-0000-000000000000')";
        let (from, to) = parse(bounds).unwrap();
        assert!(from < to);
        assert_eq!(from.to_string(), "019aa3dd-7400-0000-0000-000000000000");
        for other in ["DEFAULT", "FOR VALUES FROM (MINVALUE) TO ('019ac7ea-0800-0000-0000-000000000000')", ""]
        {
            assert!(parse(other).is_none(), "{other}");
        }
    }
}
