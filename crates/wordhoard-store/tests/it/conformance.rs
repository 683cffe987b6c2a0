//! The behaviour of a store, whatever is behind it. A backend calls [`all`] with a way to make an empty one.

mod erasing;
mod fleet;
mod interruption;
mod jobs;
mod lists;
pub mod pruning;
mod registry;
mod repetition;
mod spending;
mod statistics;
mod texts;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use wordhoard_model::{EventBody, KeyId, Outcome, RequestStatus, Seq, Timestamp, TokenKind};
use wordhoard_store::{Applied, Batch, Error, ListQuery, LogKey, Store};

use crate::story::{LOG, Story};

pub async fn all<F, Fut>(empty: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn Store>>,
{
    migrating_again_changes_nothing(&*empty().await).await;
    a_position_ahead_of_its_log_is_set_back(&*empty().await).await;
    fleet::servers_are_known_by_what_they_last_said(&*empty().await).await;
    fleet::a_retired_log_takes_nothing_more(&*empty().await).await;
    fleet::one_server_closes_what_a_retired_one_has_left(&*empty().await).await;
    events_come_back_as_they_went_in(&*empty().await).await;
    events_are_paged_without_gap_or_double(&*empty().await).await;
    applying_again_changes_nothing(&*empty().await).await;
    a_batch_behind_a_gap_is_refused(&*empty().await).await;
    other_content_in_the_same_place_is_a_conflict_and_the_first_stays(&*empty().await).await;
    open_requests_are_those_of_the_log_without_end(&*empty().await).await;
    lists_are_newest_first_and_paged(&*empty().await).await;
    lists::a_list_takes_times_and_what_was_asked_for(&*empty().await).await;
    registry::a_key_opens_until_it_is_revoked(&*empty().await).await;
    registry::limits_of_a_key_are_kept_and_replaced(&*empty().await).await;
    spending::what_keys_use_is_summed_up_from_their_requests(&*empty().await).await;
    registry::a_digest_belongs_to_one_key(&*empty().await).await;
    registry::a_provider_stays_as_it_was_switched_until_it_is_reset(&*empty().await).await;
    registry::breakers_are_noted_beside_the_switches(&*empty().await).await;
    the_newest_request_of_a_key_is_found_while_it_counts(&*empty().await).await;
    what_was_applied_before_may_come_again_in_part(&*empty().await).await;
    an_empty_batch_moves_the_position_and_nothing_else(&*empty().await).await;
    interleaved_requests_that_begin_and_end_in_one_batch_stay_apart(&*empty().await).await;
    a_batch_wakes_whoever_waits_for_changes(&*empty().await).await;
    texts::every_text_comes_back_in_every_column(&*empty().await).await;
    texts::an_odd_key_finds_its_request(&*empty().await).await;
    repetition::conflicts_are_told_in_the_order_of_events(&*empty().await).await;
    repetition::the_first_of_two_events_in_one_place_of_a_batch_counts(&*empty().await).await;
    repetition::a_large_batch_may_come_again(&*empty().await).await;
    repetition::a_token_in_the_place_of_another_seq_is_a_conflict(&*empty().await).await;
    repetition::an_end_without_a_beginning_is_a_conflict(&*empty().await).await;
    interruption::rows_and_position_move_together_when_nobody_waits_any_more(empty().await).await;
    jobs::one_leads_a_job_at_a_time(&*empty().await).await;
    jobs::runs_are_kept_and_those_whose_server_ended_are_failed(&*empty().await).await;
    jobs::a_schedule_counts_from_when_it_was_first_seen(&*empty().await).await;
    pruning::what_is_old_goes_and_the_rest_stays(&*empty().await).await;
    pruning::what_ended_while_it_was_pruned_stays_whole(&*empty().await).await;
    pruning::the_pruned_mark_only_rises(&*empty().await).await;
    pruning::what_is_half_pruned_is_no_finding(&*empty().await).await;
    statistics::what_is_there_is_counted(&*empty().await).await;
    erasing::what_is_erased_is_gone_and_still_counts(&*empty().await).await;
    a_closed_store_says_so(&*empty().await).await;
}

/// What [`all`] cannot do by itself: `refuse` makes the database refuse every token with this text from then on.
pub async fn a_refused_row_is_told_and_changes_nothing(
    store: &dyn Store,
    refuse: impl AsyncFnOnce(&'static str),
) {
    const REFUSED: &str = "forbidden";
    refuse(REFUSED).await;
    let (fine, mut bad) = (Story::whole(1_000), Story::created(2_000, None));
    bad.start(1, 0, None);
    bad.token(1, 0, TokenKind::Text, REFUSED);
    let mut batch = fine.batch(0);
    batch.events.extend(bad.batch(batch.through).events);
    batch.through = batch.events.len() as u64;
    let refused = store.apply(batch).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(_)), "{refused:?}");
    assert_eq!(store.applied(LOG).await.unwrap(), 0);
    assert!(store.events(fine.id, Seq(0), 10).await.unwrap().is_empty());
    assert_eq!(store.apply(fine.batch(0)).await.unwrap().inserted, fine.events.len() as u64);
}

