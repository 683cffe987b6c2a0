//! Calls whose client went away before it had the whole answer. A client that asks the same again gets the answer of the first
//! call, so that nobody pays for it twice (SPEC FD 12).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use wordhoard_model::{KeyId, Outcome, Prompt, Timestamp, Transcript};
use wordhoard_providers::Recorded;

use crate::admission::NewRequest;
use crate::hub::LiveRequest;

/// How long the answer of a call that has ended is kept for a client that asks again (SPEC FD 12).
const KEPT_MS: i64 = 120_000;

/// Who asked what: the API key, and the digest of the route and the body.
type Question = (Option<KeyId>, String);

/// The calls that wait for their clients to come back.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    /// Of each question the newest call.
    calls: Mutex<HashMap<Question, Arc<LiveRequest>>>,
}

impl Orphans {
    /// The client of a call is gone. What cannot be asked again in the same words has no place here.
    pub(crate) fn note(&self, live: Arc<LiveRequest>, now: Timestamp) {
        let created = live.created();
        let Some(question) = question_of(created.key, &created.prompt, created.idempotency.is_some()) else {
            return;
        };
        let mut calls = self.calls.lock();
        calls.retain(|_, call| is_there(call, now));
        calls.insert(question, live);
    }

    pub(crate) fn are_there(&self) -> bool {
        !self.calls.lock().is_empty()
    }

    /// The call that asked the same, where its answer can still be had and nobody else is given it.
    pub(crate) fn adopt(&self, new: &NewRequest, now: Timestamp) -> Option<Arc<LiveRequest>> {
        if !self.are_there() {
            return None;
        }
        self.take(&question_of(new.key, &new.prompt, new.idempotency.is_some())?, now)
    }

    /// The call that asked this, left where it is.
    pub(crate) fn of_earlier(&self, new: &NewRequest, earlier: &EarlierQuestion) -> Option<Arc<LiveRequest>> {
        self.calls.lock().get(&(new.key, earlier.sha256.clone())).cloned()
    }

    /// The same, taken away from everybody else.
    pub(crate) fn adopt_earlier(
        &self,
        new: &NewRequest,
        earlier: &EarlierQuestion,
        now: Timestamp,
    ) -> Option<Arc<LiveRequest>> {
        self.take(&(new.key, earlier.sha256.clone()), now)
    }

    fn take(&self, question: &Question, now: Timestamp) -> Option<Arc<LiveRequest>> {
        let call = self.calls.lock().remove(question)?;
        let can_be_had = is_there(&call, now) && !call.is_followed();
        can_be_had.then_some(call)
    }
}

/// What a client may have asked before: its request without the items of an answer that it shows at its end. Clients of the
/// responses dialect repeat a request so, with what of its answer had come whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierQuestion {
    /// Its digest, as [`Recorded::question_sha256`].
    pub sha256: String,
    /// How many items of the answer the client has.
    pub shown_items: usize,
    /// The texts of these items, joined.
    pub text: String,
    /// Their reasoning, joined.
    pub reasoning: String,
}

impl EarlierQuestion {
    /// Whether the items can be the beginning of this answer.
    pub(crate) fn begins(&self, answer: &Transcript) -> bool {
        let mut attempts = answer.attempts.iter();
        attempts.any(|attempt| {
            attempt.text.starts_with(&self.text) && attempt.reasoning.starts_with(&self.reasoning)
        })
    }
}

/// Whether it runs or has lately given a whole answer.
fn is_there(call: &LiveRequest, now: Timestamp) -> bool {
    if call.cancelled().is_cancelled() || call.broken().is_cancelled() {
        return false;
    }
    match call.state().finished() {
        None => true,
        Some((at, end)) => {
            end.outcome == Outcome::Completed && now.as_millis().saturating_sub(at.as_millis()) < KEPT_MS
        }
    }
}

/// None where the client means to come back by another way: by its idempotency key, or for an answer in the background.
fn question_of(key: Option<KeyId>, prompt: &Prompt, has_idempotency_key: bool) -> Option<Question> {
    let recorded = Recorded::of(prompt)?;
    let comes_back = has_idempotency_key || recorded.background == Some(true);
    Some((key, recorded.question_sha256.filter(|_| !comes_back)?))
}
