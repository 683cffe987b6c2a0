//! How a key stands with its limits by the minute, as clients look for it in headers.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use wordhoard_engine::{Clock, Standing, Window};
use wordhoard_model::Timestamp;

use super::front::Shape;

/// Tells it in the headers of OpenAI (<https://platform.openai.com/docs/guides/rate-limits>, rate limits in headers), and to
/// clients of Anthropic in theirs (<https://docs.anthropic.com/en/api/rate-limits>, response headers), wherever a handler has
/// left it with its response.
pub(super) fn tell_standing(response: &mut Response, shape: Option<Shape>, clock: &dyn Clock) {
    if let Some(standing) = response.extensions().get::<Standing>().copied() {
        let tell = if shape == Some(Shape::Anthropic) { anthropic } else { openai };
        for (name, window) in [("requests", standing.requests), ("tokens", standing.tokens)] {
            if let Some(window) = window {
                tell(response.headers_mut(), name, window, clock.now());
            }
        }
    }
}

fn openai(headers: &mut HeaderMap, what: &str, window: Window, _: Timestamp) {
    insert(headers, format!("x-ratelimit-limit-{what}"), window.limit.to_string());
    insert(headers, format!("x-ratelimit-remaining-{what}"), window.remaining.to_string());
    insert(headers, format!("x-ratelimit-reset-{what}"), in_seconds(window.reset));
}

fn anthropic(headers: &mut HeaderMap, what: &str, window: Window, now: Timestamp) {
    let reset_ms = i64::try_from(window.reset.as_millis()).unwrap_or(i64::MAX);
    let reset = Timestamp::from_millis(now.as_millis().saturating_add(reset_ms));
    insert(headers, format!("anthropic-ratelimit-{what}-limit"), window.limit.to_string());
    insert(headers, format!("anthropic-ratelimit-{what}-remaining"), window.remaining.to_string());
    insert(headers, format!("anthropic-ratelimit-{what}-reset"), reset.to_string());
}

/// As OpenAI writes durations below a minute: `7.66s`.
fn in_seconds(duration: Duration) -> String {
    let seconds = format!("{:.3}", duration.as_secs_f64());
    format!("{}s", seconds.trim_end_matches('0').trim_end_matches('.'))
}

fn insert(headers: &mut HeaderMap, name: String, value: String) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_openai_writes_them() {
        for (millis, text) in [(0, "0s"), (60_000, "60s"), (7_660, "7.66s"), (1, "0.001s")] {
            assert_eq!(in_seconds(Duration::from_millis(millis)), text);
        }
    }
}
