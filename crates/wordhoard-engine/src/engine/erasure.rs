use std::time::Duration;

use wordhoard_model::RequestId;
use wordhoard_store::Erasure;

use super::Engine;

/// How long SQL may take to get what has just ended.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks.
const REST: Duration = Duration::from_millis(100);

/// Why a request could not be erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// There is no such request, or it was erased before.
    #[error("there is no such request")]
    NotFound,
    /// It has to end first.
    #[error("the request still runs: cancel it first")]
    Running,
    /// SQL cannot be asked, or does not have it yet.
    #[error("{0}")]
    Unavailable(String),
}

impl Engine {
    /// Erases what a request said: its prompt and all answers. What it used and cost still counts. The log, its archive and
    /// backups that were made before keep it until they are let go.
    ///
    /// # Errors
    /// Where there is none, where it runs, and where SQL cannot do it now.
    pub async fn erase(&self, id: RequestId) -> Result<(), EraseError> {
        let inner = &self.inner;
        let erasing = async {
            loop {
                let live = inner.hub.get(id);
                if live.as_ref().is_some_and(|live| live.visible_end().is_none()) {
                    return Err(EraseError::Running);
                }
                let erased = inner.store.erase(id, inner.clock.now()).await;
                match (erased.map_err(|error| EraseError::Unavailable(error.to_string()))?, live) {
                    (Erasure::Done, _) => {
                        inner.history.note_erased(id);
                        return Ok(());
                    }
                    // It has ended, and SQL is about to hear of it.
                    (Erasure::Running | Erasure::Unknown, Some(_)) => tokio::time::sleep(REST).await,
                    (Erasure::Running, None) => return Err(EraseError::Running),
                    (Erasure::Unknown, None) => return Err(EraseError::NotFound),
                }
            }
        };
        tokio::time::timeout(PATIENCE, erasing).await.unwrap_or_else(|_| {
            Err(EraseError::Unavailable("the database does not have the request yet".to_owned()))
        })
    }
}
