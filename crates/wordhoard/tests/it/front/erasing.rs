//! Responses that their client has erased.

use serde_json::{Value, json};
use wordhoard_testkit::client::Client;
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::ServerHome;

use crate::administration::start;
use crate::database::Database;
use crate::raw_http::{Raw, send};
use crate::{EXE, ONE_CALL};

const CANARY: &str = "canary-of-a-secret";

async fn create(client: &Client, fields: Value) -> Raw {
    let mut body = json!({"model": "mock:ok-20", "input": CANARY});
    fields.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
    let request = client.http().post(client.url("/v1/responses")).header("content-type", "application/json");
    send(request.header("idempotency-key", "mine").body(body.to_string())).await
}

async fn delete(client: &Client, id: &str) -> Raw {
    send(client.http().delete(client.url(&format!("/v1/responses/{id}")))).await
}

async fn used(admin: &Client, key_id: &str) -> Value {
    let keys = admin.get("/api/admin/keys").await.unwrap().body["keys"].clone();
    let key = keys.as_array().unwrap().iter().find(|key| key["key_id"] == key_id).unwrap();
    key["usage"]["cost_of_day_usd"].clone()
}

/// All that SQL has of what was said, in one text.
async fn said(database: &Database, home: &ServerHome) -> String {
    const SAID: &str = "SELECT prompt || parameters FROM llm_requests UNION ALL SELECT text FROM llm_token_log
        UNION ALL SELECT coalesce(EVENTS(events), '') FROM llm_token_runs UNION ALL SELECT coalesce(EVENTS(rest_events), '')
        || coalesce(rest_document, '') || coalesce(failure_message, '') FROM llm_attempts";
    match database {
        Database::Sqlite => {
            let connection = rusqlite::Connection::open(home.data_dir().join("wordhoard.db")).unwrap();
            let mut statement = connection.prepare(&SAID.replace("EVENTS(", "hex(")).unwrap();
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            rows.collect::<Result<Vec<_>, _>>().unwrap().concat()
        }
        Database::Postgres(cluster) => {
            let said = SAID.replace("EVENTS(events)", "encode(events, 'escape')");
            cluster.psql(&["-c", &said.replace("EVENTS(rest_events)", "encode(rest_events, 'escape')")]).await
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_erased_in_sqlite_is_gone_for_good_and_still_counts() {
    is_gone_for_good(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_erased_in_postgresql_is_gone_for_good_and_still_counts() {
    is_gone_for_good(Database::postgres().await).await;
}

async fn is_gone_for_good(database: Database) {
    let mock = MisbehavingProvider::start().unwrap();
    let price = "price = { input = 0.0, output = 1000.0 }";
    let config = format!(
        "require_keys = true\n{}\n[[providers]]\nname = \"mock\"\ndialect = \"openai_responses\"\n\
         base_url = {:?}\nallow_private = true\nmodels = [{{ name = \"ok-20\", {price} }}, {{ name = \"slow-tokens-200-50\", {price} }}]\n{ONE_CALL}",
        database.config(),
        mock.base_url()
    );
    let mut home = ServerHome::new(EXE, &config).unwrap();
    let (server, admin) = start(&mut home);
    let key = async || -> (String, String) {
        let body = json!({"scope": "use", "limits": {"budget_per_day_usd": 5.0}});
        let made = admin.post("/api/admin/keys", &body).await.unwrap().body;
        (made["key"].as_str().unwrap().to_owned(), made["key_id"].as_str().unwrap().to_owned())
    };
    let ((mine, mine_id), (others, _)) = (key().await, key().await);
    let (client, other) = (admin.with_key(&mine).unwrap(), admin.with_key(&others).unwrap());

    let made = create(&client, json!({})).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let request_id = made.header("x-wordhoard-request-id").unwrap().to_owned();
    let native = format!("/api/llm/requests/{request_id}");
    client.wait_for_end(&request_id).await.unwrap();
    assert_eq!(delete(&other, &id).await.status, 404, "it is another key's");
    assert_eq!(delete(&client, "resp_none").await.status, 404);
    let gone = delete(&client, &id).await;
    assert_eq!((gone.status, gone.json()), (200, json!({"id": id, "object": "response", "deleted": true})));

    let running = create(&client, json!({"model": "mock:slow-tokens-200-50", "background": true})).await;
    let running = running.json()["id"].as_str().map(str::to_owned);
    let running = running.expect("the key against doubles is free again");
    assert_eq!(delete(&client, &running).await.status, 409, "it runs");
    client.post(&format!("/v1/responses/{running}/cancel"), &json!({})).await.unwrap();
    assert_eq!(delete(&client, &running).await.status, 200);
    let spent = used(&admin, &mine_id).await;
    assert_eq!(spent, 0.02);

    let is_gone = async |client: &Client, admin: &Client| {
        let read = send(client.http().get(client.url(&format!("/v1/responses/{id}")))).await;
        assert_eq!((read.status, delete(client, &id).await.status), (404, 404), "{}", read.body);
        for path in [&native, &format!("{native}/stream"), &format!("/api/admin/requests/{request_id}")] {
            let read = admin.get(path).await.unwrap();
            assert_eq!(read.status, 404, "{path}: {}", read.body);
        }
        let follows = create(client, json!({"previous_response_id": id})).await;
        assert_eq!(follows.status, 400, "{}", follows.body);
        let listed = admin.get("/api/llm/requests?limit=100").await.unwrap().body.to_string();
        assert!(!listed.contains(&request_id), "{listed}");
        assert_eq!(used(admin, &mine_id).await, spent);
    };
    is_gone(&client, &admin).await;
    let left = said(&database, &home).await;
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02X}")).collect();
    assert!(!left.contains(CANARY) && !left.contains("canary#0") && !left.contains(&hex), "{left}");

    server.kill_9().unwrap();
    let sql = format!(
        "DELETE FROM llm_token_log WHERE request_id = {} AND token_index = 3",
        database.id(&request_id)
    );
    let (server, admin) = start(&mut home);
    let client = admin.with_key(&mine).unwrap();
    is_gone(&client, &admin).await;
    let check = home.run(&["check", "--full"]).unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    // What a repair could bring back is in the log, and stays there.
    server.kill_9().unwrap();
    database.execute(&home, &sql).await;
    let repaired = home.run(&["check", "--full", "--repair"]).unwrap();
    assert!(!repaired.status.success(), "the token is missing for good");
    let (_server, admin) = start(&mut home);
    let client = admin.with_key(&mine).unwrap();
    is_gone(&client, &admin).await;
    let left = said(&database, &home).await;
    assert!(!left.contains(CANARY) && !left.contains("canary#0"), "{left}");
}
