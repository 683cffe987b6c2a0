use futures_util::future::join_all;
use wordhoard_testkit::server::ServerHome;

use super::{only, tokens};
use crate::{EXE, ONE_CALL};

/// Modes of `demo:flaky` and the class in which each fails; none where it completes.
const MODES: &[(&str, Option<&str>)] = &[
    ("rate-limit", Some("rate_limited")),
    ("error-500", Some("provider_error")),
    ("unauthorized", Some("unauthorized")),
    ("not-found", Some("not_found")),
    ("reset", Some("connect")),
    ("silence", Some("first_token_timeout")),
    ("slow-start", None),
    ("cut", Some("cut")),
    ("stall", Some("stall_timeout")),
    ("bad-json", Some("malformed")),
    ("no-done", None),
    ("no-finish", Some("cut")),
    ("split-utf8", None),
    ("crlf", None),
    ("bom", None),
    ("stream-error", Some("stream_error")),
    ("content-filter", None),
    ("huge-line", Some("malformed")),
];

/// Modes that fail behind so many tokens as the prompt asks for.
const AFTER_TOKENS: &[&str] = &["cut", "stall", "bad-json", "stream-error", "content-filter", "huge-line"];

#[tokio::test]
async fn flaky_fails_through_the_server_as_it_was_asked_to() {
    let config = "[[providers]]\nname = \"demo\"\ndialect = \"demo\"\n\
                  timeouts = { first_token = \"5s\", between_bytes = \"1500ms\" }";
    let config = [config, ONE_CALL].concat();
    let home = ServerHome::new(EXE, &config).unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let ask = async |(mode, class): &(&'static str, Option<&'static str>)| {
        let prompt = format!("please [flaky {mode} after=5]");
        let id = client.submit(&prompt, &["demo:flaky"]).await.unwrap();
        (*mode, *class, client.read_to_end(&id, None).await.unwrap())
    };
    // The one that has the provider left alone for a while comes when the others have their answers.
    let (leaves_alone, others): (Vec<_>, Vec<_>) = MODES.iter().partition(|(mode, _)| *mode == "rate-limit");
    let mut asked = join_all(others.into_iter().map(ask)).await;
    asked.extend(join_all(leaves_alone.into_iter().map(ask)).await);
    for (mode, class, events) in asked {
        let end = only(&events, "attempt.finished");
        let request_end = only(&events, "request.finished");
        let status = if class.is_some() { "failed" } else { "completed" };
        assert_eq!(
            (&end["status"], &request_end["status"]),
            (&status.into(), &status.into()),
            "{mode}: {end}"
        );
        assert_eq!(end["error"]["class"].as_str(), class, "{mode}: {end}");
        let tokens = tokens(&events);
        assert_eq!(end["token_count"], tokens.len(), "{mode}");
        let text: String = tokens.iter().map(|(_, text)| text.as_str()).collect();
        assert!(
            !text.contains('\u{fffd}') && !text.contains('\r') && !text.contains('\u{feff}'),
            "{mode}: {text:?}"
        );
        if AFTER_TOKENS.contains(&mode) {
            assert_eq!(tokens.len(), 5, "{mode}");
        }
        if mode == "split-utf8" {
            assert!(text.contains("ä, € and 🦀"), "{text}");
        }
        if class.is_none() {
            let is_filtered = mode == "content-filter";
            assert_eq!(end["finish_reason"], if is_filtered { "content_filter" } else { "stop" }, "{mode}");
            assert!(is_filtered || tokens.len() > 5, "{mode}: {text:?}");
        }
    }
    assert_eq!(client.get("/api/health").await.unwrap().body["status"], "healthy");
}
