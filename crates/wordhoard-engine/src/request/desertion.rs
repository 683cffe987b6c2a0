//! Requests that nobody follows any more.

use std::convert::Infallible;
use std::time::Duration;

use wordhoard_model::RequestCreated;
use wordhoard_providers::Recorded;

use super::Run;

/// How often a request of an earlier run looks whether the server is ready: only from then on can its client come back.
const READINESS_INTERVAL: Duration = Duration::from_millis(100);

/// Cancels the request once nobody has followed it for as long as that is allowed. Who came back in time counts, by
/// whichever API; who only asks how it stands does not. Never ends by itself.
pub(super) async fn watch(run: &Run) -> Infallible {
    let grace = run.engine.settings.client_gone_grace.filter(|_| needs_its_client(run.live.created()));
    let Some(grace) = grace else { return std::future::pending().await };
    while !run.engine.accepting.is_open() {
        tokio::time::sleep(READINESS_INTERVAL).await;
    }
    loop {
        run.live.until_deserted().await;
        let looked_at = run.live.times_looked_at();
        tokio::time::sleep(grace).await;
        // A stop cuts its readers off; they are asked to come back. And who reads it at another server is not seen here.
        let may_be_read = run.live.times_looked_at() != looked_at
            || run.engine.is_draining()
            || run.engine.fleet.has_others();
        if !may_be_read {
            tracing::info!(request_id = %run.live.id(), ?grace, "nobody follows the request any more; it is cancelled");
            run.live.cancel();
            return std::future::pending().await;
        }
    }
}

/// Whether nobody is served by the request once its client is gone. Who gave a key against doubles, or asked for an answer in the
/// background, means to come back; and a prompt of the native API goes on in any case.
fn needs_its_client(created: &RequestCreated) -> bool {
    let recorded = Recorded::of(&created.prompt).unwrap_or_default();
    !recorded.dialect.is_empty() && created.idempotency.is_none() && recorded.background != Some(true)
}
