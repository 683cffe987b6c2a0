//! What is old goes, what runs or is newer stays.

use wordhoard_model::{RequestId, Seq, Timestamp};
use wordhoard_store::{Batch, CheckScope, CheckSlice, PruneRange, PruneSlice, PrunedTable, RowPlace, Store};

use crate::story::{LOG, Story};

const TABLES: [PrunedTable; 3] = [PrunedTable::TokenRuns, PrunedTable::Attempts, PrunedTable::Requests];

/// Requests that were accepted before this moment are old; all of them ended long ago.
const RANGE: PruneRange = PruneRange {
    before: Timestamp::from_millis(1_000_000),
    ended_before: Timestamp::from_millis(1_800_000_000_000),
};

pub async fn prune(store: &dyn Store, range: PruneRange, rows: usize) -> (u64, u64, u64) {
    store.raise_pruned(range.before, Timestamp::from_millis(1)).await.unwrap();
    store.drop_partitions(range).await.unwrap();
    let (mut gone, mut tokens, mut slices) = (0, 0, 0);
    for table in TABLES {
        let mut from = RowPlace::first();
        loop {
            let pruned = store.prune(PruneSlice { range, table, from, rows }).await.unwrap();
            assert!(pruned.rows <= rows as u64);
            (gone, tokens, slices) = (gone + pruned.rows, tokens + pruned.recorded_tokens, slices + 1);
            let Some(next) = pruned.next else { break };
            assert_ne!(next, from, "it does not go on");
            from = next;
        }
    }
    (gone, tokens, slices)
}

async fn is_there(store: &dyn Store, id: RequestId) -> bool {
    !store.events(id, Seq(0), 1).await.unwrap().is_empty()
}

pub async fn what_is_old_goes_and_the_rest_stays(store: &dyn Store) {
    for rows in [1, 3, 1_000] {
        let old: Vec<_> = (0..5).map(|n| Story::whole(1_000 + n)).collect();
        let mut running = Story::long(2_000, 40);
        running.events.pop();
        let new = [Story::whole(1_000_000), Story::whole(5_000_000)];
        let stories: Vec<_> = old.into_iter().chain([running]).chain(new).collect();
        let at = store.applied(LOG).await.unwrap();
        store.apply(Story::interleaved(&stories, at)).await.unwrap();
        let prunable = store.prunable(RANGE).await.unwrap();
        assert_eq!((prunable.requests, prunable.tokens), (5, 5 * 6), "{prunable:?}");

        let (gone, tokens, slices) = prune(store, RANGE, rows).await;
        assert_eq!((gone > 0, tokens), (true, 30));
        assert!(slices > 3 || rows == 1_000);
        for (place, story) in stories.iter().enumerate() {
            let there = store.events(story.id, Seq(0), 1_000).await.unwrap();
            let expected = if place < 5 { &[][..] } else { &story.events };
            assert_eq!(there, expected, "request {place}, {rows} rows a slice");
            assert_eq!(store.summary(story.id).await.unwrap().is_some(), place >= 5);
        }
        assert_eq!(store.prunable(RANGE).await.unwrap().requests, 0);
    }
}

pub async fn what_ended_while_it_was_pruned_stays_whole(store: &dyn Store) {
    let story = Story::whole(1_000);
    store.apply(story.batch(0)).await.unwrap();
    let ended_at = story.events.last().unwrap().at;
    prune(store, PruneRange { ended_before: ended_at, ..RANGE }, 100).await;
    assert_eq!(store.events(story.id, Seq(0), 1_000).await.unwrap(), story.events);
    let later = Timestamp::from_millis(ended_at.as_millis() + 1);
    prune(store, PruneRange { ended_before: later, ..RANGE }, 100).await;
    assert!(!is_there(store, story.id).await);
}

pub async fn the_pruned_mark_only_rises(store: &dyn Store) {
    let at = Timestamp::from_millis;
    assert_eq!(store.pruned_before().await.unwrap(), None);
    for (raised, then) in [(5_000, 5_000), (3_000, 5_000), (7_000, 7_000)] {
        store.raise_pruned(at(raised), at(9_000)).await.unwrap();
        assert_eq!(store.pruned_before().await.unwrap(), Some(at(then)));
    }
}

/// A prune that was cut short leaves requests without their tokens. That is no gap; the same in a newer request is.
pub async fn what_is_half_pruned_is_no_finding(store: &dyn Store) {
    let (old, new) = (Story::whole(1_000), Story::whole(2_000_000));
    let batch: Batch = Story::interleaved(&[old, new], 0);
    store.apply(batch).await.unwrap();
    let whole = CheckSlice { scope: CheckScope::Whole, before: None, requests: 100 };
    assert_eq!(store.check(whole).await.unwrap().findings, []);
    let all = PruneRange { before: Timestamp::from_millis(3_000_000), ..RANGE };
    store.raise_pruned(RANGE.before, Timestamp::from_millis(1)).await.unwrap();
    let slice =
        PruneSlice { range: all, table: PrunedTable::TokenRuns, from: RowPlace::first(), rows: 1_000 };
    store.prune(slice).await.unwrap();
    let found = store.check(whole).await.unwrap();
    assert!(!found.findings.is_empty());
    let newest = |finding: &wordhoard_store::Finding| finding.request_id.accepted_at() >= RANGE.before;
    assert!(found.findings.iter().all(newest), "{:?}", found.findings);
}
