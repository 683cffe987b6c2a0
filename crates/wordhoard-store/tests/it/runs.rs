//! Tokens as rows of `llm_token_runs`: whatever they say and in whatever order they come, they come back one by one, from the store and
//! from the view. The same cases on every backend.

use wordhoard_model::{
    Event, EventBody, Outcome, RequestState, Seq, Timestamp, Token, TokenIndex, TokenKind,
};
use wordhoard_store::{Batch, Erasure};

use crate::database::{Backend, Database};
use crate::story::{LOG, Story};
use wordhoard_testkit::chance::Chance;

#[tokio::test]
async fn in_sqlite_they_come_back_one_by_one() {
    all(&Backend::sqlite()).await;
}

#[tokio::test]
async fn in_postgresql_they_come_back_one_by_one() {
    all(&Backend::postgres().await).await;
}

async fn all(backend: &Backend) {
    from_anywhere(&backend.empty().await).await;
    however_far_apart(&backend.empty().await).await;
    however_many_and_long(&backend.empty().await).await;
    what_a_log_has_lost_is_doubted(&backend.empty().await).await;
    what_was_erased_is_put_back_without_words(&backend.empty().await).await;
    what_cannot_be_is_no_token(&backend.empty().await).await;
    what_providers_said_comes_back_in_its_order(&backend.empty().await).await;
    damage_in_what_providers_said_costs_no_token(&backend.empty().await).await;
    a_row_that_nothing_speaks_of_is_no_refusal(&backend.empty().await).await;
}

/// Lanes that take turns by chance, applied in pieces of any size.
async fn from_anywhere(database: &Database) {
    for seed in 0..6 {
        let mut chance = Chance::new(seed);
        let story = woven(1_000 + seed as i64, 2, 2_000, &mut chance);
        apply_in_pieces(database, &story, &mut chance).await;
        for _ in 0..60 {
            let (from, limit) = (chance.below(story.events.len() as u64 + 3), 1 + chance.below(200));
            let expected = story.events.iter().skip(from as usize).take(limit as usize);
            let read = database.store.events(story.id, Seq(from), limit as usize).await.unwrap();
            assert!(read.iter().eq(expected), "seed {seed}: {limit} events from {from}");
        }
        assert_eq!(database.tokens(story.id).await, tokens(&story), "seed {seed}");
    }
}

/// A request of some lanes with about so many events.
fn woven(at_ms: i64, lanes: u32, events: usize, chance: &mut Chance) -> Story {
    let mut story = Story::created(at_ms, None);
    (1..=lanes).for_each(|attempt| story.start(attempt, attempt as u8 - 1, None));
    let mut counts = vec![0; lanes as usize];
    let mut attempt = 1;
    while story.events.len() < events {
        if chance.below(20) == 0 {
            attempt = 1 + chance.below(lanes.into()) as u32;
        }
        let kinds = [TokenKind::Text, TokenKind::Reasoning, TokenKind::ToolCall, TokenKind::Annotation];
        let kind = kinds[if chance.below(10) == 0 { chance.below(4) as usize } else { 0 }];
        let index = &mut counts[attempt as usize - 1];
        story.token(attempt, *index, kind, ["a", "", "\0", "\u{fdd0}☃", " \"\\"][chance.below(5) as usize]);
        *index += 1;
    }
    for (attempt, count) in (1..).zip(counts) {
        story.end(attempt, Outcome::Completed, count);
    }
    let closing = RequestState::replay(&story.events).unwrap().closing();
    story.push(EventBody::RequestFinished(Box::new(closing)));
    story
}

async fn apply_in_pieces(database: &Database, story: &Story, chance: &mut Chance) {
    let start = database.store.applied(LOG).await.unwrap();
    let whole = story.batch(start);
    let mut from = 0;
    while from < whole.events.len() {
        let size = (1 + chance.below(300) as usize).min(whole.events.len() - from);
        let events = whole.events[from..from + size].to_vec();
        let at = start + from as u64;
        let applied =
            database.store.apply(Batch { log: LOG, from: at, through: at + size as u64, events }).await;
        assert_eq!(applied.unwrap().inserted, size as u64);
        from += size;
    }
}

/// The tokens of a story as the view shows them: attempt, index, `seq`, milliseconds, kind, text.
fn tokens(story: &Story) -> Vec<(i64, i64, i64, i64, String, String)> {
    let shown = |event: &Event| match &event.body {
        EventBody::Token(token) => Some((
            token.attempt_seq.0.into(),
            token.token_index.0 as i64,
            event.seq.0 as i64,
            event.at.as_millis(),
            token.kind.to_string(),
            token.text.replace('\u{fdd0}', "\u{fdd0}\u{fdd0}").replace('\0', "\u{fdd0}0"),
        )),
        _ => None,
    };
    story.events.iter().filter_map(shown).collect()
}

