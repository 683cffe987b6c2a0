//! Answers as streams of events: what all dialects share, around what each does with one event.

use std::fmt::Debug;

use bytes::BytesMut;
use wordhoard_model::{Failure, FailureClass, TokenKind, Usage};

use crate::error_body::{classify_error_body, classify_stream_error, classify_words};
use crate::plain_text::{Part, PlainText, Template};
use crate::{AnswerRest, Completion, Delta, ProviderEvent, sse, tolerant};

/// How much a provider may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest event, in bytes.
    pub max_event_bytes: usize,
}

/// 16 MiB an event: one may hold an image.
impl Default for Limits {
    fn default() -> Self {
        Self { max_event_bytes: 16 << 20 }
    }
}

/// What a dialect does with the events of an answer, one after the other.
pub(crate) trait Fold: Debug + Send {
    /// Takes one event in, and appends the deltas that it holds. An event that is unknown, or says nothing about the
    /// answer, is passed over.
    ///
    /// # Errors
    /// `Malformed` for what the dialect does not allow; `StreamError`, or the class that its code tells, for an error
    /// of the provider. What it held before the fault is in `out` even then.
    fn take(&mut self, event: &sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure>;

    /// What an event says that only says one piece of a text, and changes nothing else in the fold but by [`Fold::say`]; read
    /// strictly. None of any other event, nor of one that only [`Fold::take`] can read.
    fn plain_text<'a>(&self, _event: &'a sse::Event) -> Option<PlainText<'a>> {
        None
    }

    /// Takes in what [`Fold::plain_text`] gave.
    fn say(&mut self, _kind: TokenKind, _part: Part, _text: &str) {}

    /// Whether an event without the blank line behind it is whole, so that it counts at the end of the body.
    fn is_whole(&self, event: &sse::Event) -> bool {
        serde_json::from_str::<serde::de::IgnoredAny>(&event.data).is_ok()
    }

    /// Whether nothing that follows counts.
    fn is_done(&self) -> bool;

    /// Whether the provider has said why it stopped: the answer is whole, only usage may still come.
    fn has_finish_reason(&self) -> bool;

    /// Whether what came is what a client of the dialect can read as it came.
    fn is_of_the_dialect(&self) -> bool {
        true
    }

    /// What the provider has said so far about the answer as a whole.
    fn so_far(&self) -> Completion;

    /// What the provider has said so far of what it counted.
    fn usage(&self) -> Option<Usage> {
        self.so_far().usage
    }

    /// What the provider said about the answer as a whole, once the body ended or nothing that follows counts.
    ///
    /// # Errors
    /// `Cut` where it did not say why it stopped; `StreamError` where it says that it stopped for an error of its own. Such an
    /// answer must not look completed.
    fn finish(&self) -> Result<Completion, Failure>;
}

/// Decodes a provider's stream. Bytes go in as they come, deltas come out as soon as their event is complete.
///
/// Tolerant where it costs nothing (unknown fields and events, no terminal event where the reason to stop was told, no
/// blank line at the end), strict where a token could be lost or half an answer pass for a whole one.
#[derive(Debug)]
pub struct StreamDecoder {
    parser: sse::Parser,
    fold: Box<dyn Fold>,
    /// Of the last event that only said a piece of a text.
    template: Option<Template>,
    /// Whether each event goes the tolerant way.
    parses_each: bool,
    kept: Option<Kept>,
}

/// The events that are kept for clients of the dialect.
#[derive(Debug, Default)]
struct Kept {
    /// Those that nobody has taken yet.
    events: Vec<ProviderEvent>,
    /// Something came that no client of the dialect could read: from there on nothing is kept.
    has_ended: bool,
}

impl Kept {
    fn take(&mut self, event: sse::Event, delta_count: usize, can_be_told: bool) {
        // The mark at the end of a stream is written by who tells it.
        let is_an_object = event.data.trim_start().starts_with('{');
        if !can_be_told || (!is_an_object && delta_count > 0) {
            self.has_ended = true;
        } else if !self.has_ended && is_an_object {
            self.events.push(ProviderEvent { name: event.event, data: event.data, delta_count });
        }
    }
}

impl StreamDecoder {
    pub(crate) fn new(limits: Limits, fold: Box<dyn Fold>) -> Self {
        Self {
            parser: sse::Parser::new(limits.max_event_bytes),
            fold,
            template: None,
            parses_each: false,
            kept: None,
        }
    }

