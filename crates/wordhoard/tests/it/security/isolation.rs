//! Keys see their own requests, and those of their group, and nobody else's.

use reqwest::Method;
use serde_json::{Value, json};
use wordhoard_testkit::client::Client;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use super::make_key;
use crate::EXE;
use crate::raw_http::{Raw, send};

/// The id of no request.
const NOBODYS: &str = "0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11";

/// A server that wants keys, and a client with each of four.
struct Callers {
    _server: ServerProcess,
    owner: Client,
    of_the_group: Client,
    stranger: Client,
    admin: Client,
}

impl Callers {
    fn start(home: &ServerHome) -> Self {
        let in_group = || {
            let made = home.run(&["keys", "create", "--scope", "use", "--group", "evals"]).unwrap();
            assert!(made.status.success(), "{made:?}");
            String::from_utf8(made.stdout).unwrap().trim().to_owned()
        };
        let keys = [in_group(), in_group(), make_key(home, "use"), make_key(home, "admin")];
        let server = home.start().unwrap();
        let [owner, of_the_group, stranger, admin] = keys.map(|key| server.client().with_key(&key).unwrap());
        Self { _server: server, owner, of_the_group, stranger, admin }
    }
}

async fn call(client: &Client, method: &str, path: &str) -> Raw {
    let method: Method = method.to_uppercase().parse().unwrap();
    let request = client.http().request(method, client.url(path)).header("content-type", "application/json");
    send(request.body("{}")).await
}

/// A response that has ended, as the id of its request.
async fn respond(client: &Client) -> String {
    let body = json!({ "model": "demo:terse", "input": "mine [demo tokens=3 rate=0]" });
    let made = client.post("/v1/responses", &body).await.unwrap();
    assert_eq!(made.status, 200, "{}", made.body);
    made.body["id"].as_str().unwrap().strip_prefix("resp_").unwrap().to_owned()
}

/// Each operation of the document on one request, with the place of its id; what ends the request for good stands last.
fn operations_on_one(document: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let is_on_one = path.contains("{request_id}") || path.contains("{response_id}");
        if is_on_one && !path.starts_with("/api/admin/") {
            found.extend(methods.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())));
        }
    }
    found.sort_by_key(|(method, _)| method == "delete");
    found
}

fn filled(path: &str, id: &str) -> String {
    path.replace("{request_id}", id).replace("{response_id}", &format!("resp_{id}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_shows_a_key_what_another_has_asked() {
    let home = ServerHome::new(EXE, "require_keys = true").unwrap();
    let callers = Callers::start(&home);
    let document = callers.owner.get("/openapi.json").await.unwrap().body;
    let operations = operations_on_one(&document);
    println!("{operations:?}");
    assert!(operations.len() >= 7, "{operations:?}");
    for (method, path) in &operations {
        let id = respond(&callers.owner).await;
        let path = filled(path, &id);
        let unknown = path.replace(&id, NOBODYS);
        let refused = call(&callers.stranger, method, &path).await;
        let of_nobody = call(&callers.stranger, method, &unknown).await;
        assert_eq!((refused.status, of_nobody.status), (404, 404), "{method} {path}: {}", refused.body);
        let masked = |answer: &Raw| answer.body.replace(&id, NOBODYS);
        assert_eq!(
            masked(&refused),
            masked(&of_nobody),
            "{method} {path}: it does not tell that it is there"
        );
        let answer = call(&callers.of_the_group, method, &path).await;
        assert_ne!(answer.status, 404, "{method} {path} by the group: {}", answer.body);
    }
    let id = respond(&callers.owner).await;
    for (client, sees) in [
        (&callers.owner, true),
        (&callers.of_the_group, true),
        (&callers.admin, true),
        (&callers.stranger, false),
    ] {
        let listed = client.get("/api/llm/requests?limit=100").await.unwrap().body.to_string();
        assert_eq!(listed.contains(&id), sees, "{listed}");
        let follows =
            json!({ "model": "demo:terse", "input": "on", "previous_response_id": format!("resp_{id}") });
        let followed = client.post("/v1/responses", &follows).await.unwrap();
        assert_eq!(followed.status, if sees { 200 } else { 400 }, "{}", followed.body);
    }
}

/// An idempotency key belongs to the API key that it came with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_keys_may_use_the_same_idempotency_key() {
    let home = ServerHome::new(EXE, "require_keys = true").unwrap();
    let callers = Callers::start(&home);
    let submit = async |client: &Client, prompt: &str| {
        let request = client.http().post(client.url("/api/llm/prompt"));
        let request = request.header("content-type", "application/json").header("idempotency-key", "same");
        let body = json!({ "prompt": prompt, "models": ["demo:terse"] });
        let answer = send(request.body(body.to_string())).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.json()["request_id"].clone()
    };
    let first = submit(&callers.owner, "mine").await;
    assert_ne!(submit(&callers.stranger, "theirs").await, first);
    assert_ne!(submit(&callers.of_the_group, "of the group").await, first, "also within a group");
    assert_eq!(submit(&callers.owner, "mine").await, first);
}
