use std::sync::Arc;
use std::time::Duration;

use wordhoard_model::FailureClass;
use wordhoard_providers::{ApiKey, Auth, Dialect, NamedKey, Provider, over_http};
use wordhoard_testkit::provider::MisbehavingProvider;

use crate::{KEY, LIMITS, ask, settings};

const OTHER_KEY: &str = "canary.another.0123456789";

fn with_two_keys(mock: &MisbehavingProvider) -> Arc<dyn Provider> {
    let mut settings = settings(mock.base_url(), LIMITS);
    settings.keys.push(NamedKey { key: ApiKey::new(OTHER_KEY.into()), source: "OTHER_KEY".into() });
    over_http(settings).unwrap()
}

/// Which of the two keys each call had.
fn keys_used(mock: &MisbehavingProvider) -> Vec<&'static str> {
    let which = |key: &str| if key.ends_with(OTHER_KEY) { "other" } else { "first" };
    mock.calls().iter().map(|call| which(call.header("authorization").unwrap())).collect()
}

#[tokio::test]
async fn each_dialect_has_its_path_and_shows_the_key_in_its_own_way() {
    for (dialect, auth, path, header, value) in [
        (Dialect::OpenAiChat, None, "/v1/chat/completions", "authorization", format!("Bearer {KEY}")),
        (Dialect::OpenAiChat, Some(Auth::ApiKey), "/v1/chat/completions", "api-key", KEY.to_owned()),
        (Dialect::OpenAiResponses, None, "/v1/responses", "authorization", format!("Bearer {KEY}")),
        (Dialect::Anthropic, None, "/v1/messages", "x-api-key", KEY.to_owned()),
        (
            Dialect::Gemini,
            None,
            "/v1/models/ok-2:streamGenerateContent?alt=sse",
            "x-goog-api-key",
            KEY.to_owned(),
        ),
        (Dialect::Cohere, None, "/v1/chat", "authorization", format!("Bearer {KEY}")),
    ] {
        let mock = MisbehavingProvider::start().unwrap();
        let mut settings = settings(mock.base_url(), LIMITS);
        (settings.dialect, settings.auth) = (dialect, auth);
        let provider = over_http(settings).unwrap();
        ask(&*provider, "ok-2").await.end.unwrap();
        let call = &mock.calls()[0];
        assert_eq!((call.path.as_str(), call.header(header)), (path, Some(value.as_str())), "{dialect:?}");
        let carrying = call.headers.iter().filter(|(_, value)| value.contains(KEY)).count();
        assert_eq!(carrying, 1, "{dialect:?}: the key stands in one header");
        assert!(!call.path.contains(KEY) && !call.body.to_string().contains(KEY));
        let version = (dialect == Dialect::Anthropic).then_some("2023-06-01");
        assert_eq!(call.header("anthropic-version"), version);
    }
}

#[tokio::test]
async fn a_key_that_had_enough_rests_and_the_next_one_answers_in_the_same_call() {
    let mock = MisbehavingProvider::start().unwrap();
    let provider = with_two_keys(&mock);
    let model = "seq:status-429-retry-60|ok-2";
    ask(&*provider, model).await.end.unwrap();
    ask(&*provider, model).await.end.unwrap();
    // Each model is limited for itself.
    ask(&*provider, "ok-2").await.end.unwrap();
    assert_eq!(keys_used(&mock), ["first", "other", "other", "first"]);
}

/// It may be the quota of one model: others are asked with the same key, and this one soon again.
#[tokio::test]
async fn a_quota_that_is_used_up_rests_the_key_for_its_model_alone() {
    let mock = MisbehavingProvider::start().unwrap();
    let provider = over_http(settings(mock.base_url(), LIMITS)).unwrap();
    let told = ask(&*provider, "over-quota").await.end.unwrap_err();
    assert_eq!(told.class, FailureClass::OutOfCredit);
    ask(&*provider, "ok-2").await.end.unwrap();
    assert!(provider.resting("over-quota").is_some_and(|rest| rest.left <= Duration::from_secs(1)));
    assert_eq!(provider.keys_without_credit(), 0);
}

#[tokio::test]
async fn when_all_keys_have_had_enough_nobody_is_called_until_the_first_may_be() {
    let mock = MisbehavingProvider::start().unwrap();
    let provider = with_two_keys(&mock);
    let model = "seq:status-429-retry-60|status-429-retry-30|ok-2";
    let told = ask(&*provider, model).await.end.unwrap_err();
    assert_eq!(told.class, FailureClass::RateLimited);
    let told = ask(&*provider, model).await.end.unwrap_err();
    assert_eq!(told.class, FailureClass::RateLimited);
    let left_ms = told.retry_after_ms.unwrap();
    assert!((25_000..=30_000).contains(&left_ms), "{left_ms}");
    assert!(provider.resting(model).is_some() && provider.resting("ok-2").is_none());
    assert_eq!(keys_used(&mock), ["first", "other"], "the second call went nowhere");
}

#[tokio::test]
async fn a_key_that_is_not_accepted_is_counted_and_passed_over() {
    for dialect in Dialect::ALL {
        let mock = MisbehavingProvider::start().unwrap();
        let mut settings = settings(mock.base_url(), LIMITS);
        settings.keys.push(NamedKey { key: ApiKey::new(OTHER_KEY.into()), source: "OTHER_KEY".into() });
        settings.dialect = dialect;
        let provider = over_http(settings).unwrap();
        // Gemini tells it by 400, the others by 401.
        ask(&*provider, "seq:echo-key|ok-2").await.end.unwrap();
        assert_eq!(provider.refused_keys(), 1, "{dialect:?}");
        ask(&*provider, "ok-2").await.end.unwrap();
        let first = mock
            .calls()
            .iter()
            .filter(|call| call.headers.iter().any(|(_, value)| value.contains(KEY)))
            .count();
        assert_eq!((first, mock.calls().len()), (1, 3), "{dialect:?}");
    }
}

#[tokio::test]
async fn where_no_key_is_accepted_the_caller_hears_of_it_without_the_keys() {
    let mock = MisbehavingProvider::start().unwrap();
    let provider = with_two_keys(&mock);
    let told = ask(&*provider, "echo-key").await.end.unwrap_err();
    assert_eq!((told.class, provider.refused_keys()), (FailureClass::Unauthorized, 2));
    assert!(!told.message.contains("canary"), "{told}");
    assert_eq!(keys_used(&mock), ["first", "other"]);
    // It may be good again, so it is tried; and where it is, the alarm is over.
    ask(&*provider, "ok-2").await.end.unwrap();
    assert_eq!(provider.refused_keys(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_not_blamed_on_the_key() {
    let mock = MisbehavingProvider::start().unwrap();
    let provider = with_two_keys(&mock);
    for (model, class) in [
        ("status-400", FailureClass::BadRequest),
        ("context-length", FailureClass::ContextLength),
        ("filter-prompt", FailureClass::ContentPolicy),
    ] {
        assert_eq!(ask(&*provider, model).await.end.unwrap_err().class, class, "{model}");
    }
    assert_eq!((provider.refused_keys(), mock.calls().len()), (0, 3));
}
