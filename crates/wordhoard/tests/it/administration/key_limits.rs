//! What a key may use, and what it has used.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wordhoard_testkit::client::Client;
use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use super::start;
use crate::raw_http::{Raw, send};
use crate::{EXE, ONE_CALL};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
/// A thousand dollars for a million tokens of an answer: `ok-20` costs 0.02.
const PRICE: &str = "price = { input = 0.0, output = 1000.0 }";

struct Scene {
    _mock: MisbehavingProvider,
    home: ServerHome,
}

impl Scene {
    fn new(further: &str) -> Self {
        let mock = MisbehavingProvider::start().unwrap();
        let config = format!(
            "require_keys = true\n{further}\n[[providers]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = {:?}\nallow_private = true\n\
             models = [{{ name = \"ok-20\", {PRICE} }}, {{ name = \"ok-22\", price = {{ input = 1000.0, output = 0.0 }} }}, {{ name = \"rate-2\", {PRICE} }}, {{ name = \"ok-21\" }}, {{ name = \"status-503\" }}, {{ name = \"status-500\", {PRICE} }}]\n\
             [fallback]\nqueue = [\"mock:ok-21\"]\njitter = [\"0ms\", \"0ms\"]\n{ONE_CALL}",
            mock.base_url()
        );
        Self { _mock: mock, home: ServerHome::new(EXE, &config).unwrap() }
    }

    fn start(&mut self) -> (ServerProcess, Client) {
        start(&mut self.home)
    }
}

/// A new key with these limits: its client, its id, and the key.
async fn key(admin: &Client, limits: Value) -> (Client, String, String) {
    let made = admin.post("/api/admin/keys", &json!({ "scope": "use", "limits": limits })).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let (key, id) = (made.body["key"].as_str().unwrap(), made.body["key_id"].as_str().unwrap());
    (admin.with_key(key).unwrap(), id.to_owned(), key.to_owned())
}

async fn ask(client: &Client, path: &str, model: &str, max_tokens: u32) -> Raw {
    let body = json!({ "model": model, "max_tokens": max_tokens, "messages": [{ "role": "user", "content": "hi" }] });
    let request = client.http().post(client.url(path)).header("content-type", "application/json");
    send(request.body(body.to_string())).await
}

async fn usage(admin: &Client, id: &str) -> Value {
    let keys = admin.get("/api/admin/keys").await.unwrap().body["keys"].clone();
    let key = keys.as_array().unwrap().iter().find(|key| key["key_id"] == id).unwrap();
    key["usage"].clone()
}

#[tokio::test]
async fn limits_by_the_minute_are_kept_and_told_in_the_shape_of_each_api() {
    let mut scene = Scene::new("");
    let (_server, admin) = scene.start();
    let (client, id, _) = key(&admin, json!({ "requests_per_minute": 2, "tokens_per_minute": 1000 })).await;
    let first = ask(&client, CHAT, "mock:ok-20", 100).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(first.header("x-ratelimit-limit-requests"), Some("2"));
    assert_eq!(first.header("x-ratelimit-remaining-requests"), Some("1"));
    assert_eq!(first.header("x-ratelimit-reset-requests"), Some("60s"));
    // What may be used is reserved; what was used counts from its end on.
    let left: u64 = first.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap();
    assert!((890..=900).contains(&left), "{left}");
    let used = usage(&admin, &id).await;
    assert!((20..30).contains(&used["tokens_last_minute"].as_u64().unwrap()), "{used}");
    assert_eq!(
        ask(&client, MESSAGES, "mock:ok-20", 100).await.header("anthropic-ratelimit-requests-remaining"),
        Some("0")
    );

    let over = ask(&client, CHAT, "mock:ok-20", 100).await;
    assert_eq!(
        (over.status, over.json()["error"]["code"].as_str()),
        (429, Some("rate_limit_exceeded")),
        "{}",
        over.body
    );
    let wait: u64 = over.header("retry-after").unwrap().parse().unwrap();
    assert!((50..=60).contains(&wait), "{wait}");
    assert_eq!(over.header("x-ratelimit-remaining-requests"), Some("0"));
    let over = ask(&client, MESSAGES, "mock:ok-20", 100).await;
    assert_eq!((over.status, over.json()["error"]["type"].as_str()), (429, Some("rate_limit_error")));
    assert!(over.header("anthropic-ratelimit-requests-reset").unwrap().ends_with('Z'));
    let native =
        client.post("/api/llm/prompt", &json!({ "prompt": "hi", "models": ["mock:ok-20"] })).await.unwrap();
    assert_eq!((native.status, native.body["status"].as_u64()), (429, Some(429)), "{}", native.body);
    assert!(native.retry_after.is_some());

    let (client, _, _) = key(&admin, json!({ "tokens_per_minute": 150 })).await;
    let never = ask(&client, CHAT, "mock:ok-20", 200).await;
    assert_eq!((never.status, never.header("retry-after")), (400, None), "{}", never.body);
    assert_eq!(ask(&client, CHAT, "mock:ok-20", 100).await.status, 200);
    assert_eq!(
        ask(&client, CHAT, "mock:ok-20", 100).await.status,
        200,
        "the first one has used 20 of its 100"
    );
    assert_eq!(ask(&client, CHAT, "mock:ok-20", 140).await.status, 429);

    let (client, _, _) = key(&admin, json!({ "concurrent_requests": 1 })).await;
    let running = client.submit("hi", &["mock:rate-2"]).await.unwrap();
    assert_eq!(ask(&client, CHAT, "mock:ok-20", 100).await.status, 429);
    client.post(&format!("/api/llm/requests/{running}/cancel"), &json!({})).await.unwrap();
    assert_eq!(ask(&client, CHAT, "mock:ok-20", 100).await.status, 200);
}

