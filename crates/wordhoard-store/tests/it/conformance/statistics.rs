use wordhoard_model::{EventBody, Outcome, Timestamp};
use wordhoard_store::{Store, Totals};

use crate::story::Story;

pub async fn what_is_there_is_counted(store: &dyn Store) {
    let count = async |since| store.totals(Timestamp::from_millis(since)).await.unwrap();
    assert_eq!(count(0).await, Totals::default());
    let (old, mut new) = (Story::whole(1_000), Story::long(5_000, 30));
    if let Some(EventBody::RequestFinished(end)) = new.events.last_mut().map(|event| &mut event.body) {
        end.outcome = Outcome::Completed;
    }
    let mut running = Story::created(9_000, None);
    running.start(1, 0, None);
    let mut from = 0;
    for story in [&old, &new, &running] {
        let batch = story.batch(from);
        from = batch.through;
        store.apply(batch).await.unwrap();
    }
    let all = count(5_000).await;
    assert_eq!((all.requests, all.new_requests, all.completed_requests, all.tokens), (3, 2, 1, 36));
    assert_eq!(count(5_001).await.new_requests, 1);
    let [demo] = &all.providers[..] else { panic!("{all:?}") };
    assert_eq!((demo.provider.as_str(), demo.attempts), ("demo", 5));
    // Events of a story are a millisecond apart: 5, 9 and 4 between start and end in the one, 31 in the other.
    let average = demo.average_seconds.unwrap();
    assert!((average - 0.012_25).abs() < 1e-9, "{average}");
}
