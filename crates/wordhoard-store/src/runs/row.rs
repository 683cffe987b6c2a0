//! A row of `llm_token_runs`, and the tokens that it holds.

use std::borrow::Cow;

use wordhoard_model::{
    AttemptSeq, Event, EventBody, RequestId, Seq, Timestamp, Token, TokenIndex, TokenKind,
};

use super::frames;
use super::gather::TokenOfBatch;
use crate::columns::{ColumnError, signed, unsigned};
use crate::escape::{escape, unescape};

/// The columns of a run that say which tokens it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunPlace {
    pub(crate) attempt_seq: i64,
    pub(crate) first_token_index: i64,
    pub(crate) token_count: i64,
    pub(crate) first_seq: i64,
    pub(crate) last_seq: i64,
}

impl RunPlace {
    pub(super) fn has(&self, attempt: AttemptSeq, index: TokenIndex, seq: Seq) -> bool {
        let end = self.first_token_index.saturating_add(self.token_count);
        let has_index = i64::from(attempt.0) == self.attempt_seq
            && (self.first_token_index..end).contains(&signed(index.0));
        has_index || (self.first_seq..=self.last_seq).contains(&signed(seq.0))
    }
}

/// A row as both databases have it, its columns as values. Texts are escaped.
///
/// A row that was read may be nonsense: whoever takes its tokens is told so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunRow<'a> {
    pub(crate) request_id: RequestId,
    pub(crate) place: RunPlace,
    /// Milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) texts: Vec<Cow<'a, str>>,
    /// A letter for each token; none where all are text.
    pub(crate) kinds: Option<String>,
    pub(crate) seq_offsets: Option<Vec<i64>>,
    pub(crate) at_offsets_ms: Option<Vec<i64>>,
    pub(crate) events: Option<Vec<u8>>,
    pub(crate) events_crc: Option<i64>,
}

