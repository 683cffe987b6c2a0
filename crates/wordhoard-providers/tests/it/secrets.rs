use wordhoard_testkit::provider::MisbehavingProvider;

use crate::{KEY, LIMITS, ask, provider, provider_at};

#[tokio::test]
async fn the_key_shows_in_no_failure_and_no_debug_output() {
    let mock = MisbehavingProvider::start().unwrap();
    let told = ask(&*provider(&mock), "echo-key").await.end.unwrap_err();
    // The provider did get the key and did say it.
    assert!(mock.calls()[0].header("authorization").unwrap().contains(KEY));
    assert!(told.message.contains("Incorrect API key provided: [redacted]"), "{told}");
    let gone = provider_at("http://127.0.0.1:1/v1".into(), LIMITS);
    let unreachable = ask(&*gone, "ok").await.end.unwrap_err();
    for shown in [format!("{told:?}"), format!("{unreachable:?}"), format!("{gone:?}")] {
        assert!(!shown.contains(&KEY[..8]), "{shown}");
    }
}
