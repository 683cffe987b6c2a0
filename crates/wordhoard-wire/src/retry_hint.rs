//! How long a provider asks us to wait, from the headers of its answer.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The headers of an answer that tell when to try again, as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryHint<'a> {
    /// `Retry-After`: seconds, or a date as RFC 9110 §5.6.7 has it.
    pub retry_after: Option<&'a str>,
    /// `retry-after-ms`: milliseconds, more exact; OpenAI's own clients read it first
    /// (<https://github.com/i-am-bee/bee-observe/issues/16> quotes them).
    pub retry_after_ms: Option<&'a str>,
    /// `Date`: the provider's clock when it answered. A date in another header counts from it, so that neither clock
    /// has to be right.
    pub date: Option<&'a str>,
    /// The limits that it names.
    pub resets: [Reset<'a>; 7],
}

/// A limit that a provider names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reset<'a> {
    /// How much is left of it.
    pub left: Option<&'a str>,
    /// When it is whole again: in seconds, as `1m3s`, or as a date.
    pub at: Option<&'a str>,
}

/// The longest wait that is believed, in milliseconds: a day. What is beyond is a fault or a trap.
const MAX_WAIT_MS: f64 = 86_400_000.0;
/// What is above is no number of seconds but a time since 1970, in seconds or in milliseconds.
const MIN_EPOCH_S: f64 = 1e9;
const MIN_EPOCH_MS: f64 = 1e12;

impl RetryHint<'_> {
    /// The wait that they ask for, in milliseconds; none where they ask for none or make no sense. Without a word for it, it
    /// is until the limits that are used up are whole again.
    pub fn wait_ms(&self) -> Option<u64> {
        self.retry_after_ms
            .and_then(|text| believable(text.trim().parse().ok()?))
            .or_else(|| self.wait_of(self.retry_after?))
            .or_else(|| {
                let used_up = self.resets.iter().filter(|reset| reset.left.map(str::trim) == Some("0"));
                used_up.filter_map(|reset| self.wait_of(reset.at?)).max()
            })
    }

    fn wait_of(&self, text: &str) -> Option<u64> {
        let text = text.trim();
        if let Ok(number) = text.parse::<f64>() {
            let seconds = match number {
                number if number >= MIN_EPOCH_MS => number / 1e3 - self.now_s()?,
                number if number >= MIN_EPOCH_S => number - self.now_s()?,
                seconds => seconds,
            };
            return believable(seconds * 1e3);
        }
        if let Some(wait_ms) = duration_ms(text) {
            return believable(wait_ms);
        }
        believable((date_s(text)? - self.now_s()?).max(0.0) * 1e3)
    }

    fn now_s(&self) -> Option<f64> {
        date_s(self.date?.trim())
    }
}

fn believable(wait_ms: f64) -> Option<u64> {
    (wait_ms.is_finite() && (0.0..=MAX_WAIT_MS).contains(&wait_ms)).then_some(wait_ms.ceil() as u64)
}

/// Seconds since 1970 of a date as RFC 9110 or RFC 3339 have it.
fn date_s(text: &str) -> Option<f64> {
    // `GMT` is an obsolete zone in RFC 2822, which is the form of RFC 9110 otherwise.
    let http = || DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok();
    let date = text.parse::<Timestamp>().ok().or_else(http)?;
    Some(date.as_millisecond() as f64 / 1e3)
}

/// Milliseconds of a duration as Go writes it: `1m3s`, `6ms`, `2h0m0.5s`.
pub(crate) fn duration_ms(text: &str) -> Option<f64> {
    let (mut rest, mut sum_ms) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_end =
            rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        sum_ms += number
            * match &rest[digits..unit_end] {
                "d" => 86_400_000.0,
                "h" => 3_600_000.0,
                "m" => 60_000.0,
                "s" => 1_000.0,
                "ms" => 1.0,
                "us" | "µs" => 1e-3,
                "ns" => 1e-6,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(sum_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_ms(retry_after: &str) -> Option<u64> {
        let hint = RetryHint {
            retry_after: Some(retry_after),
            date: Some("Sun, 28 Feb 2100 23:59:50 GMT"),
            ..RetryHint::default()
        };
        hint.wait_ms()
    }

    #[test]
    fn seconds_milliseconds_durations_and_dates_are_read() {
        for (text, expected) in [
            ("2", 2_000),
            (" 0.25 ", 250),
            // 2100 is no leap year.
            ("Mon, 01 Mar 2100 00:00:20 GMT", 30_000),
            ("Sun, 28 Feb 2100 23:59:40 GMT", 0),
            ("2100-02-28T23:59:55Z", 5_000),
            ("1m3s", 63_000),
            ("6ms", 6),
            ("2h0m0.5s", 7_200_500),
            // 2100-02-28T23:59:51Z
            ("4107542391", 1_000),
            ("4107542391500", 1_500),
        ] {
            assert_eq!(wait_ms(text), Some(expected), "{text}");
        }
        let both = RetryHint { retry_after: Some("9"), retry_after_ms: Some("150"), ..RetryHint::default() };
        assert_eq!(both.wait_ms(), Some(150));
    }

    #[test]
    fn a_limit_that_is_used_up_tells_when_it_is_whole_again() {
        let mut resets = [Reset::default(); 7];
        resets[0] = Reset { left: Some("0"), at: Some("6s") };
        resets[1] = Reset { left: Some("12"), at: Some("5m") };
        resets[2] = Reset { left: Some("0"), at: Some("1m3s") };
        assert_eq!(RetryHint { resets, ..RetryHint::default() }.wait_ms(), Some(63_000));
    }

    #[test]
    fn what_makes_no_sense_is_no_wait() {
        for text in ["", "soon", "-1", "NaN", "inf", "1e300", "5x", "3m4", "Sun, 31 Foo 2100 00:00:00 GMT"] {
            assert_eq!(wait_ms(text), None, "{text:?}");
        }
        let without_date =
            RetryHint { retry_after: Some("Mon, 01 Mar 2100 00:00:20 GMT"), ..RetryHint::default() };
        assert_eq!(without_date.wait_ms(), None);
    }
}
