use wordhoard_model::{Seq, TokenIndex};
use wordhoard_store::Fault;

use super::stories::{count_differs, events_missing, plain, tokens_missing};
use super::{check_whole, faults};
use crate::database::Database;

/// What is done to a request of [`plain`], and what must be found.
struct Plant {
    /// Statements with `?` for the request.
    does: &'static str,
    found: Vec<(Option<u32>, Fault)>,
}

fn plant(does: &'static str, found: impl IntoIterator<Item = (Option<u32>, Fault)>) -> Plant {
    Plant { does, found: found.into_iter().collect() }
}

fn missing_rows() -> Vec<Plant> {
    let (one, two) = (Some(1), Some(2));
    vec![
        plant(
            "DELETE FROM llm_token_log WHERE ? AND attempt_seq = 2 AND token_index < 3",
            [(two, tokens_missing(0, 2))],
        ),
        plant(
            "DELETE FROM llm_token_log WHERE ? AND attempt_seq = 1 AND token_index IN (4, 5, 7)",
            [(one, tokens_missing(4, 5)), (one, tokens_missing(7, 7))],
        ),
        plant(
            "DELETE FROM llm_token_log WHERE ? AND token_index = 9",
            [(one, tokens_missing(9, 9)), (two, tokens_missing(9, 9))],
        ),
        plant("DELETE FROM llm_token_log WHERE ? AND attempt_seq = 1", [(one, tokens_missing(0, 9))]),
        plant(
            "DELETE FROM llm_attempts WHERE ? AND attempt_seq = 1",
            [(one, Fault::AttemptMissing), (None, events_missing(1, 1)), (None, events_missing(12, 12))],
        ),
        plant(
            "DELETE FROM llm_attempts WHERE ? AND attempt_seq = 2;
             DELETE FROM llm_token_log WHERE ? AND attempt_seq = 2",
            [(two, Fault::AttemptMissing), (None, events_missing(13, 24))],
        ),
        plant(
            "DELETE FROM llm_attempts WHERE ?; DELETE FROM llm_token_log WHERE ?",
            [(one, Fault::AttemptMissing), (two, Fault::AttemptMissing), (None, events_missing(1, 24))],
        ),
        plant("DELETE FROM llm_requests WHERE ?", [(None, Fault::RequestMissing)]),
        plant(
            "DELETE FROM llm_requests WHERE ?; DELETE FROM llm_token_log WHERE ?",
            [
                (None, Fault::RequestMissing),
                (one, tokens_missing(0, 9)),
                (two, tokens_missing(0, 9)),
                (None, events_missing(2, 11)),
                (None, events_missing(14, 23)),
            ],
        ),
        plant(
            "DELETE FROM llm_requests WHERE ?; DELETE FROM llm_attempts WHERE ?",
            [
                (None, Fault::RequestMissing),
                (one, Fault::AttemptMissing),
                (two, Fault::AttemptMissing),
                (None, events_missing(1, 1)),
                (None, events_missing(12, 13)),
            ],
        ),
    ]
}

