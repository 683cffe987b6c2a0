//! Events that say one piece of text and change nothing else: nearly all of an answer. Two ways around the tolerant parser lead to
//! the same result as it, or to none:
//!
//! 1. A dialect reads such an event strictly and without copies ([`Fold::plain_text`](crate::stream::Fold::plain_text)). What has an
//!    escape, another type, or any field that means something more, is none.
//! 2. An event that is like the one before but for its text need not be parsed at all ([`Template`]).

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use wordhoard_model::TokenKind;

/// A field that must not be there, or be null.
pub(crate) type Absent = Option<IgnoredAny>;
/// A list that must not be there, or be null, or empty.
pub(crate) type Empty = Option<[(); 0]>;

/// What such an event says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainText<'a> {
    pub(crate) kind: TokenKind,
    /// Not empty, and as it stands in the event: without an escape.
    pub(crate) text: &'a str,
    /// Which part of the answer it is of, in dialects that number those.
    pub(crate) part: Part,
    pub(crate) noise: Noise<'a>,
}

/// The place of an item in an answer, and of a part in the item.
pub(crate) type Part = (u64, u64);

/// Fields that no dialect's reader looks at, and that differ from event to event: padding against who counts the bytes of encrypted
/// streams, and the number of the event (<https://platform.openai.com/docs/api-reference/responses-streaming>,
/// <https://platform.openai.com/docs/api-reference/chat-streaming>, `obfuscation`).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noise<'a> {
    pub(crate) obfuscation: Option<&'a RawValue>,
    pub(crate) sequence_number: Option<&'a RawValue>,
}

/// An event with holes in it.
#[derive(Debug)]
pub(crate) struct Template {
    name: Option<String>,
    kind: TokenKind,
    part: Part,
    /// What stands before the first hole.
    start: String,
    /// Each hole, and what stands behind it.
    holes: Vec<(Hole, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    Text,
    /// What stands between the quotes of a string.
    Literal,
    Number,
}

impl Template {
    /// The template of an event of which that was read.
    pub(crate) fn of(name: Option<&str>, data: &str, plain: &PlainText<'_>) -> Option<Self> {
        let Noise { obfuscation, sequence_number } = plain.noise;
        let mut holes = vec![(place_in(data, plain.text)?, Hole::Text)];
        for field in [obfuscation, sequence_number].into_iter().flatten().map(RawValue::get) {
            let inside = field.strip_prefix('"').and_then(|field| field.strip_suffix('"'));
            match inside {
                Some(inside) => holes.push((place_in(data, inside)?, Hole::Literal)),
                None if is_number(field) => holes.push((place_in(data, field)?, Hole::Number)),
                // Something else than documented belongs to what has to be alike.
                None => {}
            }
        }
        holes.sort_unstable_by_key(|(place, _)| place.0);
        let start = data.get(..holes.first()?.0.0)?.to_owned();
        let ends = holes.iter().skip(1).map(|(place, _)| place.0).chain([data.len()]);
        let behind = holes
            .iter()
            .zip(ends)
            .map(|((place, hole), end)| Some((*hole, data.get(place.1..end)?.to_owned())));
        let holes = behind.collect::<Option<_>>()?;
        Some(Self { name: name.map(str::to_owned), kind: plain.kind, part: plain.part, start, holes })
    }

    /// What an event says that differs from the template in the holes only.
    pub(crate) fn read<'a>(&self, name: Option<&str>, data: &'a str) -> Option<PlainText<'a>> {
        if self.name.as_deref() != name {
            return None;
        }
        let mut rest = data.strip_prefix(self.start.as_str())?;
        let mut text = "";
        for (hole, behind) in &self.holes {
            let end = match hole {
                Hole::Text | Hole::Literal => memchr::memchr2(b'"', b'\\', rest.as_bytes())?,
                Hole::Number => rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len()),
            };
            let (inside, after) = rest.split_at_checked(end)?;
            let fits = match hole {
                Hole::Text => !inside.is_empty() && has_no_controls(inside),
                Hole::Literal => has_no_controls(inside),
                Hole::Number => is_number(inside),
            };
            if *hole == Hole::Text {
                text = inside;
            }
            // A hole that ends in a backslash ends here: what stands behind each begins with the quote.
            rest = after.strip_prefix(behind.as_str()).filter(|_| fits)?;
        }
        let noise = Noise::default();
        rest.is_empty().then_some(PlainText { kind: self.kind, text, part: self.part, noise })
    }
}

/// From where to where a piece of a text stands in it.
fn place_in(whole: &str, piece: &str) -> Option<(usize, usize)> {
    let start = (piece.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(piece.len())?;
    (whole.get(start..end)? == piece).then_some((start, end))
}

/// JSON allows none within a string.
fn has_no_controls(text: &str) -> bool {
    text.bytes().all(|byte| byte >= 0x20)
}

/// Whether it is a whole number as JSON has it, within what every reader can hold.
fn is_number(text: &str) -> bool {
    let is_canonical = text.len() == 1 || !text.starts_with('0');
    (1..=15).contains(&text.len()) && is_canonical && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
