use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wordhoard_testkit::client::{Next, SeenEvent};

use super::start;
use crate::raw_http::get;

const THREE: &[&str] = &["demo:brisk", "demo:thoughtful", "demo:bard"];

/// What any whole stream of a request whose lanes all complete must be.
fn assert_whole(events: &[SeenEvent]) {
    let ids: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(ids, (0..events.len() as u64).collect::<Vec<_>>());
    for event in events {
        assert_eq!(event.data["seq"], event.seq, "{event:?}");
    }
    assert_eq!(events[0].name, "request.created");
    let last = &events[events.len() - 1];
    assert_eq!((last.name.as_str(), &last.data["status"]), ("request.finished", &Value::from("completed")));
    let mut indexes: BTreeMap<u64, u64> = BTreeMap::new();
    for token in events.iter().filter(|event| event.name == "token") {
        let next = indexes.entry(token.data["attempt_seq"].as_u64().unwrap()).or_default();
        assert_eq!(token.data["token_index"], *next, "{token:?}");
        *next += 1;
    }
    let finished = events.iter().filter(|event| event.name == "attempt.finished");
    for end in finished {
        let count = indexes.get(&end.data["attempt_seq"].as_u64().unwrap());
        assert_eq!(end.data["token_count"].as_u64(), count.copied(), "{end:?}");
    }
}

#[tokio::test]
async fn three_models_stream_at_once_and_again_from_behind_every_event() {
    let (_home, server) = start("");
    let client = server.client();
    let id = client.submit("lanes [demo tokens=25 rate=200]", THREE).await.unwrap();
    let events = client.read_to_end(&id, None).await.unwrap();
    assert_whole(&events);
    // 1 + 3 × (start, 25 tokens, end) + 1.
    assert_eq!(events.len(), 83);
    // Side by side: every lane speaks before any has ended.
    let first_end = events.iter().position(|event| event.name == "attempt.finished").unwrap();
    let speaking = events[..first_end].iter().filter(|event| event.name == "token");
    let lanes: BTreeSet<_> = speaking.map(|token| token.data["lane"].as_u64()).collect();
    assert_eq!(lanes, BTreeSet::from([Some(0), Some(1), Some(2)]));
    let path = format!("/api/llm/stream/{id}");
    let whole = get(&client, &path, &[]).await.body;
    let blocks: Vec<&str> = whole.split_inclusive("\n\n").collect();
    assert_eq!(blocks.len(), events.len());
    for after in 0..events.len() - 1 {
        let (by_query, by_header) = (format!("{path}?starting_after={after}"), after.to_string());
        let rest = get(&client, &by_query, &[]).await;
        assert_eq!(rest.status, 200);
        // The same bytes again, but for `retry:`, which stands in the first event that is sent.
        let expected = blocks[after + 1..].concat().replacen("\ndata:", "\nretry: 1000\ndata:", 1);
        assert_eq!(rest.body, expected, "after {after}");
        let rest = get(&client, &path, &[("last-event-id", &by_header)]).await;
        assert_eq!(rest.body, expected, "after {after}, by header");
    }
    let last = (events.len() - 1).to_string();
    for (query, header) in [(Some(&last), None), (None, Some(&last))] {
        let path = query.map_or(path.clone(), |last| format!("{path}?starting_after={last}"));
        let headers: Vec<_> = header.map(|last| ("last-event-id", last.as_str())).into_iter().collect();
        let past = get(&client, &path, &headers).await;
        assert_eq!((past.status, past.body.as_str()), (204, ""));
    }
}

