use std::sync::Arc;

use parking_lot::Mutex;
use wordhoard_model::{EventBody, Outcome, RequestState, Seq, Timestamp, TokenKind};
use wordhoard_store::{CheckScope, CheckSlice, Error, PruneRange, SqliteStore, Store};

use crate::conformance;
use crate::story::{LOG, Story};

async fn open(dir: &tempfile::TempDir) -> Arc<dyn Store> {
    let store = SqliteStore::new(&dir.path().join("wordhoard.db")).unwrap();
    store.migrate(Timestamp::from_millis(1)).await.unwrap();
    Arc::new(store)
}

#[tokio::test]
async fn sqlite_conforms() {
    let kept = Mutex::new(Vec::new());
    conformance::all(|| async {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir).await;
        kept.lock().push(dir);
        store
    })
    .await;
}

#[tokio::test]
async fn what_was_applied_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let story = Story::whole(1_000);
    let store = open(&dir).await;
    store.apply(story.batch(0)).await.unwrap();
    store.close().await;
    let store = open(&dir).await;
    assert_eq!(store.events(story.id, Seq(0), 1000).await.unwrap(), story.events);
    assert_eq!(store.applied(LOG).await.unwrap(), story.events.len() as u64);
}

#[tokio::test]
async fn a_file_that_is_no_database_or_of_a_newer_server_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wordhoard.db");
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    let damaged = SqliteStore::new(&path).unwrap().migrate(Timestamp::from_millis(1)).await;
    assert!(matches!(damaged, Err(Error::Damaged(_))), "{damaged:?}");

    std::fs::remove_file(&path).unwrap();
    open(&dir).await.close().await;
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("INSERT INTO schema_migrations VALUES (99, 'future', zeroblob(32), 0)", []).unwrap();
    drop(connection);
    let newer = SqliteStore::new(&path).unwrap().migrate(Timestamp::from_millis(1)).await;
    assert!(matches!(newer, Err(Error::SchemaTooNew { found: 99, .. })), "{newer:?}");
}

#[tokio::test]
async fn a_row_that_means_nothing_is_damage_and_not_a_default() {
    let dir = tempfile::tempdir().unwrap();
    let story = Story::whole(1_000);
    let store = open(&dir).await;
    store.apply(story.batch(0)).await.unwrap();
    store.close().await;
    let connection = rusqlite::Connection::open(dir.path().join("wordhoard.db")).unwrap();
    connection.execute("UPDATE llm_token_runs SET kinds = substr('xxxxxx', 1, token_count)", []).unwrap();
    drop(connection);
    let read = open(&dir).await.events(story.id, Seq(0), 10).await;
    assert!(matches!(&read, Err(Error::Damaged(why)) if why.contains("'x' in kinds")), "{read:?}");
}

/// Three quarters of what is there are pruned; the file becomes as small as what is left.
#[tokio::test]
async fn a_prune_gives_its_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    let text = "word ".repeat(400);
    for number in 0..400 {
        let mut story = Story::created(1_000 + number, None);
        story.start(1, 0, None);
        (0..40).for_each(|index| story.token(1, index, TokenKind::Text, &text));
        story.end(1, Outcome::Completed, 40);
        story.push(EventBody::RequestFinished(Box::new(
            RequestState::replay(&story.events).unwrap().closing(),
        )));
        let at = store.applied(LOG).await.unwrap();
        store.apply(story.batch(at)).await.unwrap();
    }
    let size = async || {
        store.make_durable().await.unwrap();
        std::fs::metadata(dir.path().join("wordhoard.db")).unwrap().len()
    };
    let before = size().await;
    let range = PruneRange {
        before: Timestamp::from_millis(1_300),
        ended_before: Timestamp::from_millis(1_800_000_000_000),
    };
    conformance::pruning::prune(&*store, range, 100).await;
    let after = size().await;
    assert!(after * 3 < before, "{before} bytes became {after}");
    let slice = CheckSlice { scope: CheckScope::Whole, before: None, requests: 1_000 };
    let checked = store.check(slice).await.unwrap();
    assert_eq!((checked.requests, checked.findings.len()), (100, 0));
}

#[tokio::test]
async fn a_refused_row_is_told_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    let refuse = async |text: &'static str| {
        let connection = rusqlite::Connection::open(dir.path().join("wordhoard.db")).unwrap();
        let sql = format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON llm_token_runs WHEN NEW.texts = '[\"{text}\"]'
             BEGIN SELECT RAISE(ABORT, 'not that'); END"
        );
        connection.execute_batch(&sql).unwrap();
    };
    conformance::a_refused_row_is_told_and_changes_nothing(&*store, refuse).await;
}