impl<'a> RunRow<'a> {
    /// Of tokens that [`runs`](super::runs) has put together; none of no tokens.
    pub(crate) fn of(tokens: &[TokenOfBatch<'a>]) -> Option<Self> {
        let (first, last) = (tokens.first()?, tokens.last()?);
        let mut events = Vec::new();
        for (place, token) in tokens.iter().enumerate() {
            if let Some(coded) = &token.token.events {
                frames::put(&mut events, place, coded);
            }
        }
        let kinds = tokens.iter().any(|token| token.token.kind != TokenKind::Text);
        let seq_offsets = tokens.iter().map(|token| signed(token.seq.0) - signed(first.seq.0));
        let at_offsets = tokens.iter().map(|token| token.at.as_millis() - first.at.as_millis());
        Some(Self {
            request_id: first.request_id,
            place: RunPlace {
                attempt_seq: first.token.attempt_seq.0.into(),
                first_token_index: signed(first.token.token_index.0),
                token_count: signed(tokens.len() as u64),
                first_seq: signed(first.seq.0),
                last_seq: signed(last.seq.0),
            },
            at_ms: first.at.as_millis(),
            texts: tokens.iter().map(|token| escape(&token.token.text)).collect(),
            kinds: kinds.then(|| tokens.iter().map(|token| letter(token.token.kind)).collect()),
            seq_offsets: some_unless(seq_offsets, |(place, offset)| offset == signed(place as u64)),
            at_offsets_ms: some_unless(at_offsets, |(_, offset)| offset == 0),
            events_crc: (!events.is_empty()).then(|| crc32c::crc32c(&events).into()),
            events: (!events.is_empty()).then_some(events),
        })
    }

    /// Its tokens, as events.
    ///
    /// # Errors
    /// Where its columns contradict each other: nothing of it is then known for certain.
    pub(crate) fn events(&self) -> Result<Vec<Event>, ColumnError> {
        let count = usize::try_from(self.place.token_count)?;
        let lengths = [
            ("texts", Some(self.texts.len())),
            ("kinds", self.kinds.as_ref().map(String::len)),
            ("seq_offsets", self.seq_offsets.as_ref().map(Vec::len)),
            ("at_offsets_ms", self.at_offsets_ms.as_ref().map(Vec::len)),
        ];
        if let Some((column, length)) =
            lengths.into_iter().find_map(|(column, length)| Some((column, length.filter(|n| *n != count)?)))
        {
            return Err(format!("{column} has {length} elements for {count} tokens").into());
        }
        let mut events = (0..count).map(|place| self.event(place)).collect::<Result<Vec<_>, _>>()?;
        for (place, coded) in self.coded_events(count) {
            if let Some(Event { body: EventBody::Token(token), .. }) = events.get_mut(place) {
                token.events = Some(coded.into());
            }
        }
        Ok(events)
    }

    /// What providers said is no part of what the tokens are: damage in it costs nobody else anything. Whoever tells the events ends with an
    /// error, for they are never bent.
    fn coded_events(&self, token_count: usize) -> Vec<(usize, &[u8])> {
        let events = self.events.as_deref().unwrap_or_default();
        let read = frames::read(events, token_count);
        match read.ok().filter(|_| is_sum_of(self.events.as_deref(), self.events_crc)) {
            Some(frames) => frames,
            None => vec![(0, UNREADABLE)],
        }
    }

    fn event(&self, place: usize) -> Result<Event, ColumnError> {
        let beyond = || ColumnError::from("a number of the run is beyond all numbers");
        let step = i64::try_from(place)?;
        let seq_offset = self.seq_offsets.as_ref().and_then(|offsets| offsets.get(place)).unwrap_or(&step);
        let at_offset = self.at_offsets_ms.as_ref().and_then(|offsets| offsets.get(place)).unwrap_or(&0);
        let letter = self.kinds.as_ref().and_then(|kinds| kinds.as_bytes().get(place)).unwrap_or(&b't');
        let text = self.texts.get(place).map(AsRef::as_ref).unwrap_or_default();
        let token = Token {
            attempt_seq: AttemptSeq(u32::try_from(self.place.attempt_seq)?),
            token_index: TokenIndex(unsigned(
                self.place.first_token_index.checked_add(step).ok_or_else(beyond)?,
            )),
            kind: kind(*letter)?,
            text: unescape(text)?.into_owned(),
            events: None,
        };
        Ok(Event {
            seq: Seq(unsigned(self.place.first_seq.checked_add(*seq_offset).ok_or_else(beyond)?)),
            at: Timestamp::from_millis(self.at_ms.checked_add(*at_offset).ok_or_else(beyond)?),
            body: EventBody::Token(token),
        })
    }

    /// As it stands once what the request said was erased.
    pub(crate) fn blanked(mut self) -> Self {
        self.texts.fill(Cow::Borrowed(""));
        (self.events, self.events_crc) = (None, None);
        self
    }
}

/// In the place of events that are damaged: no events can be read from it.
const UNREADABLE: &[u8] = &[0xff];

/// Whether the events of a row are those that were written.
pub(crate) fn is_sum_of(events: Option<&[u8]>, crc: Option<i64>) -> bool {
    events.map(|events| i64::from(crc32c::crc32c(events))) == crc
}

/// The values, unless each says what nothing would say as well.
fn some_unless(
    values: impl ExactSizeIterator<Item = i64> + Clone,
    says_nothing: impl Fn((usize, i64)) -> bool,
) -> Option<Vec<i64>> {
    (!values.clone().enumerate().all(says_nothing)).then(|| values.collect())
}

fn letter(kind: TokenKind) -> char {
    match kind {
        TokenKind::Text => 't',
        TokenKind::Reasoning => 'r',
        TokenKind::ToolCall => TOOL_CALL,
        TokenKind::Refusal => 'f',
        TokenKind::Annotation => 'a',
    }
}

/// The letter of a tool call, which a query looks for.
const TOOL_CALL: char = 'c';

fn kind(letter: u8) -> Result<TokenKind, ColumnError> {
    Ok(match letter {
        b't' => TokenKind::Text,
        b'r' => TokenKind::Reasoning,
        b'c' => TokenKind::ToolCall,
        b'f' => TokenKind::Refusal,
        b'a' => TokenKind::Annotation,
        other => return Err(format!("{:?} in kinds is no kind of token", char::from(other)).into()),
    })
}
