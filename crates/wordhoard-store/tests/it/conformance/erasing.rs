use wordhoard_model::{EventBody, KeyId, Outcome, RequestState, Seq, Timestamp, TokenKind};
use wordhoard_store::{CheckScope, CheckSlice, Erasure, Error, ListQuery, Store};

use crate::story::{LOG, Story};

const AT: Timestamp = Timestamp::from_millis(9_000);

/// A keyed request, told whole.
fn told(at_ms: i64) -> Story {
    let mut story = Story::created(at_ms, Some("mine"));
    story.start(1, 0, None);
    story.token(1, 0, TokenKind::Text, "secret");
    story.token(1, 1, TokenKind::ToolCall, "{}");
    story.end(1, Outcome::Failed, 2);
    story.start(2, 0, None);
    story.token(2, 0, TokenKind::Text, "secret");
    story.end(2, Outcome::Completed, 1);
    let closing = RequestState::replay(&story.events).unwrap().closing();
    story.push(EventBody::RequestFinished(Box::new(closing)));
    story
}

/// What was erased is nowhere to be read, comes back by no repetition, and still counts.
pub async fn what_is_erased_is_gone_and_still_counts(store: &dyn Store) {
    let (erased, kept) = (told(1_000), Story::whole(2_000));
    let mut running = Story::created(3_000, Some("running"));
    running.start(1, 0, None);
    let mut from = 0;
    for story in [&erased, &kept, &running] {
        store.apply(story.batch(from)).await.unwrap();
        from += story.events.len() as u64;
    }
    let month = Timestamp::from_millis(0);
    let totals = store.totals(month).await.unwrap();
    let spent = store.own_spending(vec![LOG], month, month, AT).await.unwrap();
    assert_eq!(store.erase(running.id, AT).await.unwrap(), Erasure::Running);
    assert_eq!(store.erase(Story::created(4_000, None).id, AT).await.unwrap(), Erasure::Unknown);
    assert_eq!(store.erase(erased.id, AT).await.unwrap(), Erasure::Done);
    assert_eq!(store.erase(erased.id, AT).await.unwrap(), Erasure::Unknown, "it is erased once");
    assert_eq!(store.erased_of(vec![kept.id, erased.id]).await.unwrap(), [erased.id]);

    for seq in [0, 3, 99] {
        let read = store.events(erased.id, Seq(seq), 100).await;
        assert!(matches!(read, Err(Error::Erased)), "{read:?}");
    }
    assert_eq!(store.summary(erased.id).await.unwrap(), None);
    let found = store.find_idempotent(Some(Story::owner("mine")), "mine".to_owned(), month).await.unwrap();
    assert!(found.is_none(), "its key against doubles is free again: {found:?}");
    let listed = store.list(ListQuery { limit: 10, ..ListQuery::default() }).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.request_id).collect::<Vec<_>>(), [running.id, kept.id]);

    // The same events once more, as after a crash.
    let again = store.apply(erased.batch(0)).await.unwrap();
    assert_eq!((again.inserted, again.conflicts.len()), (0, 0), "{again:?}");
    assert!(matches!(store.events(erased.id, Seq(0), 100).await, Err(Error::Erased)));
    assert_eq!(store.events(kept.id, Seq(0), 100).await.unwrap(), kept.events);

    assert_eq!(store.totals(month).await.unwrap(), totals);
    assert_eq!(store.own_spending(vec![LOG], month, month, AT).await.unwrap(), spent);
    assert_eq!(spent.days.iter().map(|spent| spent.key).collect::<Vec<_>>(), [KeyId::from_bytes([4; 16])]);
    assert_eq!(store.known_requests(vec![erased.id]).await.unwrap(), [erased.id]);
    let slice = CheckSlice { scope: CheckScope::Whole, before: None, requests: 10 };
    assert_eq!(store.check(slice).await.unwrap().findings, []);
}
