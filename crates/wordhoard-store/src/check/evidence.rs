//! What the queries of a slice have given, request by request.

use std::collections::BTreeMap;

use wordhoard_model::{RequestId, Timestamp};

use super::tokens::AttemptTokens;
use super::{Checked, lowest_id_at};
use crate::runs::RunPlace;

/// Findings after which a slice ends early, and the most that are listed of one request.
const MAX_FINDINGS: usize = 1_000;

/// A row of `llm_requests`. Here as below numbers are as the row has them, whatever nonsense that may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestRow {
    pub(crate) running: bool,
    /// Whether it has a time of its end.
    pub(crate) end_timed: bool,
    pub(crate) event_count: Option<i64>,
    pub(crate) token_count: Option<i64>,
    pub(crate) attempt_count: Option<i64>,
    pub(crate) lanes_completed: Option<i64>,
}

/// A row of `llm_attempts`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptRow {
    pub(crate) attempt_seq: i64,
    pub(crate) lane: i64,
    pub(crate) running: bool,
    pub(crate) completed: bool,
    /// Whether it has a time of its end.
    pub(crate) end_timed: bool,
    pub(crate) started_seq: i64,
    pub(crate) finished_seq: Option<i64>,
    pub(crate) token_count: Option<i64>,
}

/// The numbers of a row of `llm_token_runs`.
#[derive(Clone, Debug)]
pub(crate) struct RunNumbers {
    pub(crate) place: RunPlace,
    /// None where each number is one more than the one before.
    pub(crate) seq_offsets: Option<Vec<i64>>,
    /// Whether the row could be read, and its arrays have an element for each token.
    pub(crate) is_sound: bool,
}

/// All that is known of one request.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) request: Option<RequestRow>,
    /// In any order.
    pub(super) attempts: Vec<AttemptRow>,
    /// By attempt.
    pub(super) tokens: BTreeMap<i64, AttemptTokens>,
    /// Ranges of numbers that tokens have, both ends included; they may overlap.
    pub(super) token_numbers: Vec<(i64, i64)>,
}

/// All that is known of the requests of a slice.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    requests: BTreeMap<RequestId, Facts>,
}

impl Evidence {
    pub(crate) fn request(&mut self, id: RequestId, row: RequestRow) {
        self.facts(id).request = Some(row);
    }

    pub(crate) fn attempt(&mut self, id: RequestId, row: AttemptRow) {
        self.facts(id).attempts.push(row);
    }

    /// Rows come in the order of attempts and indexes.
    pub(crate) fn run(&mut self, id: RequestId, run: &RunNumbers) {
        let facts = self.facts(id);
        let tokens = facts.tokens.entry(run.place.attempt_seq).or_default();
        for (from, through) in tokens.push(run) {
            match facts.token_numbers.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(from) => *last = through,
                _ => facts.token_numbers.push((from, through)),
            }
        }
    }

    fn facts(&mut self, id: RequestId) -> &mut Facts {
        self.requests.entry(id).or_default()
    }

    /// What is wrong, newest request first. `next` is where the next slice begins, unless this one ends early. What
    /// is missing of requests that were accepted before `pruned_before` was pruned, or is being pruned; only those
    /// that run are not.
    pub(crate) fn judge(self, next: Option<RequestId>, pruned_before: Option<Timestamp>) -> Checked {
        let mut checked = Checked { next, ..Checked::default() };
        let mut judged = None;
        let pruned_below = pruned_before.map(lowest_id_at);
        let may_be_pruned = |id: &RequestId, facts: &Facts| {
            let runs = facts.request.is_some_and(|request| request.running);
            !runs && pruned_below.is_some_and(|below| *id < below)
        };
        for (id, facts) in self.requests.iter().rev().filter(|(id, facts)| !may_be_pruned(id, facts)) {
            if checked.findings.len() >= MAX_FINDINGS {
                checked.next = judged;
                break;
            }
            let judgement = facts.judge(*id, MAX_FINDINGS);
            checked.requests += u64::from(facts.request.is_some());
            checked.tokens = checked.tokens.saturating_add(judgement.tokens);
            checked.findings.extend(judgement.findings);
            judged = Some(*id);
        }
        checked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first_token_index: i64, seq: i64) -> RunNumbers {
        RunNumbers {
            place: RunPlace {
                attempt_seq: 1,
                first_token_index,
                token_count: 1,
                first_seq: seq,
                last_seq: seq,
            },
            seq_offsets: None,
            is_sound: true,
        }
    }

    #[test]
    fn a_slice_with_too_many_findings_ends_early_and_the_next_one_goes_on() {
        let mut ids: Vec<_> = (0..1_500).map(|ms| RequestId::generate(Timestamp::from_millis(ms))).collect();
        ids.reverse();
        let orphans = |ids: &[RequestId]| {
            let mut evidence = Evidence::default();
            for id in ids {
                evidence.run(*id, &run(0, 2));
            }
            evidence
        };
        let (mut found, mut left, mut slices) = (Vec::new(), ids.as_slice(), 0);
        loop {
            let slice = orphans(left).judge(None, None);
            assert!(slice.findings.len() < MAX_FINDINGS + 10);
            found.extend(slice.findings.iter().map(|finding| finding.request_id));
            slices += 1;
            let Some(next) = slice.next else { break };
            let place = left.iter().position(|id| *id == next).unwrap();
            left = &left[place + 1..];
        }
        assert!(slices > 1);
        found.dedup();
        assert_eq!(found, ids);
    }

    #[test]
    fn what_may_be_pruned_is_no_finding_and_what_runs_is() {
        let [old, runs, new] =
            [1_000, 2_000, 3_000].map(|ms| RequestId::generate(Timestamp::from_millis(ms)));
        let mut evidence = Evidence::default();
        for id in [old, runs, new] {
            evidence.run(id, &run(5, 7));
        }
        let request = RequestRow {
            running: true,
            end_timed: false,
            event_count: None,
            token_count: None,
            attempt_count: None,
            lanes_completed: None,
        };
        evidence.request(runs, request);
        let checked = evidence.judge(None, Some(Timestamp::from_millis(3_000)));
        let mut found: Vec<_> = checked.findings.iter().map(|finding| finding.request_id).collect();
        found.dedup();
        assert_eq!(found, [new, runs]);
    }
}
