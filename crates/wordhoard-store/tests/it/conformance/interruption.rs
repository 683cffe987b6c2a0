use std::sync::Arc;
use std::time::Duration;

use wordhoard_model::Seq;
use wordhoard_store::Store;

use crate::story::{LOG, Story};

/// The waits are spread over the time that such a batch takes on either backend.
pub async fn rows_and_position_move_together_when_nobody_waits_any_more(store: Arc<dyn Store>) {
    let mut from = 0;
    let (mut dropped, mut finished) = (0, 0);
    for step in 0..40_u64 {
        // Batches of either way: few rows and many.
        let story = Story::long(1_000 + step as i64, if step % 2 == 0 { 100 } else { 5_000 });
        let batch = story.batch(from);
        let through = batch.through;
        let wait = Duration::from_micros(step * step * 60);
        match tokio::time::timeout(wait, store.apply(batch.clone())).await {
            Ok(applied) => {
                finished += 1;
                assert_eq!(applied.unwrap().inserted, story.events.len() as u64);
            }
            Err(_) => dropped += 1,
        }
        // What was begun may still end, one way or the other; never in between.
        let position = store.applied(LOG).await.unwrap();
        let events = store.events(story.id, Seq(0), story.events.len() + 1).await.unwrap();
        assert!(position == from || position == through, "{position} of {from}..{through}");
        if position == through {
            assert_eq!(events, story.events);
        } else {
            assert!(
                events.is_empty() || events == story.events,
                "{} of {}",
                events.len(),
                story.events.len()
            );
        }
        let again = store.apply(batch).await.unwrap();
        assert_eq!(again.conflicts, []);
        assert_eq!(again.inserted + again.already_there, story.events.len() as u64);
        assert_eq!(store.events(story.id, Seq(0), story.events.len() + 1).await.unwrap(), story.events);
        from = through;
    }
    assert!(dropped > 0 && finished > 0, "{dropped} dropped, {finished} finished: the waits fit no backend");
}
