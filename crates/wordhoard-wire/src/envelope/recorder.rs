use wordhoard_model::TokenKind;

use super::runs::Runs;
use super::template::{Escapes, Hole, Source, Template, Written, is_plain, with_holes};
use crate::{Delta, ToolCallPiece, sse};

/// The most that goes along with one piece. Events of this size hold images; a record has to stay far below 16 MiB.
const MAX_BYTES: usize = 1 << 20;
/// Says that what comes from here on is in no envelope.
const END: &str = "";

/// Puts the events of a stream into envelopes for the pieces that come out of them.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    runs: Runs,
    /// That of the last event with a piece.
    last: Option<Template>,
    /// What goes along with the next piece.
    waiting: String,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Recording,
    /// It became too much; the next piece says so.
    Ending,
    Ended,
}

impl Recorder {
    /// Takes an event in, and puts its envelope around the pieces that came out of it. `answer_id` is the provider's, in
    /// dialects that name it in their events and number these.
    pub(crate) fn take(&mut self, event: &sse::Event, answer_id: Option<&str>, pieces: &mut [Delta]) {
        // No event of JSON has such a character, and the mark at the end of a stream is written by who tells it.
        let is_told = is_plain(&event.data) && event.event.as_deref().is_none_or(is_plain);
        if self.stage == Stage::Recording && is_told && event.data.starts_with('{') {
            self.record(event, answer_id, pieces);
        } else if self.stage == Stage::Ending {
            self.end(pieces);
        }
    }

    /// Takes pieces whose event is not kept.
    pub(crate) fn end(&mut self, pieces: &mut [Delta]) {
        if let (true, Some(first)) = (self.stage != Stage::Ended, pieces.first_mut()) {
            first.envelope = Some(END.into());
            self.stage = Stage::Ended;
        }
    }

    /// What goes along with the end of the answer.
    pub(crate) fn rest(&self) -> Option<Box<str>> {
        (self.stage == Stage::Recording).then(|| self.waiting.as_str().into())
    }

    fn record(&mut self, event: &sse::Event, answer_id: Option<&str>, pieces: &mut [Delta]) {
        pieces.iter().for_each(|piece| self.runs.push(piece));
        let template = Template {
            source: Source::Event { pieces: pieces.len() },
            name: event.event.clone().unwrap_or_default(),
            data: data_with_holes(&event.data, answer_id, pieces, &self.runs),
        };
        let Some(first) = pieces.first_mut() else {
            template.write(&mut self.waiting);
            return self.keep_within_bounds();
        };
        if self.waiting.is_empty() && self.last.as_ref() == Some(&template) {
            return;
        }
        template.write(&mut self.waiting);
        first.envelope = Some(std::mem::take(&mut self.waiting).into());
        self.last = Some(template);
    }

    fn keep_within_bounds(&mut self) {
        if self.waiting.len() > MAX_BYTES {
            self.stage = Stage::Ending;
            self.waiting = String::new();
        }
    }
}

/// The envelope of an answer that came whole.
pub(crate) fn of_document(body: &str, pieces: &[Delta]) -> Option<Box<str>> {
    if !is_plain(body) || body.len() > MAX_BYTES {
        return None;
    }
    let mut runs = Runs::default();
    pieces.iter().for_each(|piece| runs.push(piece));
    let data = data_with_holes(body, None, &[], &runs);
    let mut out = String::new();
    Template { source: Source::Document, name: String::new(), data }.write(&mut out);
    Some(out.into())
}

fn data_with_holes(data: &str, answer_id: Option<&str>, pieces: &[Delta], runs: &Runs) -> String {
    let written = |piece| text_of(piece).filter(|text| !text.is_empty()).map(|text| Written::of(&text));
    let pieces: Vec<Option<Written>> = pieces.iter().map(written).collect();
    let answer_id = answer_id.map(Written::of);
    with_holes(data, answer_id.is_some(), |key, literal| {
        if key == "\"obfuscation\"" {
            return Some(Hole::Padding);
        }
        for (place, piece) in pieces.iter().enumerate() {
            if let Some(escapes) = piece.as_ref().and_then(|piece| piece.escapes_of(literal)) {
                return Some(Hole::Piece(place, escapes));
            }
        }
        if answer_id.as_ref().is_some_and(|id| id.escapes_of(literal) == Some(Escapes::Few)) {
            return Some(Hole::AnswerId);
        }
        let text: String = Runs::may_be_one(literal).then(|| serde_json::from_str(literal).ok())??;
        let run = runs.find(&text)?;
        Written::of(&text).escapes_of(literal).map(|escapes| Hole::Run(run, escapes))
    })
}

/// The text of a piece as it stood in its event. What was no string there has none.
pub(super) fn text_of(piece: &Delta) -> Option<String> {
    match piece.kind {
        TokenKind::Annotation => None,
        TokenKind::ToolCall => ToolCallPiece::from_text(&piece.text).arguments,
        _ => Some(piece.text.clone()),
    }
}
