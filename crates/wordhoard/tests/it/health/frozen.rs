use std::time::{Duration, Instant};

use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::ServerHome;

use super::health_once;
use crate::EXE;
use crate::raw_http::get;

/// SPEC FD 6.
const PATIENCE: Duration = Duration::from_millis(100);
const CALLS: usize = 200;

#[tokio::test]
async fn health_and_figures_answer_at_once_while_postgresql_hangs() {
    let postgres = Postgres::start().await;
    let home = ServerHome::new(EXE, &format!("database_url = {:?}", postgres.url())).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    health_once(&client, |health| health["metrics"]["counted_at"].is_string()).await;
    postgres.freeze();
    let id = client.submit("[demo tokens=2000 rate=200]", &["demo:brisk"]).await.unwrap();
    let mut took = Vec::new();
    for _ in 0..CALLS {
        for path in ["/api/health", "/metrics", "/readyz"] {
            let asked = Instant::now();
            let answer = get(&client, path, &[]).await;
            took.push(asked.elapsed());
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let health = health_once(&client, |health| health["db_ok"] == false).await;
    assert_eq!(health["status"], "degraded");
    assert!(health["buffer_len"].as_u64() > Some(500), "{health}");
    assert_eq!(health["metrics"]["requests"]["total"], 0, "the figures of before stay: {health}");
    assert!(get(&client, "/metrics", &[]).await.body.contains("\nwordhoard_database_up 0\n"));
    took.sort_unstable();
    // One in a hundred may be the scheduler's, on a machine of two cores.
    let (most, longest) = (took[took.len() * 99 / 100], took[took.len() - 1]);
    println!("{} answers while SQL hangs: 99 of 100 within {most:?}, the longest {longest:?}", took.len());
    assert!(most <= PATIENCE, "{most:?}");
    postgres.thaw();
    client.wait_for_end(&id).await.unwrap();
    health_once(&client, |health| health["db_ok"] == true && health["buffer_len"] == 0).await;
}
