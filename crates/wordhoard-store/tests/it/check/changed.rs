use wordhoard_model::Timestamp;
use wordhoard_store::Fault;

use super::stories::{events_missing, plain, tokens_missing};
use super::{changed, check_in_slices, faults};
use crate::database::Database;

const SINCE_MS: i64 = 500_000;

pub async fn only_what_has_changed_is_looked_at(database: &Database) {
    let ended_before = plain(1_000);
    let runs_long = plain(2_000);
    // Its events are a millisecond apart: it was created before the moment and ends after it.
    let ended_since = plain(SINCE_MS - 5);
    let ended_right_before = plain(SINCE_MS - 26);
    let created_since = plain(SINCE_MS);
    let lost_before = plain(SINCE_MS - 1_000);
    let lost_since = plain(SINCE_MS + 1_000);
    let whole = [&ended_before, &ended_since, &ended_right_before, &created_since, &lost_before, &lost_since];
    database.apply(whole.into_iter().map(|story| (story, usize::MAX)).chain([(&runs_long, 10)])).await;
    database.run("DELETE FROM llm_token_log WHERE token_index = 2").await;
    for lost in [&lost_before, &lost_since] {
        database.run(&format!("DELETE FROM llm_requests WHERE {}", database.is(lost.id))).await;
        database.run(&format!("DELETE FROM llm_attempts WHERE {}", database.is(lost.id))).await;
    }
    let gap = tokens_missing(2, 2);
    let (one, two) = (Some(1), Some(2));
    let lost = lost_since.id;
    let expected = [
        (lost, None, Fault::RequestMissing),
        (lost, one, Fault::AttemptMissing),
        (lost, one, gap),
        (lost, two, Fault::AttemptMissing),
        (lost, two, gap),
        (lost, None, events_missing(1, 1)),
        (lost, None, events_missing(4, 4)),
        (lost, None, events_missing(12, 13)),
        (lost, None, events_missing(16, 16)),
        (created_since.id, one, gap),
        (created_since.id, two, gap),
        (ended_since.id, one, gap),
        (ended_since.id, two, gap),
        (runs_long.id, one, gap),
    ];
    for requests in [1, 2, 3, 50] {
        let checked = check_in_slices(&*database.store, changed(SINCE_MS), requests).await;
        assert_eq!(faults(&checked), expected, "in slices of {requests}");
        assert_eq!((checked.requests, checked.tokens), (3, 18 + 18 + 18 + 7));
    }
    let nothing = check_in_slices(&*database.store, changed(i64::MAX), 50).await;
    assert_eq!(faults(&nothing), [(runs_long.id, one, gap)], "what runs is always looked at");
    assert_eq!(check_in_slices(&*database.store, changed(i64::MIN), 50).await.requests, 5);
}

pub async fn clean_checks_are_remembered_and_never_moved_back(database: &Database) {
    let store = &database.store;
    let record = |finished_at, covered_until| {
        store.record_clean_check(Timestamp::from_millis(finished_at), Timestamp::from_millis(covered_until))
    };
    assert_eq!(store.last_clean_check().await.unwrap(), None);
    record(2_000, 1_500).await.unwrap();
    assert_eq!(store.last_clean_check().await.unwrap(), Some(Timestamp::from_millis(1_500)));
    record(3_000, 1_000).await.unwrap();
    assert_eq!(store.last_clean_check().await.unwrap(), Some(Timestamp::from_millis(1_500)));
    record(4_000, 3_999).await.unwrap();
    assert_eq!(store.last_clean_check().await.unwrap(), Some(Timestamp::from_millis(3_999)));
}