/// A key asks the models that it is given, sees no others, and nobody else answers in their place.
#[tokio::test]
async fn a_key_asks_the_models_that_it_may_and_sees_no_others() {
    let mut scene = Scene::new("");
    let (_server, admin) = scene.start();
    let (client, id, _) = key(&admin, json!({ "models": ["mock:ok-20", "mock:status-503"] })).await;
    assert_eq!(ask(&client, CHAT, "mock:ok-20", 100).await.status, 200);
    for (path, told) in [(CHAT, "/error/code"), (MESSAGES, "/error/type")] {
        let refused = ask(&client, path, "mock:ok-21", 100).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
        let kind = refused.json().pointer(told).unwrap().as_str().unwrap().to_owned();
        assert!(["model_not_allowed", "permission_error"].contains(&kind.as_str()), "{kind}");
    }
    let prompt = json!({ "prompt": "hi", "models": ["mock:ok-20", "demo:brisk"] });
    assert_eq!(client.post("/api/llm/prompt", &prompt).await.unwrap().status, 403);
    let embeddings = json!({ "model": "mock:ok-21", "input": "hi" });
    assert_eq!(client.post("/v1/embeddings", &embeddings).await.unwrap().status, 403);
    let listed = client.get("/v1/models").await.unwrap().body;
    let names: Vec<_> = listed["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(names, ["mock:ok-20", "mock:status-503"]);
    // `mock:ok-21` is the fallback of this server.
    let failed = ask(&client, CHAT, "mock:status-503", 100).await;
    assert!((500..600).contains(&failed.status), "{}: {}", failed.status, failed.body);
    let path = format!("/api/admin/keys/{id}/limits");
    let put = |body: Value| {
        let request = admin.http().put(admin.url(&path)).header("content-type", "application/json");
        send(request.body(body.to_string()))
    };
    assert_eq!(put(json!({ "models": ["mock:*"] })).await.json()["limits"], json!({ "models": ["mock:*"] }));
    assert_eq!(ask(&client, CHAT, "mock:status-503", 100).await.status, 200, "now the fallback may answer");
    assert_eq!(put(json!({})).await.json()["limits"], Value::Null);
    assert_eq!(ask(&client, CHAT, "demo:terse", 100).await.status, 200);
    for (bad, field) in [
        (json!({ "models": [] }), "models"),
        (json!({ "models": ["gpt-4o"] }), "models"),
        (json!({ "requests_per_minute": 0 }), "requests_per_minute"),
        (json!({ "requests_per_minute": -1 }), "requests_per_minute"),
        (json!({ "tokens_per_minute": "many" }), "tokens_per_minute"),
        (json!({ "budget_per_day_usd": 0 }), "budget_per_day_usd"),
        (json!({ "budget_per_month_usd": 1e10 }), "budget_per_month_usd"),
        (json!({ "budget": 1 }), "budget"),
    ] {
        let refused = put(bad.clone()).await;
        assert_eq!(
            (refused.status, refused.json()["field"].as_str()),
            (422, Some(field)),
            "{bad}: {}",
            refused.body
        );
    }
}

/// What was spent is known to the nano-dollar, also behind `kill -9`, and what may be spent is reserved before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_is_never_overspent_and_is_exact_after_a_crash() {
    let mut scene = Scene::new("");
    let (server, admin) = scene.start();
    let (client, id, key) =
        key(&admin, json!({ "budget_per_day_usd": 0.13, "budget_per_month_usd": 5 })).await;
    for _ in 0..2 {
        let answered = ask(&client, CHAT, "mock:ok-20", 100).await;
        assert_eq!(answered.status, 200, "{}", answered.body);
    }
    let spent = |usage: &Value| (usage["cost_of_day_usd"].clone(), usage["cost_of_month_usd"].clone());
    assert_eq!(spent(&usage(&admin, &id).await), (json!(0.04), json!(0.04)));
    let over = ask(&client, CHAT, "mock:ok-20", 100).await;
    assert_eq!(
        (over.status, over.json()["error"]["code"].as_str()),
        (429, Some("insufficient_quota")),
        "{}",
        over.body
    );
    assert!(
        over.json()["error"]["message"].as_str().unwrap().contains("of which 0.09 are left"),
        "{}",
        over.body
    );
    assert!(over.header("retry-after").is_some());
    let never = ask(&client, CHAT, "mock:ok-20", 200).await;
    assert_eq!((never.status, never.json()["error"]["code"].as_str()), (400, Some("exceeds_limit_of_key")));
    // Nobody can tell what these would take.
    for model in ["mock:ok-21", "demo:brisk"] {
        assert_eq!(ask(&client, CHAT, model, 10).await.json()["error"]["code"], "model_without_price");
    }
    // Nor what the fallback of this server would.
    assert_eq!(ask(&client, CHAT, "mock:status-500", 10).await.status, 502);
    // Embeddings count by what the provider says they took.
    let embed = async |model: &str, input: Value| {
        client.post("/v1/embeddings", &json!({ "model": model, "input": input })).await.unwrap()
    };
    assert_eq!(embed("mock:ok-21", json!("hi")).await.body["error"]["code"], "model_without_price");
    let dear = json!("more than is left ".repeat(100));
    assert_eq!(embed("mock:ok-22", dear).await.status, 400, "larger than the whole budget");
    assert_eq!(embed("mock:ok-22", json!(["a", "b"])).await.status, 200);
    assert_eq!(spent(&usage(&admin, &id).await), (json!(0.042), json!(0.042)));

    // Ten dollars a second come in of one that runs; it is cut, and goes on behind the crash.
    let asked = json!({ "prompt": "hi", "models": ["mock:rate-2"], "max_tokens": 80 });
    assert_eq!(client.post("/api/llm/prompt", &asked).await.unwrap().status, 202);
    assert_eq!(usage(&admin, &id).await["cost_of_day_usd"], 0.122);
    assert_eq!(ask(&client, CHAT, "mock:ok-20", 20).await.json()["error"]["code"], "insufficient_quota");
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.kill_9().unwrap();

    let (server, admin) = scene.start();
    let client = server.client().with_key(&key).unwrap();
    let used = usage(&admin, &id).await;
    assert_eq!((&used["running_requests"], &used["cost_of_day_usd"]), (&json!(1), &json!(0.122)), "{used}");
    assert_eq!(ask(&client, CHAT, "mock:ok-20", 20).await.json()["error"]["code"], "insufficient_quota");
    let listed = client.get("/api/llm/requests?status=running").await.unwrap().body;
    let running = listed["requests"][0]["request_id"].as_str().unwrap();
    client.post(&format!("/api/llm/requests/{running}/cancel"), &json!({})).await.unwrap();
    // The provider never told what the answer took that was cut and cancelled.
    assert_eq!(usage(&admin, &id).await["cost_of_day_usd"], 0.042);
    assert_eq!(ask(&client, CHAT, "mock:ok-20", 50).await.status, 200);
    assert_eq!(usage(&admin, &id).await["cost_of_day_usd"], 0.062);
    let all = client.get("/api/llm/requests").await.unwrap().body;
    assert_eq!(all["requests"].as_array().map(Vec::len), Some(6), "what was refused was not recorded");
}

