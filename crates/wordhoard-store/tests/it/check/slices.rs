use wordhoard_model::RequestId;
use wordhoard_store::{CheckScope, Fault};

use super::stories::{plain, tokens_missing};
use super::{changed, check_in_slices, faults};
use crate::database::{Backend, Database};
use crate::story::Story;

const SIZES: [usize; 4] = [1, 2, 7, 100];

async fn fourteen_requests(database: &Database) -> Vec<Story> {
    let stories: Vec<_> = (0..14).map(|number| plain(1_000 + 100 * number)).collect();
    database.apply(stories.iter().map(|story| (story, usize::MAX))).await;
    stories
}

pub async fn cursors_cover_everything_exactly_once(backend: &Backend) {
    let database = backend.empty().await;
    let stories = fourteen_requests(&database).await;
    database.run("DELETE FROM llm_token_log WHERE attempt_seq = 2 AND token_index = 3").await;
    let expected: Vec<_> =
        stories.iter().rev().map(|story| (story.id, Some(2), tokens_missing(3, 3))).collect();
    for requests in SIZES {
        // The newest five of the second scope are found by their id, the one before them by its end.
        for (scope, from) in [(CheckScope::Whole, 0), (changed(1_805), 8)] {
            let checked = check_in_slices(&*database.store, scope, requests).await;
            let newest = &expected[..14 - from];
            assert_eq!(faults(&checked), newest, "{scope:?} in slices of {requests}");
            assert_eq!((checked.requests, checked.tokens), (newest.len() as u64, newest.len() as u64 * 19));
        }
    }
}

pub async fn rows_without_a_request_are_found_between_above_and_below_requests(backend: &Backend) {
    for table in ["llm_token_runs", "llm_attempts"] {
        let database = backend.empty().await;
        let stories = fourteen_requests(&database).await;
        // Of some requests only tokens remain, of others only attempts.
        let orphans: Vec<RequestId> = [13, 7, 6, 0].map(|place| stories[place].id).into();
        for id in &orphans {
            database.run(&format!("DELETE FROM llm_requests WHERE {}", database.is(*id))).await;
            database.run(&format!("DELETE FROM {table} WHERE {}", database.is(*id))).await;
        }
        for requests in SIZES {
            let checked = check_in_slices(&*database.store, CheckScope::Whole, requests).await;
            let found = faults(&checked).into_iter().filter(|found| found.2 == Fault::RequestMissing);
            let found: Vec<_> = found.map(|(id, ..)| id).collect();
            assert_eq!(found, orphans, "without {table}, in slices of {requests}");
            assert_eq!(checked.requests, 10);
        }
    }
}
