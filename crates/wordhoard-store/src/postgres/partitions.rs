//! The weekly partitions of `llm_token_runs`, made ahead of time.

mod prune;

use std::ops::Range;
use std::time::Duration;

use parking_lot::Mutex;
pub(super) use prune::prune;
#[cfg(test)]
pub(super) use prune::{KEPT, LIST};
use tokio::time::Instant;
use wordhoard_model::Timestamp;

use super::session::Session;
use crate::Error;

const WEEK_MS: i64 = 7 * 24 * 3600 * 1000;
/// Weeks made ahead, beside the one that is asked for.
const AHEAD: i64 = 4;
/// They are made again when the newest request is so near to the end of the last one.
const MARGIN: i64 = 2;
/// After a failure (no right to make tables, rows of that week in the default partition) they are tried again so late.
const RETRY: Duration = Duration::from_secs(60);

/// One server makes them at a time. A lock of the transaction.
const LOCK: i64 = i64::from_be_bytes(*b"wordpart");

/// Which weeks are known to be there.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In weeks since 1970. Not only an end: a clock that was once far ahead must not keep later weeks from being made.
    ensured: Range<i64>,
    not_before: Option<Instant>,
}

impl Default for State {
    fn default() -> Self {
        Self { ensured: 0..0, not_before: None }
    }
}

impl Partitions {
    /// Makes what is missing from the week of `newest` on. A failure is told in the log and nothing more: the rows of
    /// a week without a partition go into the default one.
    pub(super) async fn ensure(&self, session: &Session, newest: Timestamp) {
        let week = week_of(newest);
        if !self.is_due(week) {
            return;
        }
        let made = make(session, week).await;
        let mut state = self.state.lock();
        match made {
            Ok(()) => *state = State { ensured: week..week + AHEAD + 1, not_before: None },
            Err(error) => {
                state.not_before = Some(Instant::now() + RETRY);
                tracing::warn!(%error, "the partitions of the coming weeks could not be made; the default one takes their rows");
            }
        }
    }

    fn is_due(&self, week: i64) -> bool {
        let state = self.state.lock();
        let made = state.ensured.start..state.ensured.end - MARGIN;
        !made.contains(&week) && state.not_before.is_none_or(|moment| Instant::now() >= moment)
    }
}

/// In one transaction, so that a failure leaves nothing half made and the session usable.
async fn make(session: &Session, week: i64) -> Result<(), Error> {
    let weeks = week..=week + AHEAD;
    let statements: String = weeks.map(statement).collect();
    // A table of its own first, attached then: that takes weaker locks than making it as a partition. Behind the lock
    // of a long query, everyone who writes would wait with us; so not for long.
    let sql = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED;
         SET LOCAL lock_timeout = '1s';
         SELECT pg_advisory_xact_lock({LOCK});
         {statements}
         COMMIT"
    );
    if let Err(error) = session.client().batch_execute(&sql).await {
        session.client().batch_execute("ROLLBACK").await?;
        return Err(error.into());
    }
    Ok(())
}

fn statement(week: i64) -> String {
    let name = name(week);
    let (from, to) = (bound(week), bound(week + 1));
    format!(
        "DO $$ BEGIN
             IF to_regclass('{name}') IS NULL THEN
                 CREATE TABLE {name} (LIKE llm_token_runs INCLUDING ALL);
                 ALTER TABLE llm_token_runs ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}');
             END IF;
         END $$;"
    )
}

fn week_of(at: Timestamp) -> i64 {
    at.as_millis().max(0).div_euclid(WEEK_MS)
}

/// `llm_token_runs_20261119`: by the first day of the week, in UTC.
fn name(week: i64) -> String {
    let start = Timestamp::from_millis(week * WEEK_MS).to_string();
    let digits: String = start.chars().take_while(|c| *c != 'T').filter(char::is_ascii_digit).collect();
    format!("llm_token_runs_{digits}")
}

/// The smallest id of a request of this week: a UUIDv7 begins with 48 bits of milliseconds since 1970.
fn bound(week: i64) -> String {
    let millis = format!("{:012x}", week * WEEK_MS);
    let (high, low) = millis.split_at(8);
    format!("{high}-{low}-0000-0000-000000000000")
}

#[cfg(test)]
mod tests {
    use wordhoard_model::RequestId;

    use super::*;

    #[test]
    fn a_request_lies_within_the_bounds_of_its_week() {
        let at = Timestamp::from_millis(1_795_400_000_042);
        let id = RequestId::generate(at);
        let week = week_of(at);
        let bounds: Vec<RequestId> = [week, week + 1].map(|week| bound(week).parse().unwrap()).into();
        assert!(bounds[0] <= id && id < bounds[1]);
        assert_eq!(name(week), "llm_token_runs_20261119");
        assert_eq!(name(0), "llm_token_runs_19700101");
    }
}
