//! Taking out what a request said, because somebody asks for that. Its rows stay: sums, checks and pruning go on as before.

use async_trait::async_trait;
use wordhoard_model::{RequestId, Timestamp};

use crate::Error;

/// What became of an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// Nothing of what the request said is in the database any more.
    Done,
    /// It still runs, and stays as it is.
    Running,
    /// The database does not have it, or it was erased before.
    Unknown,
}

/// Erases what requests said.
#[async_trait]
pub trait Erasing {
    /// Erases the prompt and every piece of all answers of a request that has ended, in one transaction. From then on its
    /// events are [`Error::Erased`], no list shows it, and no key against doubles finds it.
    async fn erase(&self, id: RequestId, at: Timestamp) -> Result<Erasure, Error>;

    /// Which of these requests were erased.
    async fn erased_of(&self, ids: Vec<RequestId>) -> Result<Vec<RequestId>, Error>;
}
