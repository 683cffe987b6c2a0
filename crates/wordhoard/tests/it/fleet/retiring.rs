//! A server that is lost: the others see it, say it, and can close what it has left.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wordhoard_testkit::client::{Client, EventStream, Next, SeenEvent};
use wordhoard_testkit::postgres::Postgres;

use super::{followed, home};
use crate::administration::start;

/// Within it the others shall have seen it.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
const OPEN_REQUESTS: usize = 5;
const LONG_PROMPT: &str = "left alone [demo tokens=3000 rate=20]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_server_is_seen_and_its_requests_are_closed() {
    let cluster = Postgres::start().await;
    let url = cluster.url();
    let (mut home_a, mut home_b) = (home(&url), home(&url));
    let (server_a, admin_a) = start(&mut home_a);
    let (server_b, admin) = start(&mut home_b);
    let limits = json!({ "scope": "use", "limits": { "concurrent_requests": OPEN_REQUESTS } });
    let made = admin_a.post("/api/admin/keys", &limits).await.unwrap().body;
    let key = made["key"].as_str().unwrap();
    let (at_a, at_b) = (admin_a.with_key(key).unwrap(), admin.with_key(key).unwrap());
    let mut ids = Vec::new();
    for _ in 0..OPEN_REQUESTS {
        ids.push(at_a.submit(LONG_PROMPT, &["demo:brisk"]).await.unwrap());
    }
    cancel_elsewhere_says_where(&admin_a, &admin, server_a.base_url()).await;
    let mut follower = followed(&at_b, &ids[0], None).await;
    let mut seen = vec![first(&mut follower).await];
    until(&at_b, "the key is full on the other server, too", async |at_b| {
        at_b.post("/api/llm/prompt", &json!({ "prompt": "one too many" })).await.unwrap().status == 429
    })
    .await;

    let lost = id_of(&admin_a).await;
    until(&admin, "SQL has all of it", async |admin| {
        open_requests(admin, &lost).await == OPEN_REQUESTS as u64
    })
    .await;
    server_a.kill_9().unwrap();
    let killed = Instant::now();
    fs::remove_dir_all(home_a.data_dir()).unwrap();
    let told = read_on(&mut follower, &mut seen).await;
    println!("its reader was told after {:?}", killed.elapsed());
    assert!(killed.elapsed() < SEEN_WITHIN);
    let error = &told.as_ref().expect("an event that says so").data["error"];
    assert_eq!((&error["type"], &error["server"]["server_id"]), (&json!("server-absent"), &json!(lost)));
    until(&admin, "health", async |admin| health(admin).await["status"] == "degraded").await;
    assert!(killed.elapsed() < SEEN_WITHIN);
    let absent = health(&admin).await["services"]["servers"]["absent"][0].clone();
    assert_eq!((&absent["server_id"], &absent["state"]), (&json!(lost), &json!("gone")), "{absent}");
    assert_eq!(absent["open_requests"], OPEN_REQUESTS);
    assert!(health(&server_b.client()).await["services"]["servers"]["absent"][0].get("address").is_none());
    assert!(metrics(&admin).await.contains("llm_servers{state=\"gone\"} 1"));
    let warned = |line: &Value| line["level"] == "WARN" && line["server"] == lost.as_str();
    assert_eq!(server_b.log().unwrap().iter().filter(|line| warned(line)).count(), 1);
    let refused = at_b.post(&format!("/api/llm/requests/{}/cancel", ids[0]), &Value::Null).await.unwrap();
    assert!(refused.status == 409 && refused.body["detail"].as_str().unwrap().contains("is gone"));

    let this = id_of(&admin).await;
    for (bad, status) in [("x", 400), ("0123456789abcdef0123456789abcdef", 404), (this.as_str(), 409)] {
        assert_eq!(retire(&admin, bad).await.0, status, "{bad}");
    }
    assert_eq!(
        at_b.post(&format!("/api/admin/servers/{lost}/retire"), &Value::Null).await.unwrap().status,
        403,
        "a key of a user must not"
    );
    let mut follower = at_b.follow(&ids[0], seen.last().map(|event| event.seq)).await.unwrap();
    let (status, retired) = retire(&admin, &lost).await;
    assert_eq!((status, &retired["closed_requests"]), (200, &json!(OPEN_REQUESTS)), "{retired}");
    // It may have been told once more that the server is gone, before it was retired.
    while read_on(&mut follower, &mut seen).await.is_some() {
        follower = at_b.follow(&ids[0], seen.last().map(|event| event.seq)).await.unwrap();
    }
    let whole = at_b.read_to_end(&ids[0], None).await.unwrap();
    assert_eq!(seen, whole);
    for id in &ids {
        let document = at_b.wait_for_end(id).await.unwrap();
        assert_eq!(document["status"], "interrupted", "{document}");
    }
    for id in &ids {
        let accepted = at_b.submit("after it", &["demo:brisk"]).await;
        assert!(accepted.is_ok(), "the places of {id} are free: {accepted:?}");
    }
    assert_eq!(
        retire(&admin, &lost).await,
        (200, json!({ "server_id": lost, "closed_requests": 0, "open_requests": 0 }))
    );
    until(&admin, "health", async |admin| health(admin).await["status"] == "healthy").await;
    assert!(metrics(&admin).await.contains("llm_servers{state=\"retired\"} 1"));
    let checked = home_b.run(&["check", "--full"]).unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

