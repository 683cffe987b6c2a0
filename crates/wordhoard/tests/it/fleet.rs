//! Several servers on one database: each has its own log, and any can serve what another has taken in.

mod leaving;
mod retiring;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;
use wordhoard_testkit::client::{Client, EventStream, Next, SeenEvent};
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::ServerHome;

use crate::EXE;
use crate::ledger::Ledger;

/// Silence after which a server counts as gone.
const GONE_AFTER: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(60);

/// One cluster, and one long wait beside which the rest is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_share_one_database() {
    let cluster = Postgres::builder().setting("max_connections", "150").start().await;
    let (shared, empty) = (cluster.url(), cluster.create_database("empty").await);
    tokio::join!(a_request_of_a_server_that_is_gone_waits_for_it(&shared), async {
        a_request_of_another_server_is_followed_live(&shared).await;
        ten_servers_start_at_once(&empty).await;
    });
}

fn home(url: &str) -> ServerHome {
    ServerHome::new(EXE, &database(url)).unwrap()
}

fn database(url: &str) -> String {
    format!("database_url = {url:?}")
}

async fn a_request_of_another_server_is_followed_live(url: &str) {
    let (home_a, home_b) = (home(url), home(url));
    let (server_a, server_b) = (home_a.start().unwrap(), home_b.start().unwrap());
    let (a, b) = (server_a.client(), server_b.client());
    let id = a.submit("followed [demo tokens=300 rate=50]", &["demo:brisk"]).await.unwrap();
    let accepted = Instant::now();
    let from_a = a.follow(&id, None).await.unwrap();
    let from_b = followed(&b, &id, None).await;
    println!("known to the other server after {:?}", accepted.elapsed());
    let (seen_a, seen_b, resumed, ()) =
        tokio::join!(read(from_a), read(from_b), resume(&b, &id), looked_at_from_elsewhere(&b, &id));
    let events =
        |seen: &[(Instant, SeenEvent)]| seen.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>();
    assert_eq!(events(&seen_a).len(), 304);
    assert_eq!(events(&seen_b), events(&seen_a));
    assert_eq!(resumed, events(&seen_a)[101..]);
    tell_delays(&seen_a, &seen_b);

    assert_eq!(b.read_to_end(&id, None).await.unwrap(), events(&seen_a));
    assert_eq!(b.follow(&id, Some(303)).await.unwrap_err().to_string(), "status 204");
    assert_eq!(listed(&b, &id).await["status"], "completed");
}

