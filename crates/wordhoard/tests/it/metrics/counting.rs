use wordhoard_testkit::client::Next;
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::ServerHome;

use super::page::{figures, json_figures};
use crate::{EXE, ONE_CALL};

#[tokio::test]
async fn figures_are_what_happened_and_the_same_in_both_formats() {
    let home = ServerHome::new(EXE, ONE_CALL).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let whole = client.submit("[demo tokens=20 rate=0]", &["demo:terse"]).await.unwrap();
    let failed = client.submit("[flaky error-500]", &["demo:flaky"]).await.unwrap();
    for id in [&whole, &failed] {
        client.wait_for_end(id).await.unwrap();
    }
    let running = client.submit("[demo tokens=100000 rate=50]", &["demo:bard"]).await.unwrap();
    let mut stream = client.follow(&running, None).await.unwrap();
    assert!(matches!(stream.next().await.unwrap(), Next::Event(_)));
    while client.get("/api/health").await.unwrap().body["last_db_write"].is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let seen = figures(&client).await;
    for (figure, value) in [
        (r#"llm_attempts_total{model="terse",outcome="completed",provider="demo"}"#, 1.0),
        (r#"llm_attempts_total{model="terse",outcome="failed",provider="demo"}"#, 0.0),
        (r#"llm_attempts_total{model="flaky",outcome="failed",provider="demo"}"#, 1.0),
        (r#"llm_attempt_failures_total{class="provider_error",provider="demo"}"#, 1.0),
        (r#"llm_tokens_total{model="terse",provider="demo"}"#, 20.0),
        (r#"llm_time_to_first_token_seconds_count{model="terse",provider="demo"}"#, 1.0),
        (r#"llm_time_between_tokens_seconds_count{model="terse",provider="demo"}"#, 19.0),
        (r#"llm_attempt_duration_seconds_bucket{le="+Inf",model="terse",provider="demo"}"#, 1.0),
        (r#"llm_prompts_total{result="accepted"}"#, 3.0),
        (r#"llm_requests_total{outcome="completed"}"#, 1.0),
        (r#"llm_requests_total{outcome="failed"}"#, 1.0),
        (r#"llm_attempts_in_flight{provider="demo"}"#, 1.0),
        (r#"llm_provider_breaker_state{provider="demo",state="closed"}"#, 1.0),
        (r#"wordhoard_http_responses_total{class="2xx",method="POST",route="/api/llm/prompt"}"#, 3.0),
        (r#"wordhoard_storage_state{state="open"}"#, 1.0),
        ("llm_requests_in_flight", 1.0),
        ("llm_open_streams", 1.0),
        ("wordhoard_database_up", 1.0),
        ("wordhoard_ready", 1.0),
        ("wordhoard_conflicts_total", 0.0),
    ] {
        assert_eq!(seen.get(figure), Some(&value), "{figure} in {seen:#?}");
    }
    let output = seen[r#"llm_usage_tokens_total{model="terse",provider="demo",type="output"}"#];
    assert!(output >= 1.0, "{output}");
    for figure in [
        "llm_wal_size_bytes",
        "wordhoard_wal_commit_duration_seconds_count",
        "wordhoard_apply_duration_seconds_count",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        assert!(seen[figure] > 0.0, "{figure}");
    }
    drop(stream);
    client.post(&format!("/api/llm/requests/{running}/cancel"), &serde_json::json!({})).await.unwrap();
    client.wait_for_end(&running).await.unwrap();
    both_formats_agree(&client).await;
    let seen = figures(&client).await;
    assert_eq!(seen["llm_requests_in_flight"], 0.0);
    assert_eq!(seen[r#"llm_attempts_total{model="bard",outcome="cancelled",provider="demo"}"#], 1.0);
    assert_eq!(seen[r#"llm_requests_total{outcome="cancelled"}"#], 1.0);
}

async fn both_formats_agree(client: &wordhoard_testkit::client::Client) {
    let settled = |name: &str| {
        name.starts_with("llm_")
            && !name.starts_with("llm_buffer_len")
            && !name.starts_with("llm_open_streams")
    };
    let only = |figures: super::page::Figures| {
        figures.into_iter().filter(|(name, _)| settled(name)).collect::<Vec<_>>()
    };
    let (text, json) = (only(figures(client).await), only(json_figures(client).await));
    assert!(text.len() > 100, "{text:?}");
    assert_eq!(text, json);
}

#[tokio::test]
async fn names_that_callers_invent_share_one_label() {
    let mock = MisbehavingProvider::start().unwrap();
    let config = format!(
        "[[providers]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = {:?}\nallow_private = true\n\
         [aliases]\nlisted = \"mock:ok\"",
        mock.base_url()
    );
    let home = ServerHome::new(EXE, &config).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let invented: Vec<_> = (0..4).map(|n| format!("mock:invented-{n}")).collect();
    let mut models = vec!["listed"];
    models.extend(invented.iter().map(String::as_str));
    let id = client.submit("hello", &models).await.unwrap();
    client.wait_for_end(&id).await.unwrap();
    let seen = figures(&client).await;
    let invented = |key: &&String| key.contains("invented");
    assert_eq!(seen.keys().find(invented), None);
    let count = |model: &str| -> f64 {
        let of =
            |key: &str| key.starts_with("llm_attempts_total") && key.contains(&format!("model={model:?}"));
        seen.iter().filter(|(key, _)| of(key)).map(|(_, value)| value).sum()
    };
    assert_eq!((count("ok"), count("other")), (1.0, 4.0));
}
