//! The consistency check: what is planted is found, and nothing else. The same cases on every backend.

mod changed;
mod planted;
mod random;
mod slices;
mod stories;
mod volume;

use crate::database::Backend;
use wordhoard_model::{RequestId, Timestamp};
use wordhoard_store::{CheckScope, CheckSlice, Checked, Fault, Store};

#[tokio::test]
async fn sqlite_finds_what_is_planted_and_nothing_else() {
    all(&Backend::sqlite()).await;
}

#[tokio::test]
async fn postgres_finds_what_is_planted_and_nothing_else() {
    all(&Backend::postgres().await).await;
}

async fn all(backend: &Backend) {
    planted::each_fault_is_told_as_what_it_is(&backend.empty().await).await;
    planted::a_request_that_is_gone_wholly_is_known_by_its_id(&backend.empty().await).await;
    planted::a_request_with_more_gaps_than_fit_is_told_to_the_limit(&backend.empty().await).await;
    slices::cursors_cover_everything_exactly_once(backend).await;
    slices::rows_without_a_request_are_found_between_above_and_below_requests(backend).await;
    changed::only_what_has_changed_is_looked_at(&backend.empty().await).await;
    changed::clean_checks_are_remembered_and_never_moved_back(&backend.empty().await).await;
    random::no_state_on_the_way_is_a_finding(backend).await;
    random::what_is_applied_meanwhile_is_no_finding(&backend.empty().await).await;
    random::missing_tokens_are_told_exactly(backend).await;
}

/// A check in slices of `requests`, from the newest request to the oldest.
async fn check_in_slices(store: &dyn Store, scope: CheckScope, requests: usize) -> Checked {
    let mut whole = Checked::default();
    let mut before = None;
    loop {
        let part = store.check(CheckSlice { scope, before, requests }).await.unwrap();
        whole.requests += part.requests;
        whole.tokens += part.tokens;
        whole.findings.extend(part.findings);
        assert!(before.is_none_or(|before| part.next < Some(before)), "the cursor does not move on");
        before = part.next;
        if before.is_none() {
            return whole;
        }
    }
}

pub async fn check_whole(store: &dyn Store) -> Checked {
    check_in_slices(store, CheckScope::Whole, 50).await
}

fn changed(since_ms: i64) -> CheckScope {
    CheckScope::Changed { since: Timestamp::from_millis(since_ms) }
}

/// What was found, as request, attempt and fault.
fn faults(checked: &Checked) -> Vec<(RequestId, Option<u32>, Fault)> {
    let fault = |finding: &wordhoard_store::Finding| {
        (finding.request_id, finding.attempt_seq.map(|attempt| attempt.0), finding.fault)
    };
    checked.findings.iter().map(fault).collect()
}
