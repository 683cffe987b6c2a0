use std::time::Duration;

use wordhoard_store::{Departure, Error, LogKey, ServerProfile, ServerSeen, Store};

use crate::story::{LOG, Story};

const CLOSER: LogKey = LogKey([8; 16]);
const OTHER: LogKey = LogKey([9; 16]);
/// Nobody has been silent for so long.
const LONG: Duration = Duration::from_secs(60);

fn profile(host: &str) -> ServerProfile {
    ServerProfile { address: format!("http://{host}:8000"), host: host.into(), version: "0.1.0".into() }
}

async fn server(store: &dyn Store, log: LogKey) -> ServerSeen {
    store.servers().await.unwrap().into_iter().find(|server| server.log == log).unwrap()
}

pub async fn servers_are_known_by_what_they_last_said(store: &dyn Store) {
    assert!(store.servers().await.unwrap().is_empty());
    store.depart(LOG, Departure::Left).await.unwrap();
    assert!(store.servers().await.unwrap().is_empty(), "who never was there cannot go");
    store.beat(LOG, profile("☃")).await.unwrap();
    store.beat(LOG, profile("a")).await.unwrap();
    let servers = store.servers().await.unwrap();
    let expected = ServerSeen {
        log: LOG,
        silent_for: servers[0].silent_for,
        profile: profile("a"),
        departure: None,
        retirement: None,
        open_requests: 0,
    };
    assert_eq!(servers, [expected]);
    assert!(servers[0].silent_for < LONG, "{servers:?}");

    store.apply(Story::created(1_000, None).batch(0)).await.unwrap();
    store.depart(LOG, Departure::Stopped).await.unwrap();
    let stopped = server(store, LOG).await;
    assert_eq!((stopped.departure, stopped.open_requests), (Some(Departure::Stopped), 1));
    store.beat(LOG, profile("a")).await.unwrap();
    assert_eq!(server(store, LOG).await.departure, None, "who speaks is back");
}

pub async fn a_retired_log_takes_nothing_more(store: &dyn Store) {
    assert!(!store.retire(LOG, None, Duration::ZERO).await.unwrap(), "nobody knows it");
    store.beat(LOG, profile("a")).await.unwrap();
    let begun = Story::created(1_000, None);
    store.apply(begun.batch(0)).await.unwrap();
    assert!(!store.retire(LOG, Some(CLOSER), LONG).await.unwrap(), "it speaks");
    store.depart(LOG, Departure::Left).await.unwrap();
    assert!(!store.retire(LOG, Some(CLOSER), Duration::ZERO).await.unwrap(), "it has left nothing");
    store.beat(LOG, profile("a")).await.unwrap();
    assert_eq!(store.retirement(LOG).await.unwrap(), None);

    assert!(store.retire(LOG, Some(CLOSER), Duration::ZERO).await.unwrap());
    let retirement = store.retirement(LOG).await.unwrap().unwrap();
    assert_eq!(retirement.by, Some(CLOSER));
    assert!(store.retire(LOG, Some(OTHER), LONG).await.unwrap(), "again is the same");
    assert_eq!(server(store, LOG).await.retirement, Some(retirement));
    let refused = store.apply(Story::whole(2_000).batch(begun.events.len() as u64)).await;
    assert!(matches!(refused, Err(Error::LogRetired)), "{refused:?}");
    let applied = store.applied(LOG).await.unwrap();
    assert_eq!(applied, begun.events.len() as u64);
    // Through the log of the server that closes it, it takes its end.
    let mut rest = Story { id: begun.id, events: begun.events.clone() };
    rest.start(1, 0, None);
    let mut batch = rest.batch(0);
    (batch.log, batch.events) = (CLOSER, batch.events.split_off(begun.events.len()));
    assert_eq!(store.apply(batch).await.unwrap().inserted, 1);
    assert_eq!(store.open_requests(LOG).await.unwrap(), [begun.id]);
}

pub async fn one_server_closes_what_a_retired_one_has_left(store: &dyn Store) {
    store.beat(LOG, profile("a")).await.unwrap();
    assert!(!store.take_on_retired(LOG, None, CLOSER).await.unwrap(), "it is not retired");
    // Of one that has applied nothing yet, too.
    store.depart(LOG, Departure::Stopped).await.unwrap();
    assert!(store.retire(LOG, None, LONG).await.unwrap());
    assert!(store.take_on_retired(LOG, None, CLOSER).await.unwrap());
    assert!(!store.take_on_retired(LOG, None, OTHER).await.unwrap(), "another one was quicker");
    assert!(store.take_on_retired(LOG, Some(CLOSER), OTHER).await.unwrap());
    assert_eq!(store.retirement(LOG).await.unwrap().unwrap().by, Some(OTHER));
}
