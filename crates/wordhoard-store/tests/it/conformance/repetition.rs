use wordhoard_model::{EventBody, Seq, TokenIndex, TokenKind};
use wordhoard_store::{Applied, Batch, Store};

use crate::story::{LOG, Story};

/// More than any backend would take by the way that it has for few.
const MANY: u64 = 9_000;

fn whats(applied: &Applied) -> Vec<&str> {
    applied.conflicts.iter().map(|conflict| conflict.what.as_str()).collect()
}

pub async fn conflicts_are_told_in_the_order_of_events(store: &dyn Store) {
    let story = Story::whole(1_000);
    store.apply(story.batch(0)).await.unwrap();
    let mut altered = story.batch(0);
    for logged in &mut altered.events {
        logged.event.at = wordhoard_model::Timestamp::from_millis(logged.event.at.as_millis() + 1);
    }
    // Two of them say what is there.
    altered.events[2].event = story.events[2].clone();
    altered.events[6].event = story.events[6].clone();
    let outcome = store.apply(altered).await.unwrap();
    assert_eq!((outcome.inserted, outcome.already_there), (0, 2));
    assert_eq!(
        whats(&outcome),
        [
            "another request under this id",
            "another attempt 1",
            "another attempt 2",
            "another token 0 of attempt 2",
            "another token 1 of attempt 1",
            "another attempt 3",
            "another token 0 of attempt 3",
            "another token 1 of attempt 2",
            "another token 1 of attempt 3",
            "another end of attempt 3",
            "another end of attempt 2",
            "another end of the request",
        ]
    );
    assert!(outcome.conflicts.iter().all(|conflict| conflict.request_id == story.id));
    assert_eq!(store.events(story.id, Seq(0), 1000).await.unwrap(), story.events);
}

pub async fn the_first_of_two_events_in_one_place_of_a_batch_counts(store: &dyn Store) {
    let story = Story::whole(1_000);
    let mut twice = story.batch(0);
    let mut other = twice.events.clone();
    for logged in &mut other {
        match &mut logged.event.body {
            EventBody::Token(token) => token.text.push('!'),
            EventBody::AttemptFinished(finished) => finished.token_count += 1,
            EventBody::RequestFinished(finished) => finished.lanes_completed += 1,
            EventBody::RequestCreated(_) | EventBody::AttemptStarted(_) => {}
        }
    }
    twice.events.extend(other);
    let count = story.events.len() as u64;
    let outcome = store.apply(twice).await.unwrap();
    assert_eq!(
        (outcome.inserted, outcome.already_there, outcome.conflicts.len() as u64),
        (count, 4, count - 4)
    );
    assert_eq!(store.events(story.id, Seq(0), 1000).await.unwrap(), story.events);
}

pub async fn a_large_batch_may_come_again(store: &dyn Store) {
    let stories = [Story::long(1_000, MANY / 2), Story::long(2_000, MANY / 2)];
    let batch = Story::interleaved(&stories, 0);
    let count = batch.events.len() as u64;
    assert_eq!(store.apply(batch.clone()).await.unwrap().inserted, count);
    let again = store.apply(batch.clone()).await.unwrap();
    assert_eq!((again.inserted, again.already_there, again.conflicts.len()), (0, count, 0));

    // As after a database was restored, and the position set back: nothing says that the rows are there.
    store.rewind(LOG, 0).await.unwrap();
    let mut altered = batch.clone();
    for place in [700, 7_000] {
        match &mut altered.events[place].event.body {
            EventBody::Token(token) => token.text.push('!'),
            other => panic!("{other:?}"),
        }
    }
    let outcome = store.apply(altered).await.unwrap();
    assert_eq!((outcome.inserted, outcome.already_there), (0, count - 2));
    assert_eq!(whats(&outcome), ["another token 348 of attempt 1", "another token 3498 of attempt 1"]);
    assert_eq!(store.applied(LOG).await.unwrap(), count);

    let third = Story::long(3_000, MANY);
    let mut half = third.batch(count);
    half.events.truncate(MANY as usize / 2);
    half.through = half.from + MANY / 2;
    store.apply(half).await.unwrap();
    let whole = store.apply(third.batch(count)).await.unwrap();
    assert_eq!((whole.inserted, whole.already_there), (third.events.len() as u64 - MANY / 2, MANY / 2));
    for story in stories.iter().chain([&third]) {
        let limit = story.events.len() + 1;
        assert_eq!(store.events(story.id, Seq(0), limit).await.unwrap(), story.events);
    }
}

pub async fn a_token_in_the_place_of_another_seq_is_a_conflict(store: &dyn Store) {
    let mut story = Story::created(1_000, None);
    story.start(1, 0, None);
    story.token(1, 0, TokenKind::Text, "a");
    store.apply(story.batch(0)).await.unwrap();
    let mut elsewhere = story.batch(0);
    elsewhere.events.drain(..2);
    match &mut elsewhere.events[0].event.body {
        EventBody::Token(token) => token.token_index = TokenIndex(1),
        other => panic!("{other:?}"),
    }
    let outcome = store.apply(elsewhere).await.unwrap();
    assert_eq!((outcome.inserted, whats(&outcome)), (0, vec!["another token 1 of attempt 1"]));
    assert_eq!(store.events(story.id, Seq(0), 1000).await.unwrap(), story.events);
}

pub async fn an_end_without_a_beginning_is_a_conflict(store: &dyn Store) {
    let story = Story::whole(1_000);
    let is_end =
        |body: &EventBody| matches!(body, EventBody::AttemptFinished(_) | EventBody::RequestFinished(_));
    let ends: Vec<_> =
        story.batch(0).events.into_iter().filter(|logged| is_end(&logged.event.body)).collect();
    let batch = Batch { log: LOG, from: 0, through: story.events.len() as u64, events: ends };
    let outcome = store.apply(batch).await.unwrap();
    assert_eq!((outcome.inserted, outcome.already_there), (0, 0));
    let ends = ["another end of attempt 1", "another end of attempt 3", "another end of attempt 2"];
    assert_eq!(whats(&outcome)[..3], ends);
    assert_eq!(whats(&outcome)[3..], ["another end of the request"]);
    assert!(store.events(story.id, Seq(0), 10).await.unwrap().is_empty());
}
