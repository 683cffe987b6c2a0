//! Requests that nobody follows any more.

use std::convert::Infallible;

use super::Run;

/// Cancels the request once nobody has followed it for as long as that is allowed. Who came back in time counts, by
/// whichever API. Never ends by itself.
pub(super) async fn watch(run: &Run) -> Infallible {
    let Some(grace) = run.going.deserted_after else { return std::future::pending().await };
    loop {
        run.live.until_deserted().await;
        let looked_at = run.live.times_looked_at();
        tokio::time::sleep(grace).await;
        // A stop cuts its readers off; they are asked to come back. And who reads it at another server is not seen here.
        let may_be_read = run.live.times_looked_at() != looked_at
            || run.engine.is_draining()
            || run.engine.fleet.has_others(|log| run.engine.is_ours(log));
        if !may_be_read {
            tracing::info!(request_id = %run.live.id(), ?grace, "nobody follows the request any more; it is cancelled");
            run.live.cancel();
            return std::future::pending().await;
        }
    }
}
