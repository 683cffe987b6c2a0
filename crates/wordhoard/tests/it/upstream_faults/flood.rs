use wordhoard_testkit::client::Next;
use wordhoard_testkit::provider::{MisbehavingProvider, expected_tokens};
use wordhoard_testkit::server::ServerHome;

use super::{provider_table, stored_tokens};
use crate::{EXE, ONE_CALL};

const COUNT: usize = 100_000;
/// Far above what a server needs that does not keep the flood in memory several times over.
const MEMORY_LIMIT_BYTES: u64 = 400 << 20;

#[tokio::test]
async fn a_flood_of_tiny_tokens_arrives_whole_and_in_order() {
    let mock = MisbehavingProvider::start().unwrap();
    let home = ServerHome::new(EXE, &(provider_table("mock", &mock.base_url()) + ONE_CALL)).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let expected = expected_tokens("tiny-flood", "flood").concat();
    let id = client.submit("flood", &["mock:tiny-flood"]).await.unwrap();
    // From the start while it runs, and then from the middle, when memory may not have it any more.
    for after in [None, Some(50_001_u64)] {
        let first = after.map_or(0, |after| after + 1);
        let mut stream = client.follow(&id, after).await.unwrap();
        let (mut text, mut seq, mut ended) = (String::new(), first, false);
        while let Next::Event(event) = stream.next().await.unwrap() {
            assert_eq!(event.seq, seq);
            seq += 1;
            if event.name == "token" {
                // Two events come before the first token.
                assert_eq!(event.data["token_index"], event.seq - 2);
                text.push_str(event.data["text"].as_str().unwrap());
            }
            ended = event.name == "request.finished" && event.data["status"] == "completed";
        }
        assert!(ended, "the stream stopped at {seq}");
        let skipped = first.saturating_sub(2) as usize;
        assert!(text == expected[skipped..], "{} of {} tokens", text.len(), COUNT - skipped);
    }
    assert!(server.resident_bytes().unwrap() < MEMORY_LIMIT_BYTES, "{:?}", server.resident_bytes());
    let whole = client.wait_for_end(&id).await.unwrap();
    assert!(whole["lanes"][0]["text"] == expected);
    for _ in 0..1_000 {
        if client.get("/api/health").await.unwrap().body["buffer_len"] == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let stored = stored_tokens(&home.data_dir(), &id);
    assert_eq!(stored.len(), COUNT);
    assert!(stored.into_iter().map(|(_, text)| text).collect::<String>() == expected);
}

/// Comments alone are no token, however many come; they end by the limit, and others go on beside them.
#[tokio::test]
async fn a_flood_of_comments_ends_by_the_limit_and_starves_nobody() {
    let mock = MisbehavingProvider::start().unwrap();
    let home = ServerHome::new(EXE, &(provider_table("mock", &mock.base_url()) + ONE_CALL)).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let floods = ["mock:comment-flood", "mock:comment-flood", "mock:comment-flood"];
    let flooded = client.submit("flood", &floods).await.unwrap();
    let calm = client.submit("[demo tokens=20 rate=50]", &["demo:brisk"]).await.unwrap();
    assert_eq!(client.wait_for_end(&calm).await.unwrap()["status"], "completed");
    let whole = client.wait_for_end(&flooded).await.unwrap();
    for lane in whole["lanes"].as_array().unwrap() {
        assert_eq!(lane["attempts"][0]["error"]["class"], "total_timeout", "{lane}");
    }
    assert!(server.resident_bytes().unwrap() < MEMORY_LIMIT_BYTES, "{:?}", server.resident_bytes());
}
