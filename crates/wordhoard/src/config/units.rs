//! Values with a unit, as they stand in the configuration: `"5s"`, `"100MiB"`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// A duration such as `"250ms"`, `"5s"`, `"10m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DurationText(pub(super) Duration);

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match DelayText::deserialize(deserializer)?.0 {
            Duration::ZERO => Err(de::Error::custom("must be longer than nothing")),
            duration => Ok(Self(duration)),
        }
    }
}

/// A duration that may also be none at all: `"0s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DelayText(pub(super) Duration);

impl<'de> Deserialize<'de> for DelayText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong =
            || de::Error::custom(format!("{text:?} is no duration: write \"250ms\", \"5s\" or \"10m\""));
        let parsed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
        Ok(Self(Duration::try_from(parsed).map_err(|_| wrong())?))
    }
}

/// A size such as `"512KiB"`, `"100MiB"`, `"2GiB"`, or a number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeText(pub(super) u64);

impl<'de> Deserialize<'de> for SizeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bytes(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(Self(bytes)),
            Written::Text(text) => size(&text).map(Self).map_err(de::Error::custom),
        }
    }
}

/// Bytes from a text with or without unit.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("{text:?} is no size: write \"512KiB\", \"100MiB\", \"2GiB\" or a number of bytes");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1_u64 << 40,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)
}

/// The size with the largest unit that divides it.
pub(super) fn size_text(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_with_their_units() {
        for (text, bytes) in [("100MiB", 100 << 20), ("2GiB", 2 << 30), ("7", 7), ("512 KiB", 512 << 10)] {
            assert_eq!(size(text), Ok(bytes));
            assert_eq!(size(&size_text(bytes)), Ok(bytes));
        }
        for text in ["", "MiB", "1MB", "-1", "99999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
