use serde_json::json;
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::ServerHome;

use super::{post, start};
use crate::EXE;

#[tokio::test]
async fn a_disabled_provider_is_passed_over_survives_a_restart_and_comes_back() {
    let mock = MisbehavingProvider::start().unwrap();
    let config = format!(
        "[[providers]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = {:?}\nallow_private = true\nmodels = [{{ name = \"ok\" }}]\n\
         [selection]\ndefault = [\"mock:ok\", \"demo:terse\"]\n",
        mock.base_url()
    );
    let mut home = ServerHome::new(EXE, &config).unwrap();
    let (server, admin) = start(&mut home);
    let selected = async || {
        admin.post("/api/llm/validate", &json!({ "prompt": "hello" })).await.unwrap().body["models_selected"]
            .clone()
    };
    assert_eq!(selected().await, json!(["mock:ok", "demo:terse"]));
    let disabled = json!({
        "name": "mock", "state": "disabled", "enabled": false, "consecutive_failures": 0, "open_for_ms": null,
        "running": 0, "waiting": 0, "concurrency": 64, "drop_in_concurrency": 64,
        "refused_keys": 0, "keys_without_credit": 0, "models": {},
    });
    assert_eq!(post(&admin, "/api/admin/providers/mock/disable").await, (200, disabled.clone()));
    assert_eq!(
        post(&admin, "/api/admin/providers/mock/disable").await,
        (200, disabled.clone()),
        "again is the same"
    );
    assert_eq!(selected().await, json!(["demo:terse"]));
    let id = admin.submit("only you", &["mock:ok"]).await.unwrap();
    let ended = admin.wait_for_end(&id).await.unwrap();
    assert_eq!(ended["status"], "failed");
    assert_eq!(ended["lanes"][0]["attempts"][0]["error"]["message"], "the provider is disabled");
    assert!(mock.calls().is_empty(), "it was called");

    server.kill_9().unwrap();
    let server = home.start().unwrap();
    let admin = server.client().with_key(super::KEY).unwrap();
    let listed = admin.get("/api/admin/providers").await.unwrap().body;
    assert_eq!(listed["providers"][1], disabled, "{listed}");
    let (status, probe) = post(&admin, "/api/admin/providers/mock/probe").await;
    assert_eq!((status, &probe["ok"], &probe["model"]), (200, &json!(true), &json!("ok")), "{probe}");
    assert_eq!(mock.calls().len(), 1);
    let (status, enabled) = post(&admin, "/api/admin/providers/mock/reset").await;
    assert_eq!((status, &enabled["state"]), (200, &json!("closed")));
    let id = admin.submit("you again", &["mock:ok"]).await.unwrap();
    assert_eq!(admin.wait_for_end(&id).await.unwrap()["status"], "completed");
}

#[tokio::test]
async fn a_probe_tells_what_is_wrong_within_its_time_and_records_nothing() {
    let mock = MisbehavingProvider::start().unwrap();
    let config = format!(
        "[[providers]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = {:?}\nallow_private = true\n",
        mock.base_url()
    );
    let mut home = ServerHome::new(EXE, &config).unwrap();
    let (_server, admin) = start(&mut home);
    let (status, body) = post(&admin, "/api/admin/providers/mock/probe").await;
    assert_eq!((status, &body["field"]), (400, &json!("model")), "the configuration names no model: {body}");
    let started = std::time::Instant::now();
    let (status, silent) = post(&admin, "/api/admin/providers/mock/probe?model=never-answers").await;
    assert_eq!((status, &silent["ok"]), (200, &json!(false)), "{silent}");
    assert!(silent["error"].as_str().unwrap().contains("5s"), "{silent}");
    assert!(started.elapsed().as_secs_f64() < 7.0, "{:?}", started.elapsed());
    for action in ["enable", "disable", "reset", "probe"] {
        for name in ["nobody", "NOBODY", "%00", "..%2fkeys"] {
            let (status, body) = post(&admin, &format!("/api/admin/providers/{name}/{action}")).await;
            assert_eq!(
                (status, &body["type"]),
                (404, &json!("urn:wordhoard:problem:no-such-provider")),
                "{name}"
            );
        }
    }
    assert_eq!(admin.get("/api/admin/requests").await.unwrap().body["requests"], json!([]));
}
