//! Identities and counters. Each is a type of its own, so that a `seq` can never stand in for a `token_index`.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::Timestamp;

/// The id of a request: a UUIDv7, so that ids sort by time of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Uuid);

/// A text that is not the id of any request.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a request id is a UUID such as 0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11")]
pub struct ParseRequestIdError;

impl RequestId {
    /// A fresh id whose time part is `at`.
    pub fn generate(at: Timestamp) -> Self {
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        let (seconds, subsec_millis) = (millis / 1000, (millis % 1000) as u32);
        let context = uuid::timestamp::context::ContextV7::new();
        Self(Uuid::new_v7(uuid::Timestamp::from_unix(&context, seconds, subsec_millis * 1_000_000)))
    }

    /// The id with these 16 bytes, as they were once given by [`RequestId::as_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The time part of the id: when the request was accepted.
    pub fn accepted_at(&self) -> Timestamp {
        let millis = self.as_bytes()[..6].iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte));
        Timestamp::from_millis(millis)
    }

    /// The 16 bytes of the id, in the order in which they sort by time.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RequestId {
    type Err = ParseRequestIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Only the hyphenated form in lower case: one request, one spelling, also in caches and logs.
        match Uuid::try_parse(text) {
            Ok(id) if text.len() == 36 && !text.contains(|c: char| c.is_ascii_uppercase()) => Ok(Self(id)),
            _ => Err(ParseRequestIdError),
        }
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident($inner:ty), first = $first:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// The first value that is ever given out.
            pub const FIRST: Self = Self($first);

            /// The value after this one.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// The place of an event within its request: 0, 1, 2, … without a gap.
    Seq(u64), first = 0
}
counter! {
    /// The place of an attempt within its request: 1, 2, … over all lanes.
    AttemptSeq(u32), first = 1
}
counter! {
    /// The place of a token within its attempt: 0, 1, 2, … without a gap.
    TokenIndex(u64), first = 0
}
counter! {
    /// The place of a lane within its request, in the order in which the models were asked for.
    Lane(u8), first = 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_text_and_bytes() {
        let older = RequestId::generate(Timestamp::from_millis(1_000));
        let newer = RequestId::generate(Timestamp::from_millis(2_000));
        assert!(older < newer);
        assert_eq!(older.to_string().parse(), Ok(older));
        assert_eq!(RequestId::from_bytes(*newer.as_bytes()), newer);
        assert_eq!(newer.accepted_at(), Timestamp::from_millis(2_000));
    }

    #[test]
    fn other_spellings_of_an_id_are_refused() {
        for text in [
            "",
            "x",
            "0198c5b27c1e7cc3a3a50f6f0d4b9d11",
            "0198C5B2-7C1E-7CC3-A3A5-0F6F0D4B9D11",
            "{0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11}",
        ] {
            assert_eq!(text.parse::<RequestId>(), Err(ParseRequestIdError), "{text}");
        }
    }
}
