use serde_json::json;

use super::scene::Scene;

#[tokio::test]
async fn the_model_that_really_answered_is_named_and_paid_and_failures_are_kept_apart() {
    let primary = "{ name = \"seq:cut-after-40\", price = { input = 100.0, output = 100.0 } }";
    let backup = "{ name = \"ok-60\", price = { input = 2.5, output = 10.0 } }";
    let scene = Scene::new(primary, backup, "ok-60");
    let told = scene.ask("primary:seq:cut-after-40").await;
    told.assert_complete();
    let answered = told.attempt(1);
    assert_eq!((&answered["model"], &answered["answered_by"]), (&"backup:ok-60".into(), &"ok-60".into()));
    // Six words in, 60 tokens out: 6 × 2.5 + 60 × 10 micro-dollars.
    assert_eq!(answered["usage"]["output_tokens"], 60);
    let input = answered["usage"]["input_tokens"].as_f64().unwrap();
    let cost = (input * 2.5 + 600.0) / 1e6;
    assert!((answered["cost"]["usd"].as_f64().unwrap() - cost).abs() < 1e-9, "{answered:#}");
    assert_eq!(told.whole["usage"]["output_tokens"], 60, "of the attempt that completed alone");
    // What the first one told is 40 tokens, of a prompt of some; that it is a guess is said.
    let cut = told.attempt(0);
    assert_eq!((&cut["usage"]["output_tokens"], &cut["usage"]["is_estimate"]), (&40.into(), &true.into()));
    let cut_cost = (cut["usage"]["input_tokens"].as_f64().unwrap() + 40.0) * 100.0 / 1e6;
    assert!((cut["cost"]["usd"].as_f64().unwrap() - cut_cost).abs() < 1e-9, "{cut:#}");
    assert_eq!(told.whole["failed_usage"]["output_tokens"], 40);
    assert!((told.whole["cost"]["usd"].as_f64().unwrap() - cost - cut_cost).abs() < 1e-9);
    let end = told.events.last().unwrap();
    assert_eq!((end.name.as_str(), &end.data["cost"]), ("request.finished", &told.whole["cost"]));
    let metrics = scene.client().get("/api/metrics").await.unwrap().body;
    assert_ne!(metrics, json!(null));
}
