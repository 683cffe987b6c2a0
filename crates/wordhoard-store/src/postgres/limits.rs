//! Time limits. Each call of the store ends within one of them, whatever the server or the network does.

use std::time::Duration;

use crate::Error;

/// For a connection to one host, from the first packet to the answer to our settings.
pub(super) const CONNECT: Duration = Duration::from_secs(3);
/// For a call that reads, its turn and its connection included.
pub(super) const READ: Duration = Duration::from_secs(5);
/// For a call that writes rows.
pub(super) const APPLY: Duration = Duration::from_secs(30);
/// For the migrations of a start. Building an index over a large table may be among them.
pub(super) const MIGRATE: Duration = Duration::from_secs(600);
/// For a copy of the whole database.
pub(super) const EXPORT: Duration = Duration::from_secs(6 * 3_600);
/// For making, renaming and dropping databases.
pub(super) const BESIDE: Duration = Duration::from_secs(120);
/// How long closing waits for what is under way.
pub(super) const CLOSE: Duration = Duration::from_secs(5);

/// What the server is told: it gives up a little earlier than we do, so that it is the one to say why, and that it
/// does not go on with what nobody waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerLimits {
    /// For one statement.
    pub(super) statement: Duration,
    /// For one lock.
    pub(super) lock: Duration,
}

impl ServerLimits {
    pub(super) const READ: Self = Self { statement: Duration::from_secs(4), lock: Duration::from_secs(4) };
    pub(super) const APPLY: Self = Self { statement: Duration::from_secs(25), lock: Duration::from_secs(10) };
    pub(super) const EXPORT: Self =
        Self { statement: Duration::from_secs(3_600), lock: Duration::from_secs(30) };
    pub(super) const BESIDE: Self =
        Self { statement: Duration::from_secs(110), lock: Duration::from_secs(30) };
    /// The lock is the one that lets one server migrate at a time.
    pub(super) const MIGRATE: Self =
        Self { statement: Duration::from_secs(590), lock: Duration::from_secs(60) };
}

/// Drops the work once its time is over. Whatever connection it held is dropped with it.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(Error::Unavailable(format!("no answer within {} s", limit.as_secs()))),
    }
}
