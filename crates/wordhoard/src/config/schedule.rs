use std::fmt;
use std::str::FromStr;

use croner::Cron;
use jiff::Zoned;

/// When something is done by itself: a cron expression in local time, or never.
#[derive(Clone, Debug)]
pub struct Schedule {
    written: String,
    cron: Option<Cron>,
}

impl Schedule {
    /// The first moment behind `after` at which it is due; none where it never is.
    pub fn next(&self, after: &Zoned) -> Option<Zoned> {
        self.cron.as_ref()?.find_next_occurrence(after, false).ok()
    }

    /// The newest moment up to `until` at which it was due; none where it never was.
    pub fn previous(&self, until: &Zoned) -> Option<Zoned> {
        self.cron.as_ref()?.find_previous_occurrence(until, true).ok()
    }

    /// Whether it is ever due.
    pub fn is_on(&self) -> bool {
        self.cron.is_some()
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let cron = match text.trim() {
            "off" => None,
            pattern => Some(pattern.parse().map_err(|error| {
                format!("{text:?} is no schedule: write a cron expression such as \"0 3 * * *\" (daily at three, local time), or \"off\": {error}")
            })?),
        };
        Ok(Self { written: text.trim().to_owned(), cron })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_tells_what_is_due_and_what_was() {
        let daily: Schedule = "0 3 * * *".parse().unwrap();
        let now: Zoned = "2026-11-25T12:00:00[UTC]".parse().unwrap();
        assert_eq!(daily.next(&now).unwrap().to_string(), "2026-11-26T03:00:00+00:00[UTC]");
        assert_eq!(daily.previous(&now).unwrap().to_string(), "2026-11-25T03:00:00+00:00[UTC]");
        let off: Schedule = "off".parse().unwrap();
        assert!(!off.is_on() && off.next(&now).is_none());
        assert!("at three".parse::<Schedule>().unwrap_err().contains("cron"));
    }
}
