use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::ServerHome;

use super::scene::PROMPT;
use crate::EXE;
use crate::security::make_key;
use crate::seed::setting;

const CONCURRENCY: usize = 8;
const WAITING: usize = 24;
/// Each answer takes 20 tokens at 100 a second.
const ANSWER: Duration = Duration::from_millis(200);

/// Many more prompts than permits: whoever was accepted is served in order, whoever finds the queue full is told when
/// to come back, the provider is kept as busy as it may be and never busier, and memory stays where it is.
#[tokio::test]
async fn ten_times_more_prompts_than_permits_are_served_in_order_or_told_to_come_back() {
    let provider = MisbehavingProvider::start().unwrap();
    let home = ServerHome::new(
        EXE,
        &format!(
            "[[providers]]\nname = \"busy\"\ndialect = \"openai\"\nbase_url = {:?}\nallow_private = true\n\
             concurrency = {CONCURRENCY}\n[queue]\nwaiting = {WAITING}\n",
            provider.base_url()
        ),
    )
    .unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let (began, seconds) = (Instant::now(), setting("WORDHOARD_OVERLOAD_SECONDS").unwrap_or(8));
    // Ten times what can be served, each asking again as it is told, or at once with another prompt.
    let caller = async |caller: usize| {
        let (mut served, mut refused) = (Vec::new(), 0_u32);
        let body = json!({"prompt": format!("{PROMPT} {caller}"), "models": ["busy:rate-100"]});
        while began.elapsed() < Duration::from_secs(seconds) {
            let answer = client.post("/api/llm/prompt", &body).await.unwrap();
            if answer.status == 202 {
                let id = answer.body["request_id"].as_str().unwrap().to_owned();
                let whole = client.wait_for_end(&id).await.unwrap();
                assert_eq!(whole["status"], "completed", "{whole:#}");
                served.push((id, whole));
            } else {
                refused += 1;
                assert_eq!(answer.status, 503, "{:#}", answer.body);
                assert_eq!(answer.body["type"].as_str().unwrap().rsplit(':').next(), Some("overloaded"));
                let seconds: u64 = answer.retry_after.unwrap().parse().unwrap();
                assert!((1..=60).contains(&seconds));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        (served, refused)
    };
    let warm = async {
        tokio::time::sleep(Duration::from_secs(seconds / 2)).await;
        server.resident_bytes().unwrap()
    };
    let (told, warm) = tokio::join!(join_all((0..CONCURRENCY * 10).map(caller)), warm);
    let took = began.elapsed();
    let refused: u32 = told.iter().map(|(_, refused)| refused).sum();
    let mut served: Vec<_> = told.into_iter().flat_map(|(served, _)| served).collect();
    assert!(refused > 0);
    let best = took.as_secs_f64() / ANSWER.as_secs_f64() * CONCURRENCY as f64;
    let goodput = served.len() as f64 / best;
    println!("{} served, {refused} refused, {:.0} % of the best", served.len(), goodput * 100.0);
    assert!(provider.most_at_once() <= CONCURRENCY, "{}", provider.most_at_once());
    // It grows until what it keeps of the last requests is full, which takes some twenty seconds, and not after.
    let resident = server.resident_bytes().unwrap();
    println!("{} MiB half-way, {} MiB at the end", warm >> 20, resident >> 20);
    assert!(resident < 256 << 20);
    assert!(seconds < 40 || resident < warm + (32 << 20));
    assert!(goodput > 0.9, "{goodput}");
    // First come, first served: calls began in the order of acceptance, which ids tell to the millisecond, but for what
    // a scheduler with two threads may swap.
    served.sort_by(|one, other| one.0.cmp(&other.0));
    let mut latest_before = 0;
    for accepted_in_one_ms in served.chunk_by(|one, other| one.0[..13] == other.0[..13]) {
        let started = accepted_in_one_ms.iter().map(|(_, whole)| started_ms(whole));
        let (first, last) = (started.clone().min().unwrap(), started.max().unwrap());
        assert!(
            first > latest_before - 50,
            "{} began at {first}, another before it at {latest_before}",
            accepted_in_one_ms[0].0
        );
        latest_before = latest_before.max(last);
    }
}

fn started_ms(whole: &serde_json::Value) -> i64 {
    let at = whole["lanes"][0]["attempts"][0]["started_at"].as_str().unwrap();
    at.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Turns go to the API keys one after the other: the many calls of one key do not hold up the one of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_of_one_key_do_not_starve_another() {
    let mock = MisbehavingProvider::start().unwrap();
    let config = format!(
        "require_keys = true\n[[providers]]\nname = \"mock\"\ndialect = \"openai\"\nbase_url = {:?}\nallow_private = true\n\
         drop_in_concurrency = 4\n",
        mock.base_url()
    );
    let home = ServerHome::new(EXE, &config).unwrap();
    let (many, one) = (make_key(&home, "use"), make_key(&home, "use"));
    let server = home.start().unwrap();
    let ask = |key: &str, model: &str| {
        let client = server.client().with_key(key).unwrap();
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
        async move { client.post("/v1/chat/completions", &body).await.unwrap().status }
    };
    let crowd = join_all((0..50).map(|_| ask(&many, "mock:slow-tokens-20-50")));
    let other = async {
        while mock.calls().len() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Until all of the crowd stand in the queue.
        tokio::time::sleep(Duration::from_millis(300)).await;
        ask(&one, "mock:ok-20").await
    };
    let (crowd, other) = tokio::join!(crowd, other);
    assert!(crowd.iter().all(|status| *status == 200) && other == 200, "{crowd:?} {other}");
    let place = mock.calls().iter().position(|call| call.model == "ok-20");
    // The four that run end at about the same time, so those that follow them may pass each other on the way.
    assert!(place.is_some_and(|place| place < 8), "it was called as number {place:?}");
}