/// A server that hangs is retired, and goes on afterwards as if nothing had been.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "a test's move need not outlive a loss of power")]
async fn a_retired_server_that_comes_back_changes_nothing() {
    let cluster = Postgres::start().await;
    let url = cluster.url();
    let (mut home_a, mut home_b) = (home(&url), home(&url));
    let (mut server_a, admin_a) = start(&mut home_a);
    let (_server_b, admin) = start(&mut home_b);
    let id = admin_a.submit(LONG_PROMPT, &["demo:brisk"]).await.unwrap();
    drop(followed(&admin, &id, None).await);
    let lost = id_of(&admin_a).await;
    assert_eq!(retire(&admin, &lost).await.0, 409, "it runs");
    let refused = home_b.run(&["servers", "retire", &lost]).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    server_a.freeze().unwrap();
    let listed = |state: &'static str| {
        let lost = lost.clone();
        async move |admin: &Client| {
            let servers = admin.get("/api/admin/servers").await.unwrap().body["servers"].clone();
            let is_it = |server: &&Value| server["server_id"] == lost.as_str();
            servers
                .as_array()
                .is_some_and(|all| all.iter().find(is_it).is_some_and(|server| server["state"] == state))
        }
    };
    until(&admin, "it is gone", listed("gone")).await;
    // By the command line, which knows no server that would do it.
    let retired = home_b.run(&["servers", "retire", &lost]).unwrap();
    assert!(retired.status.success(), "{retired:?}");
    let whole = admin.read_to_end(&id, None).await.unwrap();
    server_a.thaw().unwrap();
    until(&admin_a, "it hears that it is retired", async |a| {
        // What was connected before it hung may be closed.
        let Ok(answer) = a.http().get(a.url("/readyz")).send().await else { return false };
        answer.status() == 503 && answer.text().await.unwrap().contains("retired")
    })
    .await;
    assert_eq!(health(&admin_a).await["database"]["state"], "retired");
    assert_eq!(admin_a.post("/api/llm/prompt", &json!({ "prompt": "hi" })).await.unwrap().status, 503);
    server_a.terminate().unwrap();
    assert!(server_a.wait(SEEN_WITHIN).unwrap().success());
    assert_eq!(admin.read_to_end(&id, None).await.unwrap(), whole);
    let refused = home_a.start().unwrap_err().to_string();
    assert!(refused.contains("this server was retired"), "{refused}");
    // With a log of its own it is a new server.
    fs::rename(home_a.data_dir().join("tokens.wal"), home_a.data_dir().join("retired.wal")).unwrap();
    let (_server_a, admin_a) = start(&mut home_a);
    let again = admin_a.submit("again", &["demo:brisk"]).await.unwrap();
    assert_eq!(admin_a.wait_for_end(&again).await.unwrap()["status"], "completed");
    assert_eq!(admin_a.read_to_end(&id, None).await.unwrap(), whole);
}