fn altered_rows() -> Vec<Plant> {
    let (one, two) = (Some(1), Some(2));
    let out_of_order = |index, seq| Fault::OutOfOrder { token_index: TokenIndex(index), seq: Seq(seq) };
    vec![
        plant("UPDATE llm_attempts SET finished_seq = 13 WHERE ? AND attempt_seq = 1", [
            (None, events_missing(12, 12)),
            (None, Fault::EventDoubled { seq: Seq(13) }),
        ]),
        plant("UPDATE llm_attempts SET started_seq = 40 WHERE ? AND attempt_seq = 2", [
            (two, out_of_order(0, 14)),
            (None, events_missing(13, 13)),
            (None, events_missing(26, 39)),
            (None, count_differs("event_count", 26, 41)),
        ]),
        plant(
            "UPDATE llm_attempts SET status = 'running', finished_seq = NULL, finished_at = NULL, token_count = NULL
             WHERE ? AND attempt_seq = 2",
            [(two, Fault::AttemptOpen), (None, events_missing(24, 24))],
        ),
        plant("UPDATE llm_attempts SET status = 'running' WHERE ? AND attempt_seq = 1", [
            (one, Fault::EndInPart),
            (None, count_differs("lanes_completed", 2, 1)),
        ]),
        plant("UPDATE llm_requests SET finished_at = NULL WHERE ?", [(None, Fault::EndInPart)]),
        plant("UPDATE llm_attempts SET token_count = 9 WHERE ? AND attempt_seq = 1", [
            (one, count_differs("token_count", 9, 10)),
            (None, count_differs("token_count", 20, 19)),
        ]),
        plant("UPDATE llm_requests SET token_count = 21, lanes_completed = 1, attempt_count = 1 WHERE ?", [
            (None, count_differs("attempt_count", 1, 2)),
            (None, count_differs("token_count", 21, 20)),
            (None, count_differs("lanes_completed", 1, 2)),
        ]),
        plant("UPDATE llm_requests SET event_count = 28 WHERE ?", [(None, events_missing(25, 26))]),
        plant("UPDATE llm_requests SET attempt_count = 3 WHERE ?", [(Some(3), Fault::AttemptMissing)]),
        plant(
            "UPDATE llm_token_log SET seq = 99 WHERE ? AND seq = 5; UPDATE llm_token_log SET seq = 5 WHERE ? AND seq = 6;
             UPDATE llm_token_log SET seq = 6 WHERE ? AND seq = 99",
            [(one, out_of_order(4, 5))],
        ),
        plant("UPDATE llm_token_runs SET token_count = 9 WHERE ? AND attempt_seq = 1", [
            (one, run_unsound(0, 8)),
            (one, tokens_missing(9, 9)),
        ]),
        plant("UPDATE llm_token_runs SET kinds = 't' WHERE ? AND attempt_seq = 1", [(one, run_unsound(0, 9))]),
        plant("UPDATE llm_token_runs SET last_seq = 12 WHERE ? AND attempt_seq = 1", [
            (one, run_unsound(0, 9)),
            (one, out_of_order(9, 12)),
            (None, Fault::EventDoubled { seq: Seq(12) }),
        ]),
        plant("UPDATE llm_token_runs SET first_token_index = 4 WHERE ? AND attempt_seq = 1", [
            (one, tokens_missing(0, 3)),
            (one, count_differs("token_count", 10, 14)),
        ]),
        plant(
            "INSERT INTO llm_token_log (request_id, attempt_seq, token_index, seq, at, kind, text)
             SELECT request_id, attempt_seq, token_index, seq, at, kind, text FROM llm_token_log
             WHERE ? AND attempt_seq = 1 AND token_index = 5",
            [
                (one, Fault::TokensDoubled { from: TokenIndex(5), through: TokenIndex(5) }),
                (one, out_of_order(5, 7)),
                (None, Fault::EventDoubled { seq: Seq(7) }),
            ],
        ),
    ]
}

fn run_unsound(from: u64, through: u64) -> Fault {
    Fault::RunUnsound { from: TokenIndex(from), through: TokenIndex(through) }
}

pub async fn each_fault_is_told_as_what_it_is(database: &Database) {
    for plant in missing_rows().into_iter().chain(altered_rows()) {
        let stories = [plain(1_000), plain(2_000), plain(3_000)];
        database.apply(stories.iter().map(|story| (story, usize::MAX))).await;
        let clean = check_whole(&*database.store).await;
        assert_eq!((clean.findings.as_slice(), clean.requests, clean.tokens), ([].as_slice(), 3, 60));
        for statement in plant.does.split(';') {
            let changed = database.run(&statement.replace('?', &database.is(stories[1].id))).await;
            assert!(changed > 0, "{statement}");
        }
        let expected: Vec<_> =
            plant.found.into_iter().map(|(attempt, fault)| (stories[1].id, attempt, fault)).collect();
        let checked = check_whole(&*database.store).await;
        assert_eq!(faults(&checked), expected, "{}", plant.does);
        database.clear().await;
    }
}

pub async fn a_request_that_is_gone_wholly_is_known_by_its_id(database: &Database) {
    let stories = [plain(1_000), plain(2_000), plain(3_000)];
    database.apply(stories.iter().map(|story| (story, usize::MAX))).await;
    for table in ["llm_token_runs", "llm_attempts", "llm_requests"] {
        database.run(&format!("DELETE FROM {table} WHERE {}", database.is(stories[1].id))).await;
    }
    assert_eq!(check_whole(&*database.store).await.findings, []);
    let mut known =
        database.store.known_requests(stories.iter().map(|story| story.id).collect()).await.unwrap();
    known.sort_unstable();
    assert_eq!(known, [stories[0].id, stories[2].id]);
    assert_eq!(database.store.known_requests(Vec::new()).await.unwrap(), []);
}

pub async fn a_request_with_more_gaps_than_fit_is_told_to_the_limit(database: &Database) {
    let mut story = crate::story::Story::created(1_000, None);
    story.start(1, 0, None);
    (0..2_500).for_each(|index| story.token(1, index, wordhoard_model::TokenKind::Text, "x"));
    let other = plain(500);
    database.apply([(&story, usize::MAX), (&other, usize::MAX)]).await;
    database.run("DELETE FROM llm_token_log WHERE token_index % 2 = 1").await;
    let checked = check_whole(&*database.store).await;
    let of = |id| checked.findings.iter().filter(|finding| finding.request_id == id).count();
    assert_eq!((of(story.id), of(other.id)), (1_000, 10));
    assert_eq!((checked.requests, checked.tokens), (2, 1_260));
}
