use wordhoard_testkit::server::ServerHome;

use super::health_once;
use crate::EXE;
use crate::raw_http::get;

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn what_is_wrong_is_told_in_words_to_administrators_only() {
    let config = "database_url = \"postgres://someone@localhost:9/secret_name\"";
    let mut home = ServerHome::new(EXE, config).unwrap();
    home.set_environment("WORDHOARD_ADMIN_KEY", KEY);
    let server = home.start().unwrap();
    let client = server.client();
    health_once(&client, |health| health["database"]["state"] == "away").await;
    for header in [None, Some("Bearer wrong"), Some("Basic MDEyMw=="), Some("Bearer ")] {
        let headers: Vec<_> = header.iter().map(|value| ("authorization", *value)).collect();
        let answer = get(&client, "/api/health", &headers).await;
        assert_eq!(answer.status, 200, "no key is needed: {header:?}");
        assert!(answer.json()["database"].get("problem").is_none(), "{}", answer.body);
        for word in ["localhost", "127.0.0.1", "secret_name", "someone", home.data_dir().to_str().unwrap()] {
            assert!(!answer.body.contains(word), "{word}: {}", answer.body);
        }
    }
    let bearer = format!("Bearer {KEY}");
    let told = get(&client, "/api/health", &[("authorization", &bearer)]).await.json();
    let problem = told["database"]["problem"].as_str().unwrap();
    assert!(problem.to_lowercase().contains("connect"), "{problem}");
}
