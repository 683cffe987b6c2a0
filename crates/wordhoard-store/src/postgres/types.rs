//! Our types as PostgreSQL's binary format has them.

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use wordhoard_model::{KeyId, RequestId, Timestamp};

use crate::columns::ColumnError;
use crate::{Error, LogKey};

/// A request id in a column of type `uuid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(pub(super) RequestId);

/// The id of a key in a column of type `uuid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(pub(super) KeyId);

/// A time in a column of type `timestamptz`: microseconds since 2000-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(i64);

/// The id of a log in a column of type `bytea`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Log(pub(super) LogKey);

/// A SHA-256 in a column of type `bytea`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sha256(pub(super) [u8; 32]);

impl Moment {
    /// 2000-01-01T00:00:00Z in microseconds since 1970.
    const EPOCH_MICROS: i64 = 946_684_800_000_000;

    /// Refused where PostgreSQL has no number for it: some 290,000 years from now.
    pub(super) fn of(at: Timestamp) -> Result<Self, Error> {
        let micros =
            at.as_millis().checked_mul(1000).and_then(|micros| micros.checked_sub(Self::EPOCH_MICROS));
        micros.map(Self).ok_or_else(|| Error::Refused(format!("{at} is out of the range of times")))
    }

    pub(super) fn timestamp(self) -> Timestamp {
        Timestamp::from_millis((self.0 + Self::EPOCH_MICROS) / 1000)
    }
}

impl ToSql for Id {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, ColumnError> {
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Id {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, ColumnError> {
        Ok(Self(RequestId::from_bytes(raw.try_into()?)))
    }

    accepts!(UUID);
}

impl ToSql for Key {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, ColumnError> {
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Key {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, ColumnError> {
        Ok(Self(KeyId::from_bytes(raw.try_into()?)))
    }

    accepts!(UUID);
}

impl ToSql for Moment {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, ColumnError> {
        out.put_i64(self.0);
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Moment {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, ColumnError> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        // Ours are whole milliseconds; anything else, such as infinity, was not written by us.
        match micros.checked_add(Self::EPOCH_MICROS) {
            Some(since_1970) if since_1970 % 1000 == 0 => Ok(Self(micros)),
            _ => Err("the time is not in whole milliseconds".into()),
        }
    }

    accepts!(TIMESTAMPTZ);
}

impl ToSql for Log {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, ColumnError> {
        out.put_slice(&self.0.0);
        Ok(IsNull::No)
    }

    accepts!(BYTEA);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Log {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, ColumnError> {
        Ok(Self(LogKey(raw.try_into()?)))
    }

    accepts!(BYTEA);
}

impl ToSql for Sha256 {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, ColumnError> {
        out.put_slice(&self.0);
        Ok(IsNull::No)
    }

    accepts!(BYTEA);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Sha256 {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, ColumnError> {
        Ok(Self(raw.try_into()?))
    }

    accepts!(BYTEA);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_to_the_millisecond_and_the_impossible_is_refused() {
        for millis in [0, 1, -1, 946_684_800_000, 1_764_000_000_042, -62_135_596_800_000] {
            let at = Timestamp::from_millis(millis);
            assert_eq!(Moment::of(at).unwrap().timestamp(), at);
        }
        assert_eq!(Moment::of(Timestamp::from_millis(946_684_800_001)).unwrap().0, 1000);
        for millis in [i64::MAX, i64::MIN] {
            assert!(matches!(Moment::of(Timestamp::from_millis(millis)), Err(Error::Refused(_))));
        }
        assert!(Moment::from_sql(&Type::TIMESTAMPTZ, &i64::MAX.to_be_bytes()).is_err());
    }
}
