use std::fmt;
use std::str::FromStr;

use wordhoard_model::Timestamp;

use crate::Error;
use crate::random_id::random_id;

const PREFIX: &str = "wordhoard-";
/// `20261125T030000Z`
const TIME_CHARS: usize = 16;
/// `-1f2e3d4c`
const ID_CHARS: usize = 9;

/// The name of a backup, and of its folder: `wordhoard-20261125T030000Z-1f2e3d4c`, with the UTC time at which it was
/// begun. Nothing else is one, so no name leads out of the folder of backups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BackupName(String);

impl BackupName {
    /// A new name for a backup that is begun at this moment.
    ///
    /// # Errors
    /// Where there is no randomness.
    pub(crate) fn new(at: Timestamp) -> std::io::Result<Self> {
        let time = jiff::Timestamp::from_millisecond(at.as_millis()).map_err(std::io::Error::other)?;
        Ok(Self(format!("{PREFIX}{}-{}", time.strftime("%Y%m%dT%H%M%SZ"), random_id()?)))
    }

    /// The moment in the name.
    #[must_use]
    pub fn begun_at(&self) -> Timestamp {
        let time = &self.0[PREFIX.len()..PREFIX.len() + TIME_CHARS - 1];
        let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", time);
        let moment = civil.and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC));
        // The name was checked when it was made.
        Timestamp::from_millis(moment.map_or(0, |moment| moment.timestamp().as_millisecond()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BackupName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::BadName(text.chars().take(80).collect());
        let rest =
            text.strip_prefix(PREFIX).filter(|rest| rest.len() == TIME_CHARS + ID_CHARS).ok_or_else(bad)?;
        let time = rest.get(..TIME_CHARS - 1).filter(|_| rest.as_bytes()[TIME_CHARS - 1] == b'Z');
        let time = time.ok_or_else(bad)?;
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", time).map_err(|_| bad())?;
        let id = rest.get(TIME_CHARS..).and_then(|id| id.strip_prefix('-')).ok_or_else(bad)?;
        let is_id = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_id { Ok(Self(text.to_owned())) } else { Err(bad()) }
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_its_time_and_nothing_else_is_one() {
        let at = Timestamp::from_millis(1_764_043_200_000);
        let name = BackupName::new(at).unwrap();
        assert_eq!(name.as_str().parse::<BackupName>().unwrap(), name);
        assert_eq!(name.begun_at(), at);
        for bad in [
            "",
            "../x",
            "..%2f..%2fetc%2fpasswd",
            "wordhoard-20261125T030000Z",
            "wordhoard-20261125T030000Z-1f2e3d4",
            "wordhoard-20261125T030000Z-1F2E3D4C",
            "wordhoard-20261325T030000Z-1f2e3d4c",
            "wordhoard-20261125T030000Z-../../ab",
            "wordhoard-20261125T030000Z-1f2e3d\0c",
            "wordhoard-20261125T0300é0Z-1f2e3d4",
            "wordhoard-20261125T030000Z-1f2e3d4c/",
        ] {
            assert!(matches!(bad.parse::<BackupName>(), Err(Error::BadName(_))), "{bad:?}");
        }
    }
}