/// Numbers and times that lie as far apart as they can, and clocks that go backwards.
async fn however_far_apart(database: &Database) {
    let mut story = Story::created(1_000, None);
    story.start(1, 0, None);
    let last_ms = 200_000_000_000_000;
    let seqs = [2, 3, 4, 1 << 20, (1 << 40) + 1, i64::MAX as u64 - 1];
    let times = [last_ms, 5, -1_000_000_000_000, last_ms, 0, 6];
    for ((place, seq), at_ms) in seqs.into_iter().enumerate().zip(times) {
        story.token(1, place as u64, TokenKind::Text, "x");
        let event = story.events.last_mut().unwrap();
        (event.seq, event.at) = (Seq(seq), Timestamp::from_millis(at_ms));
    }
    let events = story.events.len() as u64;
    let batch = story.batch(0);
    assert_eq!(database.store.apply(batch.clone()).await.unwrap().inserted, events);
    assert_eq!(database.tokens(story.id).await, tokens(&story));
    for event in &story.events {
        let read = database.store.events(story.id, event.seq, 1).await.unwrap();
        assert_eq!(read.first(), Some(event));
    }
    let again = database.store.apply(batch).await.unwrap();
    assert_eq!((again.already_there, again.conflicts.len()), (events, 0));
}

/// More tokens than a row takes, and texts that are larger than one.
async fn however_many_and_long(database: &Database) {
    let mut story = Story::created(1_000, None);
    story.start(1, 0, None);
    (0..2_500).for_each(|index| story.token(1, index, TokenKind::Reasoning, "r"));
    let long = "☃".repeat(200_000);
    (2_500..2_504).for_each(|index| story.token(1, index, TokenKind::Text, &long));
    let count = story.events.len();
    database.apply([(&story, count)]).await;
    assert_eq!(database.store.events(story.id, Seq(0), count).await.unwrap(), story.events);
    let rows = database.number("SELECT count(*) FROM llm_token_runs").await;
    assert_eq!(rows, 6, "1,024 + 1,024 + 452 and one, then each long one");
}