/// Opens a stream on a server that hears of the request from SQL.
async fn followed(client: &Client, id: &str, after: Option<u64>) -> EventStream {
    let started = Instant::now();
    loop {
        match client.follow(id, after).await {
            Ok(stream) => return stream,
            Err(error) => assert!(started.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn read(mut stream: EventStream) -> Vec<(Instant, SeenEvent)> {
    let mut seen: Vec<(Instant, SeenEvent)> = Vec::new();
    loop {
        match stream.next().await.unwrap() {
            Next::Event(event) => {
                assert_eq!(event.seq, seen.len() as u64, "a gap or a double");
                seen.push((Instant::now(), event));
            }
            Next::Ended => return seen,
            Next::Broken => panic!("broken after {} events", seen.len()),
        }
    }
}

/// Comes back from behind event 100, while the request runs.
async fn resume(client: &Client, id: &str) -> Vec<SeenEvent> {
    let mut stream = followed(client, id, Some(100)).await;
    let mut seen = Vec::new();
    while let Next::Event(event) = stream.next().await.unwrap() {
        seen.push(event);
    }
    seen
}

async fn looked_at_from_elsewhere(client: &Client, id: &str) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(listed(client, id).await["status"], "running");
    let path = format!("/api/llm/requests/{id}");
    let document = client.get(&path).await.unwrap().body;
    assert_eq!((&document["status"], &document["server"]["state"]), (&"running".into(), &"elsewhere".into()));
    let refused = client.post(&format!("{path}/cancel"), &Value::Null).await.unwrap();
    assert_eq!((refused.status, refused.content_type.as_str()), (409, "application/problem+json"));
}

async fn listed(client: &Client, id: &str) -> Value {
    let page = client.get("/api/llm/requests").await.unwrap().body;
    let requests = page["requests"].as_array().unwrap();
    requests.iter().find(|request| request["request_id"] == id).cloned().unwrap_or_else(|| panic!("{page}"))
}

/// How much later an event comes from the other server, which has it from SQL: where those tokens wait for no more
/// than a transaction, that is below a second.
fn tell_delays(seen_a: &[(Instant, SeenEvent)], seen_b: &[(Instant, SeenEvent)]) {
    let at_a: HashMap<u64, Instant> = seen_a.iter().map(|(at, event)| (event.seq, *at)).collect();
    // Those from before the follower came are no delay of its own.
    let live = seen_b
        .iter()
        .filter(|(at, event)| event.seq > 60 && at_a.contains_key(&event.seq) && *at > seen_b[0].0);
    let mut delays: Vec<_> = live.map(|(at, event)| at.saturating_duration_since(at_a[&event.seq])).collect();
    delays.sort_unstable();
    let percent = |percent: usize| delays[(delays.len() - 1) * percent / 100];
    println!(
        "delay of the other server: p50 {:?}, p99 {:?}, max {:?}",
        percent(50),
        percent(99),
        percent(100)
    );
    assert!(percent(50) < Duration::from_secs(1), "{:?}", percent(50));
}

async fn a_request_of_a_server_that_is_gone_waits_for_it(url: &str) {
    let (home_a, home_b) = (home(url), home(url));
    let (server_a, server_b) = (home_a.start().unwrap(), home_b.start().unwrap());
    let b = server_b.client();
    let id =
        server_a.client().submit("left alone [demo tokens=600 rate=100]", &["demo:brisk"]).await.unwrap();
    let mut seen = Ledger::default();
    drop(followed(&b, &id, None).await);
    let (told, server_a) = tokio::join!(told_that_it_is_gone(&b, &id, &mut seen), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        server_a.kill_9().unwrap();
        is_shown_as_gone(&b, &id).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        home_a.start().unwrap()
    });
    assert_eq!(told["error"]["server"]["state"], "gone", "{told}");
    assert!(seen.follow(&b, &id).await, "broken off after {} events", seen.seen.len());
    let whole = server_a.client().read_to_end(&id, None).await.unwrap();
    assert_eq!(seen.seen, whole);
    let attempts: Vec<_> = whole.iter().filter(|event| event.name == "attempt.finished").collect();
    assert_eq!(attempts[0].data["error"]["class"], "server_stopped", "{attempts:?}");
    assert_eq!(attempts.last().unwrap().data["status"], "completed");
    assert_eq!(b.wait_for_end(&id).await.unwrap()["status"], "completed");
}

/// What a follower hears behind the last event that it gets.
async fn told_that_it_is_gone(client: &Client, id: &str, seen: &mut Ledger) -> Value {
    let mut stream = followed(client, id, None).await;
    loop {
        match stream.next().await.unwrap() {
            Next::Event(event) if event.name == "error" => return event.data,
            Next::Event(event) => seen.take(event),
            other => panic!("{other:?} after {} events", seen.seen.len()),
        }
    }
}

/// It runs, by its own events; but nobody runs it.
async fn is_shown_as_gone(client: &Client, id: &str) {
    let killed = Instant::now();
    let path = format!("/api/llm/requests/{id}");
    loop {
        let document = client.get(&path).await.unwrap().body;
        assert_eq!(document["status"], "running");
        match document["server"]["state"].as_str().unwrap() {
            "elsewhere" => assert!(killed.elapsed() < 2 * GONE_AFTER, "{document}"),
            state => {
                assert_eq!(state, "gone", "{document}");
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    println!("shown as gone {:?} after the kill", killed.elapsed());
    assert!(killed.elapsed() > GONE_AFTER - Duration::from_secs(6));
    let refused = client.post(&format!("{path}/cancel"), &Value::Null).await.unwrap();
    assert_eq!(refused.status, 409, "{}", refused.body);
}

async fn ten_servers_start_at_once(url: &str) {
    let homes: Vec<_> = (0..10).map(|_| home(url)).collect();
    let started = Instant::now();
    let servers: Vec<_> = homes.iter().map(|home| home.spawn().unwrap()).collect();
    let ready = join_all(servers.iter().map(|server| async {
        let client = server.client();
        while !client.get("/readyz").await.is_ok_and(|answer| answer.status == 200) {
            assert!(started.elapsed() < PATIENCE, "{}", server.output().unwrap());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        (started.elapsed(), client.get("/api/health").await.unwrap().body)
    }));
    let ready = ready.await;
    println!("ten servers are ready after {:?}", ready.iter().map(|(took, _)| took).max());
    for (_, health) in ready {
        assert_eq!(health["db_ok"], true, "{health}");
        assert!(health["database"]["schema_version"].as_u64() >= Some(1), "{health}");
    }
}
