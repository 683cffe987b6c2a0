//! What holds for any requests.

use std::collections::BTreeSet;
use std::time::Duration;

use wordhoard_model::{EventBody, RequestId, RequestState};
use wordhoard_store::{Batch, CheckScope, Checked, Fault, LoggedEvent};

use super::stories::{any, tokens};
use super::{changed, check_in_slices, check_whole};
use crate::database::{Backend, Database};
use crate::story::{LOG, Story};
use wordhoard_testkit::chance::Chance;

/// The seeds that are tried; a failure names its own.
const SEEDS: std::ops::Range<u64> = 0..12;

fn stories(chance: &mut Chance) -> Vec<Story> {
    let story = |number: i64| any(1_000 + 10 * number, 5 + chance.below(60), chance);
    (0..12).map(story).collect()
}

/// The events of all stories, as a server interleaves them.
fn interleaved(stories: &[Story], chance: &mut Chance) -> Vec<LoggedEvent> {
    let mut waiting: Vec<_> = stories.iter().map(|story| (story.id, story.events.iter())).collect();
    let mut logged = Vec::new();
    while !waiting.is_empty() {
        let place = chance.below(waiting.len() as u64) as usize;
        let (request_id, events) = &mut waiting[place];
        match events.next() {
            Some(event) => {
                let position = logged.len() as u64;
                logged.push(LoggedEvent { position, request_id: *request_id, event: event.clone() });
            }
            None => drop(waiting.swap_remove(place)),
        }
    }
    logged
}

fn batch(from: usize, events: &[LoggedEvent]) -> Batch {
    let (from, through) = (from as u64, (from + events.len()) as u64);
    Batch { log: LOG, from, through, events: events.to_vec() }
}

pub async fn no_state_on_the_way_is_a_finding(backend: &Backend) {
    for seed in SEEDS {
        let database = backend.empty().await;
        let mut chance = Chance::new(seed);
        let stories = stories(&mut chance);
        let log = interleaved(&stories, &mut chance);
        let mut from = 0;
        while from < log.len() {
            let size = (1 + chance.below(40) as usize).min(log.len() - from);
            database.store.apply(batch(from, &log[from..from + size])).await.unwrap();
            from += size;
            for scope in [CheckScope::Whole, changed(1_060)] {
                let checked = check_in_slices(&*database.store, scope, 5).await;
                assert_eq!(checked.findings, [], "seed {seed}, after {from} of {} records", log.len());
            }
        }
        let checked = check_whole(&*database.store).await;
        let all_tokens: u64 = stories.iter().map(|story| tokens(story, usize::MAX)).sum();
        assert_eq!((checked.requests, checked.tokens), (stories.len() as u64, all_tokens), "seed {seed}");
    }
}

pub async fn what_is_applied_meanwhile_is_no_finding(database: &Database) {
    let mut chance = Chance::new(1);
    let stories: Vec<_> = (0..40).map(|number| any(1_000 + number, 100, &mut chance)).collect();
    let log = interleaved(&stories, &mut chance);
    let applying = async {
        for (number, events) in log.chunks(7).enumerate() {
            database.store.apply(batch(7 * number, events)).await.unwrap();
            if number % 10 == 0 {
                // On a machine with nothing else to do it would be over before the second look.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let checking = async {
        let mut findings = Vec::new();
        let mut tokens = BTreeSet::new();
        while tokens.last()
            != Some(&stories.iter().map(|story| super::stories::tokens(story, usize::MAX)).sum())
        {
            let checked = check_in_slices(&*database.store, CheckScope::Whole, 9).await;
            findings.extend(checked.findings);
            tokens.insert(checked.tokens);
        }
        (findings, tokens.len())
    };
    let ((), (findings, states)) = tokio::join!(applying, checking);
    assert_eq!(findings, []);
    assert!(states > 3, "only {states} states were seen: nothing happened meanwhile");
}

pub async fn missing_tokens_are_told_exactly(backend: &Backend) {
    for seed in SEEDS {
        let database = backend.empty().await;
        let mut chance = Chance::new(seed);
        let stories = stories(&mut chance);
        let applied: Vec<(&Story, usize)> = stories
            .iter()
            .map(|story| {
                let whole = chance.below(3) > 0;
                let part = 1 + chance.below(story.events.len() as u64) as usize;
                (story, if whole { story.events.len() } else { part })
            })
            .collect();
        database.apply(applied.iter().copied()).await;
        let portion = 2 + chance.below(20);
        let (mut statements, mut expected, mut unknowable) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for (story, events) in &applied {
            let lost = lose(story, *events, || chance.below(portion) == 0);
            for (_, attempt, index) in lost.told.union(&lost.untold) {
                let place = database.is(story.id);
                statements.push(format!(
                    "DELETE FROM llm_token_log WHERE {place} AND attempt_seq = {attempt} AND token_index = {index}"
                ));
            }
            expected.extend(lost.told);
            unknowable.extend(lost.untold.into_iter().map(|(id, ..)| id));
        }
        database.run_all(&statements).await;
        let checked = check_in_slices(&*database.store, CheckScope::Whole, 5).await;
        assert_eq!(missing(&checked), expected, "seed {seed}");
        for finding in &checked.findings {
            let known = matches!(finding.fault, Fault::TokensMissing { .. });
            let unknown = matches!(finding.fault, Fault::EventsMissing { .. });
            assert!(known || unknown && unknowable.contains(&finding.request_id), "seed {seed}: {finding}");
        }
    }
}

type Place = (RequestId, u32, u64);

/// Tokens that are deleted: those that must be told, and those of which nobody can know, since their attempt runs
/// and has no token after them.
struct Lost {
    told: BTreeSet<Place>,
    untold: BTreeSet<Place>,
}

fn lose(story: &Story, events: usize, mut chosen: impl FnMut() -> bool) -> Lost {
    let applied = &story.events[..events];
    let state = RequestState::replay(applied).unwrap();
    let mut lost = Lost { told: BTreeSet::new(), untold: BTreeSet::new() };
    for attempt in state.attempts() {
        let attempt_seq = attempt.started.attempt_seq;
        let mut pending = BTreeSet::new();
        for event in applied {
            let EventBody::Token(token) = &event.body else { continue };
            if token.attempt_seq != attempt_seq {
                continue;
            }
            if chosen() {
                pending.insert((story.id, attempt_seq.0, token.token_index.0));
            } else {
                lost.told.append(&mut pending);
            }
        }
        let end = if attempt.finished.is_some() { &mut lost.told } else { &mut lost.untold };
        end.append(&mut pending);
    }
    lost
}

fn missing(checked: &Checked) -> BTreeSet<Place> {
    let mut missing = BTreeSet::new();
    for finding in &checked.findings {
        if let Fault::TokensMissing { from, through } = finding.fault {
            for index in from.0..=through.0 {
                assert!(missing.insert((finding.request_id, finding.attempt_seq.unwrap().0, index)), "twice");
            }
        }
    }
    missing
}