/// SQL had rows that the log has lost, and the log goes on otherwise under the same numbers: what is there stays, and it is told.
async fn what_a_log_has_lost_is_doubted(database: &Database) {
    let mut story = Story::created(1_000, None);
    story.start(1, 0, None);
    (0..10).for_each(|index| story.token(1, index, TokenKind::Text, "before"));
    let before = story.events.clone();
    database.apply([(&story, usize::MAX)]).await;
    database.store.rewind(LOG, 5).await.unwrap();

    story.events.truncate(5);
    story.end(1, Outcome::Interrupted, 3);
    story.start(2, 0, None);
    (0..10).for_each(|index| story.token(2, index, TokenKind::Text, "after"));
    let mut batch = story.batch(0);
    batch.events.drain(..5);
    batch.from = 5;
    let other = Story::long(2_000, 20);
    batch.events.extend(other.batch(batch.through).events);
    batch.through += other.events.len() as u64;
    let applied = database.store.apply(batch).await.unwrap();
    // Of attempt 2 those tokens whose `seq` attempt 1 has.
    let expected: Vec<_> = (0..5).map(|index| format!("another token {index} of attempt 2")).collect();
    assert_eq!(
        applied.conflicts.iter().map(|conflict| &conflict.what).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    assert_eq!(database.store.events(other.id, Seq(0), 100).await.unwrap(), other.events);
    let texts: Vec<_> = database.tokens(story.id).await.into_iter().map(|token| token.5).collect();
    assert_eq!(texts, [vec!["before"; 10], vec!["after"; 5]].concat());
    assert_eq!(before.len(), 12);
}

/// A repair brings back the rows of an erased request, so that it is whole, but nothing of what it said.
async fn what_was_erased_is_put_back_without_words(database: &Database) {
    let story = Story::whole(1_000);
    database.apply([(&story, usize::MAX)]).await;
    assert_eq!(database.store.erase(story.id, Timestamp::from_millis(9)).await.unwrap(), Erasure::Done);
    database.run("DELETE FROM llm_token_log WHERE token_index = 1").await;
    let again = database.store.apply(story.batch(0)).await.unwrap();
    assert_eq!((again.inserted, again.conflicts.len()), (3, 0), "{again:?}");
    let left = database.tokens(story.id).await;
    assert_eq!(left.len(), 6);
    assert!(left.iter().all(|token| token.5.is_empty()), "{left:?}");
    assert_eq!(database.number("SELECT count(*) FROM llm_token_runs WHERE events IS NOT NULL").await, 0);
    assert_eq!(crate::check::check_whole(&*database.store).await.findings, []);
}

/// A token behind the end of its attempt contradicts that end.
async fn what_cannot_be_is_no_token(database: &Database) {
    let story = Story::long(1_000, 3);
    database.apply([(&story, usize::MAX)]).await;
    let mut batch = story.batch(0);
    let late = Token {
        attempt_seq: wordhoard_model::AttemptSeq(1),
        token_index: TokenIndex(3),
        kind: TokenKind::Text,
        text: "late".to_owned(),
        events: None,
    };
    let mut logged = batch.events[4].clone();
    logged.event = Event { seq: Seq(99), at: logged.event.at, body: EventBody::Token(late) };
    batch.events.push(logged);
    let applied = database.store.apply(batch).await.unwrap();
    assert_eq!(applied.inserted, 0);
    assert_eq!(applied.conflicts[0].what, "another token 3 of attempt 1");
}

/// The events of each frame come with the token that they came with, whatever row that stands in, and are no part of what makes a conflict.
async fn what_providers_said_comes_back_in_its_order(database: &Database) {
    let mut story = Story::created(1_000, None);
    story.start(1, 0, None);
    (0..6).for_each(|index| story.token(1, index, TokenKind::Text, "x"));
    for (place, said) in [(2, &b"\x01\0"[..]), (4, b"\xff"), (5, b"\x02\x03")] {
        if let EventBody::Token(token) = &mut story.events[place].body {
            token.events = Some(said.into());
        }
    }
    let batch = story.batch(0);
    let first = Batch { through: 5, events: batch.events[..5].to_vec(), ..batch.clone() };
    database.store.apply(first).await.unwrap();
    database
        .store
        .apply(Batch { from: 5, events: batch.events[5..].to_vec(), ..batch.clone() })
        .await
        .unwrap();
    assert_eq!(database.number("SELECT count(*) FROM llm_token_runs").await, 2);
    for from in 0..8 {
        let read = database.store.events(story.id, Seq(from), 100).await.unwrap();
        assert_eq!(read, story.events[from as usize..], "from {from}");
    }
    let again = database.store.apply(batch).await.unwrap();
    assert_eq!((again.already_there, again.conflicts.len()), (8, 0));
}

/// The tokens are read, the events are not, and the check says so.
async fn damage_in_what_providers_said_costs_no_token(database: &Database) {
    let story = Story::long(1_000, 7);
    database.apply([(&story, usize::MAX)]).await;
    for damage in ["events_crc = 0", "events_crc = NULL", "events = NULL"] {
        database.run(&format!("UPDATE llm_token_runs SET {damage}")).await;
        let read = database.store.events(story.id, Seq(0), 100).await.unwrap();
        let text = |event: &Event| match &event.body {
            EventBody::Token(token) => Some((token.text.clone(), token.events.clone())),
            _ => None,
        };
        let tokens: Vec<_> = read.iter().filter_map(text).collect();
        assert_eq!(tokens.len(), 7, "{damage}");
        assert!(tokens.iter().all(|(text, _)| text == " word"), "{damage}");
        let events: Vec<_> = tokens.iter().filter_map(|(_, events)| events.as_deref()).collect();
        assert_eq!(events, [[0xff]], "{damage}");
        let again = database.store.apply(story.batch(0)).await.unwrap();
        assert_eq!((again.inserted, again.conflicts.len()), (0, 0), "{damage}");
        let checked = crate::check::check_whole(&*database.store).await;
        let found: Vec<_> = checked.findings.iter().map(|finding| finding.fault.name()).collect();
        assert_eq!(found, ["run_unsound"], "{damage}");
        database.run("UPDATE llm_token_runs SET events_crc = 1").await;
    }
}

/// SQL has rows of a request whose records come as new ones: what is alike is there already, what is not is a conflict.
async fn a_row_that_nothing_speaks_of_is_no_refusal(database: &Database) {
    let story = Story::long(1_000, 7);
    database.apply([(&story, usize::MAX)]).await;
    database.run("UPDATE wal_positions SET applied = 0").await;
    let again = database.store.apply(story.batch(0)).await.unwrap();
    assert_eq!((again.already_there, again.conflicts.len()), (story.events.len() as u64, 0));
}
