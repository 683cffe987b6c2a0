//! What the engine knows of the other servers on its database, and does about them.

use std::time::Duration;

use wordhoard_model::RequestId;
use wordhoard_store::LogKey;

use super::Engine;
use crate::fleet::{Owner, RetireError, Retired, ServerReport};

/// How long SQL may take to say whose a request is.
const OWNER_PATIENCE: Duration = Duration::from_secs(2);

impl Engine {
    /// The servers that have ever used the database, as SQL knew them a few seconds ago; none where it could not be asked.
    pub fn servers(&self) -> Vec<ServerReport> {
        self.inner.fleet.reports()
    }

    /// Whether other servers have used the database lately.
    pub fn has_other_servers(&self) -> bool {
        self.inner.fleet.has_others()
    }

    /// Ends the log of a server that is gone, and closes what it has left. Calling it again goes on where it was broken off.
    ///
    /// # Errors
    /// Why it was not retired.
    pub async fn retire(&self, log: LogKey) -> Result<Retired, RetireError> {
        self.inner.retire(log).await
    }

    /// Which server runs a request that is not running here, as far as can be told.
    pub async fn owner(&self, id: RequestId) -> Owner {
        if self.inner.hub.get(id).is_some() {
            return Owner::Here;
        }
        match tokio::time::timeout(OWNER_PATIENCE, self.inner.store.summary(id)).await {
            Ok(Ok(Some(summary))) if self.inner.is_ours(summary.log) => Owner::Here,
            Ok(Ok(Some(summary))) => self.inner.fleet.owner(summary.log),
            _ => Owner::Unknown,
        }
    }

    pub(super) async fn server_of(&self, id: RequestId) -> Option<Box<ServerReport>> {
        match self.owner(id).await {
            Owner::Elsewhere(server) => Some(server),
            Owner::Here | Owner::Nobody | Owner::Unknown => None,
        }
    }
}
