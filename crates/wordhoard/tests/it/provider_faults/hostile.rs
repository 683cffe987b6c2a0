use super::scene::Scene;

/// What is too large or senseless is bounded and told by its class, what is only odd is taken; the server lives on.
#[tokio::test]
async fn whatever_a_provider_sends_is_bounded_and_typed() {
    let scene = Scene::without_breaker();
    let before = scene.server.resident_bytes().unwrap();
    for (model, first) in [
        ("huge-event", "malformed"),
        ("endless-line", "malformed"),
        ("endless-comments", "total_timeout"),
        ("comment-flood", "total_timeout"),
        ("nul-token", "completed"),
        ("tiny-flood", "completed"),
    ] {
        let told = scene.ask(&format!("primary:{model}")).await;
        assert_eq!(told.attempts()[0], format!("primary:{model} {first}"), "{:?}", told.attempts());
        // Who has waited so long is not made to wait for another.
        let ended = if first == "total_timeout" { "failed" } else { "completed" };
        assert_eq!(told.whole["status"], ended, "{model}: the fallback answers");
        if model == "tiny-flood" {
            assert_eq!(told.attempt(0)["token_count"], 100_000);
        }
    }
    let grown = scene.server.peak_resident_bytes().unwrap().saturating_sub(before);
    assert!(grown < 256 << 20, "{} MiB more", grown >> 20);
    scene.ask("primary:ok-60").await.assert_complete();
}