async fn migrating_again_changes_nothing(store: &dyn Store) {
    let report = store.migrate(Timestamp::from_millis(2)).await.unwrap();
    assert!(report.applied.is_empty() && report.version >= 1, "{report:?}");
    let steps = store.migrations().await.unwrap();
    assert!(steps.iter().all(|step| step.applied), "{steps:?}");
    assert_eq!(steps.last().unwrap().version, report.version);
}

async fn a_position_ahead_of_its_log_is_set_back(store: &dyn Store) {
    let story = Story::whole(1_000);
    store.apply(story.batch(0)).await.unwrap();
    store.rewind(LOG, 5).await.unwrap();
    assert_eq!(store.applied(LOG).await.unwrap(), 5);
    store.rewind(LOG, 9).await.unwrap();
    assert_eq!(store.applied(LOG).await.unwrap(), 5, "a rewind never moves forward");
    let again = store.apply(story.batch(0)).await.unwrap();
    assert_eq!((again.inserted, again.already_there), (0, story.events.len() as u64));
    assert_eq!(store.applied(LOG).await.unwrap(), story.events.len() as u64);
}

async fn events_come_back_as_they_went_in(store: &dyn Store) {
    let story = Story::whole(1_000);
    let applied = store.apply(story.batch(0)).await.unwrap();
    assert_eq!((applied.inserted, applied.conflicts.len()), (story.events.len() as u64, 0));
    assert_eq!(store.events(story.id, Seq(0), 1000).await.unwrap(), story.events);
    let summary = store.summary(story.id).await.unwrap().unwrap();
    assert_eq!((summary.status, summary.log), (RequestStatus::Finished(Outcome::Cancelled), LOG));
    assert_eq!((summary.event_count, summary.token_count), (Some(story.events.len() as u64), Some(6)));
}

