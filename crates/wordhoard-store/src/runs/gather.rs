//! The tokens of a batch, and the runs that they make.

use std::collections::HashMap;

use wordhoard_model::{AttemptSeq, EventBody, RequestId, Seq, Timestamp, Token, TokenIndex};

use super::RunRow;
use crate::{Batch, LoggedEvent};

/// A run is closed once it has so many tokens, or texts of so many bytes.
const MAX_TOKENS: usize = 1_024;
const MAX_TEXT_BYTES: usize = 256 << 10;

/// A token, as an event of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenOfBatch<'a> {
    /// Its place in the batch.
    pub(crate) place: usize,
    pub(crate) request_id: RequestId,
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
    pub(crate) token: &'a Token,
}

impl TokenOfBatch<'_> {
    fn attempt(&self) -> (RequestId, AttemptSeq) {
        (self.request_id, self.token.attempt_seq)
    }

    /// Whether it may stand behind `last` in one row.
    fn follows(&self, last: &Self, first: &Self) -> bool {
        let index = last.token.token_index.0.checked_add(1) == Some(self.token.token_index.0);
        let representable = self.at.as_millis().checked_sub(first.at.as_millis()).is_some()
            && [self.seq.0, self.token.token_index.0].iter().all(|number| i64::try_from(*number).is_ok());
        index && self.seq > last.seq && representable
    }
}

/// The tokens of a batch, in the order of the log.
pub(crate) fn tokens_of(batch: &Batch) -> Vec<TokenOfBatch<'_>> {
    batch.events.iter().enumerate().filter_map(|(place, logged)| token_of(place, logged)).collect()
}

fn token_of(place: usize, logged: &LoggedEvent) -> Option<TokenOfBatch<'_>> {
    let EventBody::Token(token) = &logged.event.body else { return None };
    let (request_id, seq, at) = (logged.request_id, logged.event.seq, logged.event.at);
    Some(TokenOfBatch { place, request_id, seq, at, token })
}

/// Whether the batch names each event of a request after the ones before it, and each token of an attempt, too. Where it does not,
/// the same may be there twice.
pub(crate) fn is_in_order(batch: &Batch) -> bool {
    let mut last_seqs: HashMap<RequestId, Seq> = HashMap::new();
    let mut last_indexes: HashMap<(RequestId, AttemptSeq), TokenIndex> = HashMap::new();
    batch.events.iter().all(|LoggedEvent { request_id, event, .. }| {
        let is_next = last_seqs.insert(*request_id, event.seq).is_none_or(|last| last < event.seq);
        let EventBody::Token(token) = &event.body else { return is_next };
        let last_index = last_indexes.insert((*request_id, token.attempt_seq), token.token_index);
        is_next && last_index.is_none_or(|last| last < token.token_index)
    })
}

/// Puts tokens together to rows: those of one request, and of one attempt, after each other, as the table has them, whatever the order of
/// the log.
pub(crate) fn runs(mut tokens: Vec<TokenOfBatch<'_>>) -> Vec<RunRow<'_>> {
    // Stable, though no two tokens should have one place.
    tokens.sort_by_key(|token| (token.attempt(), token.token.token_index));
    let mut rows = Vec::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        let (run, others) = rest.split_at(length_of_first_run(rest));
        rows.extend(RunRow::of(run));
        rest = others;
    }
    rows
}

fn length_of_first_run(tokens: &[TokenOfBatch<'_>]) -> usize {
    let Some(first) = tokens.first() else { return 0 };
    let mut text_bytes = first.token.text.len();
    for (length, pair) in (1..).zip(tokens.windows(2)) {
        let [last, token] = pair else { break };
        let is_full = length >= MAX_TOKENS || text_bytes >= MAX_TEXT_BYTES;
        if is_full || token.attempt() != first.attempt() || !token.follows(last, first) {
            return length;
        }
        text_bytes += token.token.text.len();
    }
    tokens.len()
}

/// From where to where the tokens of one attempt reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) request_id: RequestId,
    pub(crate) attempt_seq: AttemptSeq,
    pub(crate) token_indexes: (TokenIndex, TokenIndex),
    pub(crate) seqs: (Seq, Seq),
}

/// One for each attempt.
pub(crate) fn reaches(tokens: &[TokenOfBatch<'_>]) -> Vec<Reach> {
    let mut reaches: HashMap<(RequestId, AttemptSeq), Reach> = HashMap::new();
    for token in tokens {
        let (request_id, attempt_seq) = token.attempt();
        let (index, seq) = (token.token.token_index, token.seq);
        let reach = reaches.entry((request_id, attempt_seq)).or_insert(Reach {
            request_id,
            attempt_seq,
            token_indexes: (index, index),
            seqs: (seq, seq),
        });
        reach.token_indexes = (reach.token_indexes.0.min(index), reach.token_indexes.1.max(index));
        reach.seqs = (reach.seqs.0.min(seq), reach.seqs.1.max(seq));
    }
    reaches.into_values().collect()
}
