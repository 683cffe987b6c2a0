//! Text as PostgreSQL takes it: without NUL.

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::columns::ColumnError;
use crate::escape::{escape, unescape};

/// A text to be written into a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<T>(pub(super) T);

/// A text that was read from a column.
#[derive(Debug)]
pub(super) struct Read(pub(super) String);

impl<T: AsRef<str> + std::fmt::Debug> ToSql for Written<T> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, ColumnError> {
        out.put_slice(escape(self.0.as_ref()).as_bytes());
        Ok(IsNull::No)
    }

    accepts!(TEXT);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Read {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, ColumnError> {
        Ok(Self(unescape(std::str::from_utf8(raw)?)?.into_owned()))
    }

    accepts!(TEXT);
}
