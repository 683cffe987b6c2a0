use std::fmt;

/// A moment of wall-clock time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

impl Timestamp {
    /// The moment that many milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The day of this moment in UTC, counted from 1970-01-01.
    pub const fn utc_day(self) -> i64 {
        self.0.div_euclid(DAY_MS)
    }

    /// The first moment of a day in UTC.
    pub const fn from_utc_day(day: i64) -> Self {
        Self(day * DAY_MS)
    }

    /// The first moment of the day behind this one, in UTC.
    pub const fn next_utc_day(self) -> Self {
        Self::from_utc_day(self.utc_day() + 1)
    }

    /// The first moment of its month in UTC.
    pub fn utc_month(self) -> Self {
        self.month_from(|first| first)
    }

    /// The first moment of the month behind its own, in UTC.
    pub fn next_utc_month(self) -> Self {
        self.month_from(|first| first.saturating_add(jiff::Span::new().months(1)))
    }

    /// A time that no calendar has is its own month.
    fn month_from(self, of: impl FnOnce(jiff::civil::Date) -> jiff::civil::Date) -> Self {
        let Ok(moment) = jiff::Timestamp::from_millisecond(self.0) else { return self };
        let first = of(moment.to_zoned(jiff::tz::TimeZone::UTC).date().first_of_month());
        let begin = first.to_zoned(jiff::tz::TimeZone::UTC);
        begin.map_or(self, |begin| Self(begin.timestamp().as_millisecond()))
    }

    /// Milliseconds from `earlier` to this moment; 0 where the clock went backwards in between.
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

/// RFC 3339 in UTC with milliseconds, as the product writes every time: `2026-11-22T23:47:15.042Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl std::str::FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse::<jiff::Timestamp>()?.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_begin_at_midnight_utc() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let late = at("2028-02-29T23:59:59.999Z");
        assert_eq!(Timestamp::from_utc_day(late.utc_day()), at("2028-02-29T00:00:00Z"));
        assert_eq!(
            (late.next_utc_day(), late.next_utc_month()),
            (at("2028-03-01T00:00:00Z"), at("2028-03-01T00:00:00Z"))
        );
        assert_eq!(late.utc_month(), at("2028-02-01T00:00:00Z"));
        assert_eq!(at("2027-12-31T01:00:00Z").next_utc_month(), at("2028-01-01T00:00:00Z"));
        assert_eq!(at("1969-12-31T23:00:00Z").utc_day(), -1);
        assert_eq!(Timestamp::from_millis(i64::MAX).next_utc_month(), Timestamp::from_millis(i64::MAX));
    }

    #[test]
    fn is_written_as_rfc_3339_with_milliseconds() {
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(1_764_000_000_042).to_string(), "2025-11-24T16:00:00.042Z");
    }
}