/// Neither the one that is lost nor the one that was to close its requests: the next one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retirement_is_finished_by_whoever_comes() {
    let cluster = Postgres::start().await;
    let url = cluster.url();
    let (mut home_a, mut home_b) = (home(&url), home(&url));
    let (server_a, admin_a) = start(&mut home_a);
    let id = admin_a.submit(LONG_PROMPT, &["demo:brisk"]).await.unwrap();
    let lost = id_of(&admin_a).await;
    until(&admin_a, "it is in SQL", async |a| open_requests(a, &lost).await == 1).await;
    server_a.kill_9().unwrap();
    let no_server = home_b.run(&["servers", "retire", &lost]).unwrap();
    assert!(no_server.status.success(), "{no_server:?}");
    let told = String::from_utf8(no_server.stdout).unwrap();
    assert!(told.contains("no server runs"), "{told}");
    let (_server_b, admin) = start(&mut home_b);
    assert_eq!(admin.wait_for_end(&id).await.unwrap()["status"], "interrupted");
    until(&admin, "its end is in SQL", async |admin| open_requests(admin, &lost).await == 0).await;
    let listed = home_b.run(&["servers", "list", "--json"]).unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let servers = listed.as_array().unwrap();
    let of = |id: &str| servers.iter().find(|server| server["server_id"] == id).unwrap();
    assert_eq!((&of(&lost)["state"], &of(&lost)["open_requests"]), (&json!("retired"), &json!(0)));
    assert_eq!(of(&lost)["retired_by"], id_of(&admin).await);
}

async fn cancel_elsewhere_says_where(owner: &Client, other: &Client, address: &str) {
    for _ in 0..10 {
        let id = owner.submit(LONG_PROMPT, &["demo:brisk"]).await.unwrap();
        let refused = other.post(&format!("/api/llm/requests/{id}/cancel"), &Value::Null).await.unwrap();
        assert_eq!(refused.status, 409, "{}", refused.body);
        assert!(refused.body["detail"].as_str().unwrap().contains(address), "{}", refused.body);
        assert_eq!(
            owner.post(&format!("/api/llm/requests/{id}/cancel"), &Value::Null).await.unwrap().status,
            200
        );
    }
}

async fn first(stream: &mut EventStream) -> SeenEvent {
    match stream.next().await.unwrap() {
        Next::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

/// Takes in the events of a request until the stream ends. Gives the event that says why, where it ends before the request.
async fn read_on(stream: &mut EventStream, seen: &mut Vec<SeenEvent>) -> Option<SeenEvent> {
    loop {
        match stream.next().await.unwrap() {
            Next::Event(event) if event.name == "error" => {
                assert!(matches!(stream.next().await.unwrap(), Next::Ended), "then an end");
                return Some(event);
            }
            Next::Event(event) => {
                assert_eq!(event.seq, seen.len() as u64);
                seen.push(event);
            }
            Next::Ended => return None,
            Next::Broken => panic!("broken after {} events", seen.len()),
        }
    }
}

pub(super) async fn until(client: &Client, what: &str, is_so: impl AsyncFn(&Client) -> bool) {
    let started = Instant::now();
    while !is_so(client).await {
        assert!(started.elapsed() < 2 * SEEN_WITHIN, "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(super) async fn health(client: &Client) -> Value {
    client.get("/api/health").await.unwrap().body
}

pub(super) async fn id_of(client: &Client) -> String {
    health(client).await["services"]["servers"]["this_server_id"].as_str().unwrap().to_owned()
}

async fn open_requests(admin: &Client, id: &str) -> u64 {
    let servers = admin.get("/api/admin/servers").await.unwrap().body["servers"].clone();
    let server = servers.as_array().and_then(|all| all.iter().find(|server| server["server_id"] == id));
    server.map_or(u64::MAX, |server| server["open_requests"].as_u64().unwrap())
}

async fn retire(admin: &Client, id: &str) -> (u16, Value) {
    let answer = admin.post(&format!("/api/admin/servers/{id}/retire"), &Value::Null).await.unwrap();
    (answer.status, answer.body)
}

async fn metrics(admin: &Client) -> String {
    admin.http().get(admin.url("/metrics")).send().await.unwrap().text().await.unwrap()
}
