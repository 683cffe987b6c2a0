//! What is wrong with one request, by all that is known of it.

use std::collections::BTreeMap;

use wordhoard_model::{AttemptSeq, RequestId, Seq, TokenIndex};

use super::evidence::{AttemptRow, Facts, RequestRow};
use super::numbering::Numbering;
use super::tokens::{AttemptTokens, width};
use super::{Fault, Finding};

/// What is said about one request.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) findings: Vec<Finding>,
    /// Tokens that are there.
    pub(super) tokens: u64,
}

/// An attempt of which there is at least one row, or of which the request's row says that it was made.
#[derive(Debug, Default)]
struct Attempt<'a> {
    row: Option<&'a AttemptRow>,
    tokens: Option<&'a AttemptTokens>,
}

impl Facts {
    /// At most `limit` findings.
    pub(super) fn judge(&self, id: RequestId, limit: usize) -> Judgement {
        let mut bench = Bench { id, limit, findings: Vec::new(), missing_tokens: 0 };
        let attempts = self.by_attempt(limit);
        self.judge_request(&mut bench);
        for (attempt_seq, attempt) in &attempts {
            self.judge_attempt(&mut bench, *attempt_seq, attempt);
        }
        let numbering = self.numbering(limit);
        let all_rows = self.request.is_some() && attempts.values().all(|attempt| attempt.row.is_some());
        // As many events are missing as tokens: those are the same, and were said.
        if !all_rows || numbering.missing_count() != bench.missing_tokens {
            for (from, through) in &numbering.missing {
                bench.say(None, Fault::EventsMissing { from: seq(*from), through: seq(*through) });
            }
        }
        for number in &numbering.doubled {
            bench.say(None, Fault::EventDoubled { seq: seq(*number) });
        }
        if let Some(request) = &self.request {
            judge_counts(&mut bench, request, &attempts, &numbering);
        }
        let tokens = attempts
            .values()
            .filter_map(|attempt| Some(attempt.tokens?.tokens()))
            .fold(0, u64::saturating_add);
        Judgement { findings: bench.findings, tokens }
    }

    /// All attempts from the first to the last that anything speaks of; of those that only a number speaks of, no
    /// more than `limit`.
    fn by_attempt(&self, limit: usize) -> BTreeMap<i64, Attempt<'_>> {
        let mut attempts: BTreeMap<i64, Attempt<'_>> = BTreeMap::new();
        for row in &self.attempts {
            attempts.entry(row.attempt_seq).or_default().row = Some(row);
        }
        for (attempt_seq, tokens) in &self.tokens {
            attempts.entry(*attempt_seq).or_default().tokens = Some(tokens);
        }
        let recorded = self.request.and_then(|request| request.attempt_count).unwrap_or(0);
        let last = attempts.keys().last().copied().unwrap_or(0).max(recorded);
        for attempt_seq in (1..=last).take(limit) {
            attempts.entry(attempt_seq).or_default();
        }
        attempts
    }

    fn judge_request(&self, bench: &mut Bench) {
        match &self.request {
            None => bench.say(None, Fault::RequestMissing),
            Some(row) => {
                let counts = [row.event_count, row.token_count, row.attempt_count, row.lanes_completed];
                let parts = counts.iter().map(Option::is_some).chain([row.end_timed, !row.running]);
                bench.judge_end(None, parts);
            }
        }
    }

    fn judge_attempt(&self, bench: &mut Bench, attempt_seq: i64, attempt: &Attempt<'_>) {
        let none = AttemptTokens::default();
        let tokens = attempt.tokens.unwrap_or(&none);
        let place = Some(AttemptSeq(u32::try_from(attempt_seq).unwrap_or(0)));
        match attempt.row {
            None => bench.say(place, Fault::AttemptMissing),
            Some(row) => {
                let parts =
                    [row.finished_seq.is_some(), row.token_count.is_some(), row.end_timed, !row.running];
                bench.judge_end(place, parts.into_iter());
                let ended = self.request.is_some_and(|request| request.ended());
                if ended && parts.iter().all(|part| !part) {
                    bench.say(place, Fault::AttemptOpen);
                }
            }
        }
        for (from, through) in &tokens.unsound {
            bench.say(place, Fault::RunUnsound { from: token(*from), through: token(*through) });
        }
        for (from, through) in &tokens.doubled {
            bench.say(place, Fault::TokensDoubled { from: token(*from), through: token(*through) });
        }
        for gap in &tokens.gaps {
            bench.tokens_missing(place, *gap);
        }
        for (index, number) in &tokens.unordered {
            bench.say(place, Fault::OutOfOrder { token_index: token(*index), seq: seq(*number) });
        }
        let Some(row) = attempt.row else { return };
        // Against its start and its end only the tokens at the ends can be out of order; a single one is both.
        let first = tokens.first.filter(|(_, number)| *number <= row.started_seq);
        let last = tokens.last.filter(|(_, number)| row.finished_seq.is_some_and(|end| *number >= end));
        for (index, number) in first.into_iter().chain(last.filter(|last| Some(*last) != first)) {
            bench.say(place, Fault::OutOfOrder { token_index: token(index), seq: seq(number) });
        }
        match row.token_count {
            Some(recorded) if tokens.reach() < recorded => {
                bench.tokens_missing(place, (tokens.reach(), recorded - 1));
            }
            Some(recorded) => bench.judge_count(place, "token_count", recorded, count(tokens.reach())),
            // What a running attempt will still say is not known.
            None => {}
        }
    }

    fn numbering(&self, limit: usize) -> Numbering {
        // The number of `request.created`. Where that row is gone, it is said once, as that.
        let mut others = vec![0];
        others.extend(
            self.request.and_then(|request| request.event_count).map(|count| count.saturating_sub(1)),
        );
        for row in &self.attempts {
            others.push(row.started_seq);
            others.extend(row.finished_seq);
        }
        Numbering::new(&self.token_numbers, &others, limit)
    }
}