/// Two servers on one database count together, and a start without it waits for it where it matters.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_share_a_database_share_the_account_of_a_key() {
    let cluster = Postgres::start().await;
    let database = format!("database_url = {:?}", cluster.url());
    let (mut one, mut other) = (Scene::new(&database), Scene::new(&database));
    let (server, a) = one.start();
    let (_other_server, b) = other.start();
    let (client, id, key) =
        key(&a, json!({ "budget_per_month_usd": 0.05, "requests_per_minute": 100 })).await;
    for _ in 0..2 {
        assert_eq!(ask(&client, CHAT, "mock:ok-20", 20).await.status, 200);
    }
    let at_b = b.with_key(&key).unwrap();
    let waited = Instant::now();
    while usage(&b, &id).await["cost_of_month_usd"] != 0.04
        || at_b.get("/v1/models").await.unwrap().status != 200
    {
        assert!(waited.elapsed() < Duration::from_secs(20), "{}", usage(&b, &id).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("what one server spent was known to the other after {:?}", waited.elapsed());
    assert_eq!(ask(&at_b, CHAT, "mock:ok-20", 20).await.json()["error"]["code"], "insufficient_quota");
    assert_eq!(usage(&b, &id).await["requests_last_minute"], 2);

    server.kill_9().unwrap();
    cluster.freeze();
    let (server, _) = one.start();
    let client = server.client().with_key(&key).unwrap();
    let unknown = ask(&client, CHAT, "mock:ok-20", 5).await;
    assert_eq!(
        (unknown.status, unknown.json()["error"]["code"].as_str()),
        (503, Some("usage_unknown")),
        "{}",
        unknown.body
    );
    cluster.thaw();
    let waited = Instant::now();
    while ask(&client, CHAT, "mock:ok-20", 5).await.status != 200 {
        assert!(waited.elapsed() < Duration::from_secs(30), "it is not known with SQL back");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(ask(&client, CHAT, "mock:ok-20", 20).await.status, 429);
}

#[tokio::test]
async fn the_command_line_limits_keys_too() {
    let home = ServerHome::new(EXE, "").unwrap();
    let made = home
        .run(&["keys", "create", "--scope", "use", "--requests-per-minute", "5", "--model", "demo:*"])
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let list = || {
        let list = home.run(&["keys", "list", "--json"]).unwrap();
        serde_json::from_slice::<Value>(&list.stdout).unwrap()[0].clone()
    };
    assert_eq!(list()["limits"], json!({ "requests_per_minute": 5, "models": ["demo:*"] }));
    let id = list()["key_id"].as_str().unwrap().to_owned();
    let limited =
        home.run(&["keys", "limit", &id, "--budget-per-day", "0.5", "--concurrent-requests", "2"]).unwrap();
    assert_eq!(String::from_utf8(limited.stdout).unwrap(), format!("{id}: 2 at a time, 0.5 USD/day\n"));
    assert_eq!(list()["limits"], json!({ "concurrent_requests": 2, "budget_per_day_usd": 0.5 }));
    assert!(home.run(&["keys", "limit", &id, "--unlimited"]).unwrap().status.success());
    assert_eq!(list()["limits"], Value::Null);
    for (bad, code) in [
        (&["keys", "limit", &id][..], 1),
        (&["keys", "limit", &id, "--budget-per-day", "much"], 2),
        (&["keys", "limit", &id, "--budget-per-day", "-1"], 2),
        (&["keys", "limit", &id, "--requests-per-minute", "0"], 2),
        (&["keys", "limit", &id, "--model", "gpt-4o"], 2),
        (&["keys", "limit", "0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11", "--unlimited"], 1),
    ] {
        assert_eq!(home.run(bad).unwrap().status.code(), Some(code), "{bad:?}");
    }
}