    /// Reads no event in another way than the tolerant one, which is what every other way is measured by.
    #[cfg(feature = "any-bytes")]
    pub fn parse_each(&mut self) {
        self.parses_each = true;
    }

    /// Also gives the events that the deltas come out of, for clients of the provider's dialect.
    pub fn keep_events(&mut self) {
        self.kept = Some(Kept::default());
    }

    /// The events since the last time, in their order: each names how many of the deltas came out of it. Deltas behind all of them
    /// came out of what no client of the dialect could read.
    pub fn take_events(&mut self) -> Vec<ProviderEvent> {
        self.kept.as_mut().map(|kept| std::mem::take(&mut kept.events)).unwrap_or_default()
    }

    /// Takes the next bytes of the body in and appends the deltas that they complete.
    ///
    /// # Errors
    /// As [`decode`](StreamDecoder::decode).
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Delta>) -> Result<(), Failure> {
        self.feed(bytes);
        self.decode(out)
    }

    /// Takes the next bytes of the body in, for [`decode`](StreamDecoder::decode).
    pub fn feed(&mut self, bytes: &[u8]) {
        self.parser.feed(bytes);
    }

    /// Appends the deltas of all events that are complete.
    ///
    /// # Errors
    /// `Malformed` for what the dialect does not allow; `StreamError`, or the class that its code tells, for an error
    /// of the provider. The deltas before it are in `out` even then. Nothing more can be fed after it.
    pub fn decode(&mut self, out: &mut Vec<Delta>) -> Result<(), Failure> {
        while !self.fold.is_done() {
            match self.parser.next_event().map_err(malformed_stream)? {
                Some(event) => self.take(event, out)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Takes in what stands unfinished at the end of the body, if it is whole: some servers leave out the last blank
    /// line. Half an event is dropped; then the missing reason to stop tells.
    ///
    /// # Errors
    /// As [`push`](StreamDecoder::push).
    pub fn end_of_body(&mut self, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if self.fold.is_done() {
            return Ok(());
        }
        match self.parser.take_unfinished() {
            Ok(Some(event)) if self.fold.is_whole(&event) => self.take(event, out),
            _ => Ok(()),
        }
    }

    /// Whether nothing that follows counts.
    pub fn is_done(&self) -> bool {
        self.fold.is_done()
    }

    /// Whether the provider has said why it stopped: the answer is whole, only usage may still come.
    pub fn has_finish_reason(&self) -> bool {
        self.fold.has_finish_reason()
    }

    /// Whether the provider has said all that it says at the end, but for a mark that nothing follows.
    pub fn has_all(&self) -> bool {
        self.fold.has_finish_reason() && self.fold.usage().is_some()
    }

    /// What the provider has said so far of what it counted.
    pub fn usage(&self) -> Option<Usage> {
        self.fold.usage()
    }

    /// What the provider has said so far about the answer as a whole: what a failed call consumed, if that is known.
    pub fn so_far(&self) -> Completion {
        self.fold.so_far()
    }

    /// What the provider said at the end, once the body ended or nothing that follows counts.
    ///
    /// # Errors
    /// `Cut` where it did not say why it stopped; `StreamError` where it says that it stopped for an error of its own. Such an
    /// answer must not look completed.
    pub fn finish(&self) -> Result<Completion, Failure> {
        let completion = self.fold.finish()?;
        let rest = match &self.kept {
            Some(kept) if !kept.has_ended => AnswerRest::Events(kept.events.clone()),
            _ => AnswerRest::Nothing,
        };
        Ok(Completion { rest, ..completion })
    }

    fn take(&mut self, event: sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if let Some(delta) = self.take_plain_text(&event) {
            out.push(delta);
            if let Some(kept) = &mut self.kept {
                kept.take(event, 1, self.fold.is_of_the_dialect());
            }
            return Ok(());
        }
        // What it says may change what another event like the template would.
        self.template = None;
        let before = out.len();
        let taken = self.fold.take(&event, out).and_then(|()| match event.event.as_deref() {
            Some("error") => Err(told_as_error(&event.data)),
            _ => Ok(()),
        });
        if let Some(kept) = &mut self.kept {
            let can_be_told = taken.is_ok() && !event.is_bare && self.fold.is_of_the_dialect();
            kept.take(event, out.len() - before, can_be_told);
        }
        taken
    }

    fn take_plain_text(&mut self, event: &sse::Event) -> Option<Delta> {
        let name = event.event.as_deref();
        if self.parses_each || event.is_bare || name == Some("error") || !event.data.starts_with('{') {
            return None;
        }
        let known = self.template.as_ref().and_then(|template| template.read(name, &event.data));
        let plain = match known {
            Some(plain) => plain,
            None => {
                let plain = self.fold.plain_text(event)?;
                self.template = Template::of(name, &event.data, &plain);
                plain
            }
        };
        self.fold.say(plain.kind, plain.part, plain.text);
        Some(Delta::new(plain.kind, plain.text))
    }
}

/// What every event of an answer repeats, or its first one tells; a client knows by it that they belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerHead {
    /// The id of the answer, such as `chatcmpl-…`.
    pub id: String,
    /// When it was begun, in seconds since 1970.
    pub created_s: u64,
    /// The model that answers.
    pub model: String,
}

/// Encodes an answer as a stream for a client, event by event. A pure fold: the same deltas give the same bytes.
pub trait EncodeStream: Debug + Send {
    /// Writes what opens the answer. The first delta or the end writes it if it was not written yet.
    fn open(&mut self, out: &mut BytesMut);

    /// Writes one delta.
    fn delta(&mut self, out: &mut BytesMut, delta: &Delta);

    /// Writes the deltas that came out of an event of a provider of the client's dialect, or the event itself.
    fn told(&mut self, out: &mut BytesMut, _event: ProviderEvent, deltas: &[Delta]) {
        deltas.iter().for_each(|delta| self.delta(out, delta));
    }

    /// Hears that the pieces from here on come from another call of a model than those before.
    fn another_call(&mut self, _out: &mut BytesMut) {}

    /// Goes on with a stream that another encoder has begun. It got the same pieces until now; the head is given where
    /// that one told another, and the events where it told another number of them.
    fn take_over(&mut self, _head: Option<&AnswerHead>, _event_count: u64) {}

    /// Hears when the answer ended, in seconds since 1970, before its end is written. Most dialects do not tell it.
    fn ended(&mut self, _at_s: u64) {}

    /// Writes the end of an answer that is whole, with all that the dialect has for it. Without usage to tell, none is
    /// made up, but for dialects in which it cannot be left out.
    fn finish(&mut self, out: &mut BytesMut, completion: &Completion);

    /// Writes a failure in mid-stream. Nothing of a clean end follows.
    fn fail(&mut self, out: &mut BytesMut, failure: &Failure);
}

/// The failure of an event that is named an error, whatever it holds.
fn told_as_error(data: &str) -> Failure {
    classify_error_body(data.as_bytes()).unwrap_or_else(|| match serde_json::from_str(data) {
        Ok(told @ serde_json::Value::Object(_)) => classify_stream_error(&told),
        _ => classify_words(data),
    })
}

fn malformed_stream(error: sse::Error) -> Failure {
    Failure::new(FailureClass::Malformed, format!("the provider's stream cannot be read: {error}"))
}

/// Reads the data of an event; none where it says nothing of this dialect.
///
/// # Errors
/// What it says where it says it in plain words, as an engine does that dies in mid-answer; `Malformed` for JSON that cannot
/// be read, for it may hold a token.
pub(crate) fn read_event<T: serde::de::DeserializeOwned>(event: &sse::Event) -> Result<Option<T>, Failure> {
    let data = event.data.trim();
    // Some servers end every stream like those of OpenAI.
    if data.is_empty() || data == "[DONE]" {
        return Ok(None);
    }
    let error = match tolerant::read(data) {
        Ok(read) => return Ok(Some(read)),
        Err(error) => error,
    };
    let is_json = data.starts_with(['{', '[']);
    match event.event.as_deref() {
        Some("error") => Err(classify_words(data)),
        None | Some("message") if !is_json => Err(classify_words(data)),
        // An event of another name may be a ping.
        Some(_) if !is_json => Ok(None),
        _ => Err(bad_event(&error)),
    }
}

/// Names the place and the kind of the fault, never the data: that may be a piece of an answer.
pub(crate) fn bad_event(error: &serde_json::Error) -> Failure {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Eof => "ends in the middle",
        Category::Data => "has a field of another type than the dialect allows",
        Category::Syntax | Category::Io => "is no JSON",
    };
    // Where the kind of an event had to be read first, the place is not known.
    let place = match error.column() {
        0 => String::new(),
        column => format!(" (column {column})"),
    };
    Failure::new(FailureClass::Malformed, format!("a chunk of the provider's stream {what}{place}"))
}

/// What is said of an answer that ended without a reason to stop.
pub(crate) fn cut() -> Failure {
    Failure::new(FailureClass::Cut, "the stream ended before the answer did")
}