async fn events_are_paged_without_gap_or_double(store: &dyn Store) {
    let story = Story::whole(1_000);
    store.apply(story.batch(0)).await.unwrap();
    for limit in 1..6 {
        let mut read = Vec::new();
        loop {
            let page = store.events(story.id, Seq(read.len() as u64), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, story.events, "limit {limit}");
    }
    let unknown = Story::created(5, None);
    assert!(store.events(unknown.id, Seq(0), 10).await.unwrap().is_empty());
    assert!(store.summary(unknown.id).await.unwrap().is_none());
}

async fn applying_again_changes_nothing(store: &dyn Store) {
    let story = Story::whole(1_000);
    let mut half = story.batch(0);
    half.events.truncate(6);
    half.through = 6;
    assert_eq!(store.apply(half.clone()).await.unwrap().inserted, 6);
    assert_eq!(store.applied(LOG).await.unwrap(), 6);
    let whole = store.apply(story.batch(0)).await.unwrap();
    assert_eq!((whole.inserted, whole.already_there), (story.events.len() as u64 - 6, 6));
    let again = store.apply(half).await.unwrap();
    assert_eq!((again.inserted, again.already_there, again.conflicts.len()), (0, 6, 0));
    assert_eq!(store.applied(LOG).await.unwrap(), story.events.len() as u64);
    assert_eq!(store.events(story.id, Seq(0), 1000).await.unwrap(), story.events);
}

async fn a_batch_behind_a_gap_is_refused(store: &dyn Store) {
    let story = Story::whole(1_000);
    let refused = store.apply(story.batch(3)).await.unwrap_err();
    assert!(matches!(refused, Error::Gap { from: 3, applied: 0 }), "{refused}");
    assert!(store.events(story.id, Seq(0), 10).await.unwrap().is_empty());
    assert_eq!(store.applied(LogKey([1; 16])).await.unwrap(), 0);
}

async fn other_content_in_the_same_place_is_a_conflict_and_the_first_stays(store: &dyn Store) {
    let story = Story::whole(1_000);
    store.apply(story.batch(0)).await.unwrap();
    let mut altered = story.batch(0);
    for logged in &mut altered.events {
        match &mut logged.event.body {
            EventBody::RequestCreated(created) => Arc::make_mut(created).prompt.text.push('!'),
            EventBody::AttemptStarted(started) => started.model = "demo:bard".parse().unwrap(),
            EventBody::Token(token) => token.text.push('!'),
            EventBody::AttemptFinished(finished) => finished.token_count += 1,
            EventBody::RequestFinished(finished) => finished.lanes_completed += 1,
        }
    }
    let outcome = store.apply(altered).await.unwrap();
    assert_eq!((outcome.inserted, outcome.already_there), (0, 0));
    assert_eq!(outcome.conflicts.len(), story.events.len());
    assert_eq!(store.events(story.id, Seq(0), 1000).await.unwrap(), story.events);
}

async fn open_requests_are_those_of_the_log_without_end(store: &dyn Store) {
    let (open, ended, foreign) = (Story::created(1, None), Story::whole(2), Story::created(3, None));
    store.apply(open.batch(0)).await.unwrap();
    store.apply(ended.batch(1)).await.unwrap();
    let mut other_log = foreign.batch(0);
    other_log.log = LogKey([8; 16]);
    store.apply(other_log).await.unwrap();
    assert_eq!(store.open_requests(LOG).await.unwrap(), [open.id]);
}

async fn lists_are_newest_first_and_paged(store: &dyn Store) {
    let stories = [Story::created(1_000, None), Story::whole(2_000), Story::created(3_000, None)];
    let mut from = 0;
    for story in &stories {
        store.apply(story.batch(from)).await.unwrap();
        from += story.events.len() as u64;
    }
    let list = |before, status| async move {
        let page = store.list(ListQuery { before, status, limit: 2, ..ListQuery::default() }).await.unwrap();
        page.into_iter().map(|summary| summary.request_id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None).await, [stories[2].id, stories[1].id]);
    assert_eq!(list(Some(stories[1].id), None).await, [stories[0].id]);
    assert_eq!(list(None, Some(RequestStatus::Running)).await, [stories[2].id, stories[0].id]);
}

async fn the_newest_request_of_a_key_is_found_while_it_counts(store: &dyn Store) {
    let (older, newer) = (Story::created(1_000, Some("k")), Story::created(2_000, Some("k")));
    store.apply(older.batch(0)).await.unwrap();
    store.apply(newer.batch(1)).await.unwrap();
    let find = |key: &str, not_before| {
        store.find_idempotent(Some(Story::owner(key)), key.to_owned(), Timestamp::from_millis(not_before))
    };
    let found = find("k", 0).await.unwrap().unwrap();
    assert_eq!((found.request_id, found.body_sha256), (newer.id, [9; 32]));
    assert!(find("k", 2_001).await.unwrap().is_none());
    assert!(find("other", 0).await.unwrap().is_none());
    for other in [None, Some(KeyId::generate())] {
        let found = store.find_idempotent(other, "k".to_owned(), Timestamp::from_millis(0)).await.unwrap();
        assert!(found.is_none(), "an idempotency key belongs to the API key that sent it");
    }
}

async fn a_closed_store_says_so(store: &dyn Store) {
    let mut story = Story::created(1, None);
    story.start(1, 0, None);
    story.token(1, 0, TokenKind::Text, "x");
    store.apply(story.batch(0)).await.unwrap();
    store.make_durable().await.unwrap();
    store.close().await;
    assert!(matches!(store.apply(story.batch(0)).await, Err(Error::Closed)));
    assert!(matches!(store.applied(LOG).await, Err(Error::Closed)));
}

async fn what_was_applied_before_may_come_again_in_part(store: &dyn Store) {
    let story = Story::whole(1_000);
    let count = story.events.len() as u64;
    let part = |from: u64, through: u64| {
        let mut batch = story.batch(0);
        batch.events.retain(|logged| (from..through).contains(&logged.position));
        (batch.from, batch.through) = (from, through);
        batch
    };
    store.apply(part(0, 7)).await.unwrap();
    let overlapping = store.apply(part(3, count)).await.unwrap();
    assert_eq!((overlapping.inserted, overlapping.already_there), (count - 7, 4));
    let behind = store.apply(part(2, 5)).await.unwrap();
    assert_eq!((behind.inserted, behind.already_there, behind.conflicts.len()), (0, 3, 0));
    assert_eq!(store.applied(LOG).await.unwrap(), count);
    assert_eq!(store.events(story.id, Seq(0), 1000).await.unwrap(), story.events);
}

async fn an_empty_batch_moves_the_position_and_nothing_else(store: &dyn Store) {
    let empty = |from, through| Batch { log: LOG, from, through, events: Vec::new() };
    for (from, through, applied) in [(0, 0, 0), (0, 5, 5), (5, 5, 5), (2, 3, 5), (5, 6, 6)] {
        assert_eq!(store.apply(empty(from, through)).await.unwrap(), Applied::default());
        assert_eq!(store.applied(LOG).await.unwrap(), applied, "{from}..{through}");
    }
    assert!(matches!(store.apply(empty(7, 8)).await, Err(Error::Gap { from: 7, applied: 6 })));
    assert!(store.list(ListQuery { limit: 1, ..ListQuery::default() }).await.unwrap().is_empty());
}

async fn interleaved_requests_that_begin_and_end_in_one_batch_stay_apart(store: &dyn Store) {
    let stories = [Story::whole(1_000), Story::whole(1_000), Story::whole(2_000_000_000)];
    let batch = Story::interleaved(&stories, 0);
    assert_eq!(store.apply(batch.clone()).await.unwrap().inserted, batch.events.len() as u64);
    for story in &stories {
        assert_eq!(store.events(story.id, Seq(0), 1000).await.unwrap(), story.events);
    }
}

async fn a_batch_wakes_whoever_waits_for_changes(store: &dyn Store) {
    let mut changes = store.changes();
    let story = Story::whole(1_000);
    let wait = tokio::time::timeout(Duration::from_secs(20), async {
        // A hint may be lost while a backend is still connecting: each further batch is another one.
        for (from, event) in story.batch(0).events.into_iter().enumerate() {
            let from = from as u64;
            store.apply(Batch { log: LOG, from, through: from + 1, events: vec![event] }).await.unwrap();
            if tokio::time::timeout(Duration::from_secs(1), changes.changed()).await.is_ok() {
                return;
            }
        }
        panic!("nothing was heard of {} batches", story.events.len());
    });
    wait.await.unwrap();
}
