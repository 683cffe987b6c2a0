//! Events to rows, with the applied position in the same transaction.

mod compare;
mod position;
mod rows;
mod statements;
mod tokens;
mod transaction;

use std::sync::Arc;

pub(super) use position::applied;
use rows::Rows;
#[cfg(test)]
pub(super) use statements::ALL;
use tokio::sync::{Mutex, MutexGuard};
use transaction::Tokens;

use super::failure::Failure;
use super::limits::{self, ServerLimits};
use super::partitions::Partitions;
use super::session::{Session, Target};
use crate::{Applied, Batch, Error, LogKey};

/// How often a transaction that fell to another one is begun again at once.
const CLASHES: usize = 3;

/// The one connection that writes rows. Batches come one after the other anyway, and a second connection could only
/// wait for the first one's lock of the position.
#[derive(Debug)]
pub(super) struct Writer {
    target: Arc<Target>,
    partitions: Partitions,
    /// From so many runs of tokens on, a batch is written by `COPY`.
    pub(super) copy_from: usize,
    /// Taken out while it is used, so that a call that ends early leaves none behind.
    place: Mutex<Place>,
}

#[derive(Debug)]
enum Place {
    Open(Option<Box<Session>>),
    Closed,
}

/// The connection in use. It is kept only by [`Turn::keep`], once all went well on it.
struct Turn<'a> {
    place: MutexGuard<'a, Place>,
    session: Box<Session>,
}

impl Turn<'_> {
    fn keep(mut self) {
        *self.place = Place::Open(Some(self.session));
    }
}

impl Writer {
    pub(super) fn new(target: Arc<Target>) -> Self {
        let place = Mutex::new(Place::Open(None));
        Self { target, partitions: Partitions::default(), copy_from: transaction::COPY_FROM, place }
    }

    pub(super) fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    pub(super) async fn apply(&self, batch: &Batch) -> Result<Applied, Error> {
        let rows = Rows::of(batch)?;
        let mut tokens = Tokens::Unknown;
        let mut clashes = 0;
        loop {
            match self.try_apply(batch, &rows, tokens).await {
                Ok(applied) => return Ok(applied),
                Err(Failure::Doubled) if matches!(tokens, Tokens::Unknown) => tokens = Tokens::MayBeThere,
                Err(Failure::Doubled) => {
                    return Err(Error::Refused(
                        "a unique index of the operator's own (SQLSTATE 23505)".to_owned(),
                    ));
                }
                Err(Failure::Clashed(_)) if clashes < CLASHES => clashes += 1,
                Err(Failure::Clashed(error) | Failure::Final(error)) => return Err(error),
            }
        }
    }

    async fn try_apply(&self, batch: &Batch, rows: &Rows<'_>, tokens: Tokens) -> Result<Applied, Failure> {
        let turn = self.turn().await?;
        if let Some(newest) = batch.events.iter().map(|logged| logged.request_id).max() {
            self.partitions.ensure(&turn.session, newest.accepted_at()).await;
        }
        let applied = transaction::apply(&turn.session, batch, rows, tokens, self.copy_from).await?;
        turn.keep();
        Ok(applied)
    }

    pub(super) async fn rewind(&self, log: LogKey, to: u64) -> Result<(), Error> {
        let turn = self.turn().await?;
        position::rewind(&turn.session, log, to).await?;
        turn.keep();
        Ok(())
    }

    async fn turn(&self) -> Result<Turn<'_>, Error> {
        let mut place = self.place.lock().await;
        let Place::Open(kept) = &mut *place else { return Err(Error::Closed) };
        let session = match kept.take() {
            Some(session) if !session.is_closed() => session,
            _ => self.connect().await?,
        };
        Ok(Turn { place, session })
    }

    async fn connect(&self) -> Result<Box<Session>, Error> {
        let session = self.target.connect(ServerLimits::APPLY, None).await?;
        session.client().batch_execute(statements::PLANNER).await?;
        Ok(Box::new(session))
    }

    /// Lets a batch that is being written come to its end, for as long as the limit says.
    pub(super) async fn close(&self) {
        let Ok(mut place) = tokio::time::timeout(limits::CLOSE, self.place.lock()).await else {
            tracing::warn!("a batch is still being written; its connection is left to its time limit");
            return;
        };
        if let Place::Open(Some(session)) = std::mem::replace(&mut *place, Place::Closed) {
            session.close(limits::CLOSE).await;
        }
    }
}
