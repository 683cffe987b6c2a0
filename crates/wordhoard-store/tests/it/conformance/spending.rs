use wordhoard_model::{Cost, KeyId, RequestState, Timestamp};
use wordhoard_store::{
    Batch, LogKey, OthersSpending, OwnSpending, RecentRequest, ServerProfile, SpentOfDay, Store,
};

use crate::story::{LOG, Story};

const OTHER_LOG: LogKey = LogKey([8; 16]);
/// 2026-11-27T12:00:00Z.
const NOON_MS: i64 = 1_795_780_800_000;
const HOUR_MS: i64 = 3_600_000;

/// What keys have used is what their requests have, apart by logs and by days, and of those without a key nothing.
pub async fn what_keys_use_is_summed_up_from_their_requests(store: &dyn Store) {
    let keyed = |at_ms, ends| {
        let mut story = Story::created(at_ms, Some("a key"));
        story.start(1, 0, None);
        if ends {
            story.end(1, wordhoard_model::Outcome::Completed, 0);
            let closing = RequestState::replay(&story.events).unwrap().closing();
            story.push(wordhoard_model::EventBody::RequestFinished(Box::new(closing)));
        }
        story
    };
    let mut from = [0, 0];
    let stories = [
        (LOG, keyed(NOON_MS - 30_000, true)),
        (LOG, keyed(NOON_MS - 2 * HOUR_MS, true)),
        (LOG, keyed(NOON_MS - 26 * HOUR_MS, true)),
        (LOG, keyed(NOON_MS - 10_000, false)),
        (LOG, Story::whole(NOON_MS - 20_000)),
        (OTHER_LOG, keyed(NOON_MS - 40_000, true)),
        (OTHER_LOG, keyed(NOON_MS - 26 * HOUR_MS, false)),
    ];
    for (log, story) in &stories {
        let from = &mut from[usize::from(*log == OTHER_LOG)];
        let batch = Batch { log: *log, ..story.batch(*from) };
        *from = batch.through;
        store.apply(batch).await.unwrap();
    }
    let key = KeyId::from_bytes([5; 16]);
    let at = |before_noon_ms| Timestamp::from_millis(NOON_MS - before_noon_ms);
    let (day, cost) = (at(0).utc_day(), Cost::from_nano_usd);
    let own = store.own_spending(vec![LOG], at(0).utc_month(), at(60_000), at(0)).await.unwrap();
    let mut days = own.days.clone();
    days.sort_by_key(|spent| spent.day);
    assert_eq!(
        days,
        [
            SpentOfDay { key, day: day - 1, cost: cost(1_234_567) },
            SpentOfDay { key, day, cost: cost(2 * 1_234_567) },
        ]
    );
    assert_eq!(own.recent, [RecentRequest { key, at: at(30_000), tokens: 7 }]);
    // What ended later is counted by whoever ran it.
    let none = store.own_spending(vec![LOG], at(0), at(60_000), at(30_000)).await.unwrap();
    assert_eq!(none, OwnSpending::default());
    store.beat(OTHER_LOG, ServerProfile::default()).await.unwrap();
    let ask = async |logs| {
        let day = Timestamp::from_utc_day(day);
        store.others_spending(logs, at(0).utc_month(), day, at(60_000)).await.unwrap()
    };
    let others = OthersSpending {
        key,
        requests: 1,
        tokens: 7,
        running: 1,
        day: cost(1_234_567),
        month: cost(1_234_567),
    };
    assert_eq!(ask(vec![LOG]).await, [others]);
    assert_eq!(ask(vec![LOG, OTHER_LOG]).await, []);
}
