use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

/// Connects; the session ends when the client is dropped.
#[expect(
    clippy::disallowed_methods,
    reason = "the task ends with its client, and its error is that of the next query"
)]
pub(super) async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Whether a query is answered there within a second.
pub(super) async fn is_answered(url: &str) -> bool {
    let asked = async { connect(url).await?.simple_query("SELECT 1").await };
    matches!(timeout(Duration::from_secs(1), asked).await, Ok(Ok(_)))
}
