/// Stands before and behind the name of a hole. JSON has none of these three characters as they are.
const HOLE: char = '\u{1}';
const FIELD_END: char = '\u{1f}';
const EVENT_END: char = '\u{1e}';

/// The text of an event with holes, and how many pieces of the answer came out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) source: Source,
    /// The `event:` field; empty where there was none.
    pub(super) name: String,
    pub(super) data: String,
}

/// What the text is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// An event of a stream, and its pieces.
    Event { pieces: usize },
    /// An answer that came whole.
    Document,
}

/// What stands in a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    /// The text of a piece of this event.
    Piece(usize, Escapes),
    /// All text of a run of pieces, see [`Runs`](super::runs::Runs).
    Run(usize, Escapes),
    /// The place of the event in its stream, where the dialect counts them.
    SequenceNumber,
    /// The id of the answer.
    AnswerId,
    /// Characters without meaning, so many that nobody who sees the length of an event on the network knows that of its
    /// text: <https://platform.openai.com/docs/api-reference/responses/create>, stream_options.include_obfuscation.
    Padding,
}

/// How a text is written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Only what has to be escaped is.
    Few,
    /// All that is not ASCII is, as by Python's `json`.
    Ascii,
}

impl Template {
    /// Appends it to what is recorded.
    pub(super) fn write(&self, out: &mut String) {
        match self.source {
            Source::Event { pieces } => out.push_str(&pieces.to_string()),
            Source::Document => out.push('d'),
        }
        out.push(FIELD_END);
        out.push_str(&self.name);
        out.push(FIELD_END);
        out.push_str(&self.data);
        out.push(EVENT_END);
    }

    /// All that were recorded together. What is none of ours is passed over.
    pub(super) fn read_all(recorded: &str) -> impl Iterator<Item = Self> {
        recorded.split_terminator(EVENT_END).filter_map(|event| {
            let mut fields = event.splitn(3, FIELD_END);
            let source = match fields.next()? {
                "d" => Source::Document,
                pieces => Source::Event { pieces: pieces.parse().ok()? },
            };
            let (name, data) = (fields.next()?.to_owned(), fields.next()?.to_owned());
            Some(Self { source, name, data })
        })
    }
}

/// Whether a text can stand in a template: it has none of the characters that mean something there.
pub(super) fn is_plain(text: &str) -> bool {
    !text.contains([HOLE, FIELD_END, EVENT_END])
}

impl Hole {
    fn write(self, out: &mut String) {
        out.push(HOLE);
        match self {
            Self::Piece(place, Escapes::Few) => out.push_str(&format!("p{place}")),
            Self::Piece(place, Escapes::Ascii) => out.push_str(&format!("P{place}")),
            Self::Run(place, Escapes::Few) => out.push_str(&format!("r{place}")),
            Self::Run(place, Escapes::Ascii) => out.push_str(&format!("R{place}")),
            Self::SequenceNumber => out.push('s'),
            Self::AnswerId => out.push('i'),
            Self::Padding => out.push('o'),
        }
        out.push(HOLE);
    }

    fn read(name: &str) -> Option<Self> {
        let place = || name.get(1..)?.parse().ok();
        Some(match name.chars().next()? {
            'p' => Self::Piece(place()?, Escapes::Few),
            'P' => Self::Piece(place()?, Escapes::Ascii),
            'r' => Self::Run(place()?, Escapes::Few),
            'R' => Self::Run(place()?, Escapes::Ascii),
            's' => Self::SequenceNumber,
            'i' => Self::AnswerId,
            'o' => Self::Padding,
            _ => return None,
        })
    }
}

/// Makes holes in the text of an event. `hole_of` says what a string, with its quotes, under a key is; the key has its
/// quotes too, and is empty in a list.
pub(super) fn with_holes(
    data: &str,
    is_numbered: bool,
    mut hole_of: impl FnMut(&str, &str) -> Option<Hole>,
) -> String {
    let (mut out, mut rest, mut key) = (String::with_capacity(data.len()), data, "");
    while let Some(start) = memchr::memchr(b'"', rest.as_bytes()) {
        out.push_str(&rest[..start]);
        let Some(length) = literal_length(&rest[start..]) else {
            out.push_str(&rest[start..]);
            return out;
        };
        let (literal, after) = rest[start..].split_at(length);
        rest = after;
        let blanks = after.len() - after.trim_start().len();
        if after[blanks..].starts_with(':') {
            out.push_str(literal);
            key = literal;
            if is_numbered && literal == "\"sequence_number\"" {
                rest = without_number(after, &mut out);
            }
            continue;
        }
        match hole_of(std::mem::take(&mut key), literal) {
            Some(hole) => hole.write(&mut out),
            None => out.push_str(literal),
        }
    }
    out.push_str(rest);
    out
}

/// Passes over the number behind a key, and leaves a hole for it.
fn without_number<'a>(after: &'a str, out: &mut String) -> &'a str {
    let number = after.trim_start_matches(|c: char| c == ':' || c.is_ascii_whitespace());
    let digits = number.len() - number.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 {
        return after;
    }
    out.push_str(&after[..after.len() - number.len()]);
    Hole::SequenceNumber.write(out);
    &number[digits..]
}

/// How long the string is that begins here, with both its quotes.
fn literal_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Fills holes. Those that `filling` has nothing for stay.
pub(super) fn fill(data: &str, filling: &dyn Fn(Hole) -> Option<String>) -> String {
    let mut out = String::with_capacity(data.len() + 64);
    let mut parts = data.split(HOLE);
    out.push_str(parts.next().unwrap_or_default());
    while let Some(name) = parts.next() {
        let hole = Hole::read(name);
        match hole.and_then(filling) {
            Some(text) => out.push_str(&text),
            None => hole.into_iter().for_each(|hole| hole.write(&mut out)),
        }
        out.push_str(parts.next().unwrap_or_default());
    }
    out
}

/// A text as a string of JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text as a string of JSON.
pub(super) fn quoted_as(text: &str, escapes: Escapes) -> String {
    let few = quoted(text);
    match escapes {
        Escapes::Few => few,
        Escapes::Ascii => {
            let mut ascii = String::with_capacity(few.len() * 2);
            for character in few.chars() {
                match character {
                    ' '..='~' => ascii.push(character),
                    _ => character
                        .encode_utf16(&mut [0; 2])
                        .iter()
                        .for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}"))),
                }
            }
            ascii
        }
    }
}

/// A text as the strings of JSON that may stand for it.
pub(super) struct Written {
    few: String,
    ascii: Option<String>,
}

impl Written {
    pub(super) fn of(text: &str) -> Self {
        let is_ascii = text.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte.is_ascii_whitespace());
        Self {
            few: quoted_as(text, Escapes::Few),
            ascii: (!is_ascii).then(|| quoted_as(text, Escapes::Ascii)),
        }
    }

    /// How a string of JSON is escaped that stands for this text; none where it stands for another or is written otherwise.
    pub(super) fn escapes_of(&self, literal: &str) -> Option<Escapes> {
        if self.few == literal {
            Some(Escapes::Few)
        } else {
            (self.ascii.as_deref() == Some(literal)).then_some(Escapes::Ascii)
        }
    }
}
