//! The connections for calls that are short: they read, or write one row.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::{self, ServerLimits};
use super::session::{Session, Target};
use crate::Error;

/// Connections, and so calls at the same time.
const PLACES: usize = 4;

#[derive(Debug)]
pub(super) struct Pool {
    target: Arc<Target>,
    places: Arc<Semaphore>,
    idle: Mutex<Option<Vec<Session>>>,
}

/// A connection on loan. It goes back only by [`Lease::give_back`]: one that is dropped, by an error or because nobody
/// waits for the call any more, is closed, since nobody knows what is under way on it.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    session: Session,
    _place: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self { target, places: Arc::new(Semaphore::new(PLACES)), idle: Mutex::new(Some(Vec::new())) }
    }

    /// Waits for a turn; fair. The caller sets the time limit.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, Error> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Closed)?;
        loop {
            let kept = self.idle.lock().as_mut().ok_or(Error::Closed)?.pop();
            let session = match kept {
                Some(session) if session.is_closed() => continue,
                Some(session) => session,
                None => self.target.connect(ServerLimits::READ, None).await?,
            };
            return Ok(Lease { pool: self, session, _place: place });
        }
    }

    /// What was idle while a call failed has likely broken with it.
    pub(super) fn distrust_idle(&self) {
        if let Some(idle) = self.idle.lock().as_mut() {
            idle.clear();
        }
    }

    /// No new calls. Those under way end by themselves, within their limit.
    pub(super) async fn close(&self) {
        self.places.close();
        let idle = self.idle.lock().take();
        for session in idle.into_iter().flatten() {
            session.close(limits::CLOSE).await;
        }
    }
}

impl Lease<'_> {
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn give_back(self) {
        if let Some(idle) = self.pool.idle.lock().as_mut() {
            idle.push(self.session);
        }
    }
}
