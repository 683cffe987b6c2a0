//! Tokens that may be there already, against what is there.
//!
//! Not every token that comes is new: a repair, a replay over a restored database, and a batch whose reply was lost bring what SQL has.
//! Then each is looked at by itself. What is there stays; what says something else is a conflict.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;

use wordhoard_model::{AttemptSeq, Event, EventBody, RequestId, Seq, Token, TokenIndex};

use super::{RunPlace, RunRow, TokenOfBatch};
use crate::Conflict;

/// What is there of the requests of a batch.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    requests: HashMap<RequestId, RequestThere>,
}

/// What is there of a request, as far as the batch reaches.
#[derive(Debug, Default)]
struct RequestThere {
    is_erased: bool,
    tokens: HashMap<(AttemptSeq, TokenIndex), Event>,
    unreadable: Vec<RunPlace>,
    /// Numbers that an event has.
    seqs: HashSet<Seq>,
    /// How many tokens each attempt had that has ended.
    token_counts: HashMap<AttemptSeq, u64>,
}

/// The columns of an attempt that bound its tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptRows {
    pub(crate) attempt_seq: AttemptSeq,
    pub(crate) started_seq: Seq,
    pub(crate) finished_seq: Option<Seq>,
    pub(crate) token_count: Option<u64>,
}

/// What has become of the tokens of a batch.
#[derive(Debug, Default)]
pub(crate) struct Examined<'a> {
    /// Rows to be written.
    pub(crate) rows: Vec<RunRow<'a>>,
    /// How many tokens those have.
    pub(crate) new: u64,
    /// Each with the place of its event in the batch.
    pub(crate) conflicts: Vec<(usize, Conflict)>,
}

impl Standing {
    /// A request that is there. `event_count` is that of one that has ended.
    pub(crate) fn request(&mut self, id: RequestId, is_erased: bool, event_count: Option<u64>) {
        let request = self.requests.entry(id).or_default();
        request.is_erased = is_erased;
        request.seqs.insert(Seq::FIRST);
        request.seqs.extend(event_count.map(|count| Seq(count.saturating_sub(1))));
    }

    pub(crate) fn attempt(&mut self, id: RequestId, attempt: AttemptRows) {
        let request = self.requests.entry(id).or_default();
        request.seqs.extend([attempt.started_seq].into_iter().chain(attempt.finished_seq));
        request.token_counts.extend(attempt.token_count.map(|count| (attempt.attempt_seq, count)));
    }

    /// A row that overlaps with what comes. The same row may be told more than once.
    pub(crate) fn run(&mut self, row: &RunRow<'_>) {
        let request = self.requests.entry(row.request_id).or_default();
        match row.events() {
            Ok(events) => {
                for event in events {
                    request.seqs.insert(event.seq);
                    if let EventBody::Token(token) = &event.body {
                        request.tokens.insert((token.attempt_seq, token.token_index), event);
                    }
                }
            }
            Err(error) => self.unreadable_run(row.request_id, row.place, &*error),
        }
    }

    /// A row that overlaps and that cannot be read. It stays, and whatever comes in its place is a conflict.
    pub(crate) fn unreadable_run(&mut self, id: RequestId, place: RunPlace, error: &dyn Display) {
        let RunPlace { attempt_seq, first_token_index, .. } = place;
        tracing::error!(request_id = %id, attempt_seq, first_token_index, %error, "a row of llm_token_runs cannot be read; it stays");
        self.requests.entry(id).or_default().unreadable.push(place);
    }

    /// In the order of the log, so that of two tokens in one place the first counts.
    pub(crate) fn examine<'a>(&mut self, tokens: &[TokenOfBatch<'a>]) -> Examined<'a> {
        let mut examined = Examined::default();
        let mut new: BTreeMap<RequestId, Vec<TokenOfBatch<'a>>> = BTreeMap::new();
        for token in tokens {
            match self.requests.entry(token.request_id).or_default().take(token) {
                Verdict::New => new.entry(token.request_id).or_default().push(*token),
                Verdict::Same => {}
                Verdict::Conflict => {
                    let (index, attempt) = (token.token.token_index, token.token.attempt_seq);
                    let what = format!("another token {index} of attempt {attempt}");
                    examined.conflicts.push((token.place, Conflict { request_id: token.request_id, what }));
                }
            }
        }
        for (id, tokens) in new {
            examined.new += tokens.len() as u64;
            let is_erased = self.requests.get(&id).is_some_and(|request| request.is_erased);
            let rows = super::runs(tokens).into_iter();
            examined.rows.extend(rows.map(|row| if is_erased { row.blanked() } else { row }));
        }
        examined
    }
}

enum Verdict {
    New,
    Same,
    Conflict,
}

impl RequestThere {
    fn take(&mut self, token: &TokenOfBatch<'_>) -> Verdict {
        let (attempt, index) = (token.token.attempt_seq, token.token.token_index);
        let place = (attempt, index);
        if let Some(there) = self.tokens.get(&place) {
            let is_same = there.seq == token.seq
                && there.at == token.at
                && matches!(&there.body, EventBody::Token(there) if self.is_erased || is_same(there, token.token));
            return if is_same { Verdict::Same } else { Verdict::Conflict };
        }
        let is_behind_the_end = self.token_counts.get(&attempt).is_some_and(|count| index.0 >= *count);
        let is_taken = self.seqs.contains(&token.seq)
            || is_behind_the_end
            || self.unreadable.iter().any(|place| place.has(attempt, index, token.seq));
        if is_taken {
            return Verdict::Conflict;
        }
        self.seqs.insert(token.seq);
        let body = EventBody::Token(token.token.clone());
        self.tokens.insert(place, Event { seq: token.seq, at: token.at, body });
        Verdict::New
    }
}

/// Events of the provider are no part of what a token says: SQL may have been without them.
fn is_same(there: &Token, token: &Token) -> bool {
    there.kind == token.kind && there.text == token.text
}