impl RequestRow {
    fn ended(&self) -> bool {
        self.event_count.is_some()
    }
}

/// What the row of an ended request says against the rows of its attempts. Tokens that have no row are no other count:
/// they are missing.
fn judge_counts(
    bench: &mut Bench,
    request: &RequestRow,
    attempts: &BTreeMap<i64, Attempt<'_>>,
    numbering: &Numbering,
) {
    if let Some(recorded) = request.event_count
        && numbering.highest >= recorded
    {
        bench.judge_count(None, "event_count", recorded, count(numbering.highest.saturating_add(1)));
    }
    let made = attempts.keys().last().copied().unwrap_or(0);
    if let Some(recorded) = request.attempt_count
        && made > recorded
    {
        bench.judge_count(None, "attempt_count", recorded, count(made));
    }
    // Of an attempt without its row, or without its end, nobody knows how many tokens it had and how it went.
    let ended =
        |attempt: &Attempt<'_>| attempt.row.and_then(|row| Some((row.lane, row.completed, row.token_count?)));
    let Some(ends) = attempts.values().map(ended).collect::<Option<Vec<_>>>() else { return };
    if let Some(recorded) = request.token_count {
        let tokens = ends.iter().map(|(.., tokens)| count(*tokens)).fold(0, u64::saturating_add);
        bench.judge_count(None, "token_count", recorded, tokens);
    }
    // Of a lane's attempts the last one counts.
    let lanes: BTreeMap<i64, bool> = ends.iter().map(|(lane, completed, _)| (*lane, *completed)).collect();
    if let Some(recorded) = request.lanes_completed {
        let completed = lanes.values().filter(|completed| **completed).count();
        bench.judge_count(None, "lanes_completed", recorded, completed as u64);
    }
}

/// Where findings of one request are gathered.
struct Bench {
    id: RequestId,
    limit: usize,
    findings: Vec<Finding>,
    missing_tokens: u64,
}

impl Bench {
    fn say(&mut self, attempt_seq: Option<AttemptSeq>, fault: Fault) {
        if self.findings.len() < self.limit {
            self.findings.push(Finding { request_id: self.id, attempt_seq, fault });
        }
    }

    fn tokens_missing(&mut self, attempt_seq: Option<AttemptSeq>, gap: (i64, i64)) {
        self.missing_tokens = self.missing_tokens.saturating_add(width(gap));
        self.say(attempt_seq, Fault::TokensMissing { from: token(gap.0), through: token(gap.1) });
    }

    /// Either all parts of an end are recorded or none is.
    fn judge_end(&mut self, attempt_seq: Option<AttemptSeq>, mut parts: impl Iterator<Item = bool>) {
        let first = parts.next();
        if parts.any(|part| Some(part) != first) {
            self.say(attempt_seq, Fault::EndInPart);
        }
    }

    fn judge_count(
        &mut self,
        attempt_seq: Option<AttemptSeq>,
        column: &'static str,
        recorded: i64,
        found: u64,
    ) {
        if u64::try_from(recorded) != Ok(found) {
            self.say(attempt_seq, Fault::CountDiffers { column, recorded: count(recorded), found });
        }
    }
}

/// What is negative in a row is nonsense, and shows as 0.
fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn seq(value: i64) -> Seq {
    Seq(count(value))
}

fn token(value: i64) -> TokenIndex {
    TokenIndex(count(value))
}
