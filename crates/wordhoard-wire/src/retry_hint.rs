//! How long a provider asks us to wait, from the headers of its answer.

/// The headers of an answer that tell when to try again, as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryHint<'a> {
    /// `Retry-After`: seconds, or a date as RFC 9110 §5.6.7 has it.
    pub retry_after: Option<&'a str>,
    /// `retry-after-ms`: milliseconds, more exact; OpenAI's own clients read it first
    /// (<https://github.com/i-am-bee/bee-observe/issues/16> quotes them).
    pub retry_after_ms: Option<&'a str>,
    /// `Date`: the provider's clock when it answered. A date in `Retry-After` counts from it, so that neither clock
    /// has to be right.
    pub date: Option<&'a str>,
}

/// The longest wait that is believed, in milliseconds: a day. What is beyond is a fault or a trap.
const MAX_WAIT_MS: f64 = 86_400_000.0;

impl RetryHint<'_> {
    /// The wait that they ask for, in milliseconds; none where they ask for none or make no sense.
    pub fn wait_ms(&self) -> Option<u64> {
        self.retry_after_ms
            .and_then(|text| believable(text.trim().parse().ok()?))
            .or_else(|| self.retry_after.and_then(|text| self.wait_of(text.trim())))
    }

    fn wait_of(&self, retry_after: &str) -> Option<u64> {
        if let Ok(seconds) = retry_after.parse::<f64>() {
            return believable(seconds * 1000.0);
        }
        let (then, now) = (http_date_s(retry_after)?, http_date_s(self.date?.trim())?);
        believable((then - now).max(0) as f64 * 1000.0)
    }
}

fn believable(wait_ms: f64) -> Option<u64> {
    (wait_ms.is_finite() && (0.0..=MAX_WAIT_MS).contains(&wait_ms)).then_some(wait_ms.ceil() as u64)
}

/// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that may still be sent.
fn http_date_s(text: &str) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let mut part = || parts.next();
    let day: i64 = part()?.parse().ok()?;
    let month_name = part().filter(|name| name.len() == 3)?;
    let month = i64::try_from(MONTHS.find(month_name)? / 3).ok()? + 1;
    let year: i64 = part()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut time = part()?.splitn(3, ':').map(|n| n.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let in_range = (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    (in_range && part() == Some("GMT"))
        .then(|| days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Counting years from March puts the leap day at the end
/// of a year, so that the days before a month are a plain formula.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_ms(retry_after: &str) -> Option<u64> {
        let hint = RetryHint {
            retry_after: Some(retry_after),
            retry_after_ms: None,
            date: Some("Sun, 28 Feb 2100 23:59:50 GMT"),
        };
        hint.wait_ms()
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_read() {
        assert_eq!(wait_ms("2"), Some(2_000));
        assert_eq!(wait_ms(" 0.25 "), Some(250));
        // 2100 is no leap year.
        assert_eq!(wait_ms("Mon, 01 Mar 2100 00:00:20 GMT"), Some(30_000));
        assert_eq!(wait_ms("Sun, 28 Feb 2100 23:59:40 GMT"), Some(0));
        let both = RetryHint { retry_after: Some("9"), retry_after_ms: Some("150"), date: None };
        assert_eq!(both.wait_ms(), Some(150));
        assert_eq!(http_date_s("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date_s("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
    }

    #[test]
    fn what_makes_no_sense_is_no_wait() {
        for text in [
            "",
            "soon",
            "-1",
            "NaN",
            "inf",
            "1e300",
            "Sun, 31 Foo 2100 00:00:00 GMT",
            "Sun, 01 an 1994 08:49:37 GMT",
        ] {
            assert_eq!(wait_ms(text), None, "{text:?}");
        }
        let without_date =
            RetryHint { retry_after: Some("Mon, 01 Mar 2100 00:00:20 GMT"), ..RetryHint::default() };
        assert_eq!(without_date.wait_ms(), None);
    }
}