#[tokio::test]
async fn a_stream_resumes_while_it_runs() {
    let (_home, server) = start("");
    let client = server.client();
    let id = client.submit("running [demo tokens=60 rate=100]", &["demo:brisk"]).await.unwrap();
    let mut seen = Vec::new();
    while seen.last().is_none_or(|event: &SeenEvent| event.name != "request.finished") {
        let after = seen.last().map(|event| event.seq);
        let mut stream = client.follow(&id, after).await.unwrap();
        // A few events of each connection, then another one.
        for _ in 0..7 {
            match stream.next().await.unwrap() {
                Next::Event(event) => seen.push(event),
                ended => assert_eq!(ended, Next::Ended),
            }
        }
    }
    assert_whole(&seen);
    assert_eq!(seen, client.read_to_end(&id, None).await.unwrap());
}

#[tokio::test]
async fn last_event_id_wins_over_the_query() {
    let (_home, server) = start("");
    let client = server.client();
    let id = client.submit("[demo tokens=20 rate=0]", &["demo:terse"]).await.unwrap();
    client.wait_for_end(&id).await.unwrap();
    let path = format!("/api/llm/stream/{id}?starting_after=2");
    let first = |body: &str| body.lines().next().map(str::to_owned);
    let by_query = get(&client, &path, &[]).await;
    assert_eq!(first(&by_query.body).as_deref(), Some("id: 3"));
    let by_header = get(&client, &path, &[("last-event-id", "10")]).await;
    assert_eq!(first(&by_header.body).as_deref(), Some("id: 11"));
    // 24 events: the last one is 23.
    let past = get(&client, &path, &[("last-event-id", "23")]).await;
    assert_eq!(past.status, 204);
}

#[tokio::test]
async fn a_lane_is_its_own_events_and_those_of_the_request() {
    let (_home, server) = start("");
    let client = server.client();
    let id = client.submit("filter [demo tokens=12 rate=0]", THREE).await.unwrap();
    let whole = client.read_to_end(&id, None).await.unwrap();
    for lane in 0..3_u64 {
        let body = get(&client, &format!("/api/llm/stream/{id}?lane={lane}"), &[]).await.body;
        let expected =
            whole.iter().filter(|event| event.name.starts_with("request.") || event.data["lane"] == lane);
        let expected: Vec<&Value> = expected.map(|event| &event.data).collect();
        assert_eq!(expected.len(), 16);
        let given = body.lines().filter_map(|line| line.strip_prefix("data: "));
        let given: Vec<Value> = given.map(|data| serde_json::from_str(data).unwrap()).collect();
        assert_eq!(given.iter().collect::<Vec<_>>(), expected, "lane {lane}");
        // And from behind an event of another lane.
        let after = whole.iter().rfind(|event| event.name == "token" && event.data["lane"] != lane);
        let after = after.unwrap().seq;
        let body =
            get(&client, &format!("/api/llm/stream/{id}?lane={lane}&starting_after={after}"), &[]).await.body;
        let ids = body.lines().filter_map(|line| line.strip_prefix("id: "));
        let ids: Vec<u64> = ids.map(|id| id.parse().unwrap()).collect();
        let rest = expected.iter().filter_map(|data| data["seq"].as_u64());
        assert_eq!(ids, rest.filter(|seq| *seq > after).collect::<Vec<_>>(), "lane {lane}");
    }
}

#[tokio::test]
async fn a_stream_is_told_apart_from_a_page_by_its_head_and_says_once_when_to_come_back() {
    let (_home, server) = start("");
    let client = server.client();
    let id = client.submit("[demo tokens=700 rate=0]", &["demo:terse"]).await.unwrap();
    let stream = get(&client, &format!("/api/llm/stream/{id}"), &[]).await;
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert_eq!(stream.header("x-accel-buffering"), Some("no"));
    assert_eq!(stream.header("cache-control"), Some("no-store"));
    assert_eq!(stream.header("content-length"), None);
    let first = stream.body.split("\n\n").next().unwrap();
    let names: Vec<_> = first.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(names, ["id", "event", "retry", "data"]);
    assert_eq!(stream.body.matches("\nretry:").count(), 1);
    assert!(stream.body.ends_with("\n\n"));
    assert_eq!(stream.body.matches("\n\n").count(), 704);
}
