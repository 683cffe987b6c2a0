use super::WireEvent;
use super::recorder::text_of;
use super::runs::Runs;
use super::template::{Hole, Source, Template, fill, quoted_as};
use crate::Delta;

/// A text and its padding are a multiple of so many bytes.
const PADDED_TO_BYTES: usize = 16;

/// Takes the pieces of an answer out of their envelopes: the events come back that the provider sent.
#[derive(Debug, Default)]
pub(crate) struct Replayer {
    runs: Runs,
    /// That of the last event with a piece.
    current: Option<Template>,
    /// The pieces of an event that has more.
    group: Vec<Delta>,
}

/// What a piece gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Replayed {
    /// The events that are whole with it, and the pieces that came out of them.
    Events(Vec<WireEvent>, Vec<Delta>),
    /// It is in no envelope; it waits with those that waited for it to make an event.
    Bare,
}

impl Replayer {
    /// Takes the next piece.
    pub(crate) fn piece(&mut self, piece: &Delta) -> Replayed {
        let mut events = Vec::new();
        if let Some(envelope) = &piece.envelope {
            self.current = None;
            for template in Template::read_all(envelope) {
                match template.source {
                    Source::Event { pieces: 0 } => events.push(self.event(&template, &[])),
                    Source::Event { .. } => self.current = Some(template),
                    Source::Document => {}
                }
            }
        }
        self.group.push(piece.clone());
        let Some(Template { source: Source::Event { pieces }, .. }) = self.current else {
            return Replayed::Bare;
        };
        if self.group.len() < pieces {
            return Replayed::Events(events, Vec::new());
        }
        let group = self.take_waiting();
        group.iter().for_each(|piece| self.runs.push(piece));
        events.extend(self.current.as_ref().map(|template| self.event(template, &group)));
        Replayed::Events(events, group)
    }

    /// The pieces that wait for others of their event.
    pub(crate) fn take_waiting(&mut self) -> Vec<Delta> {
        std::mem::take(&mut self.group)
    }

    /// The events that came behind the last piece.
    pub(crate) fn rest(&self, envelope: &str) -> Vec<WireEvent> {
        let events = Template::read_all(envelope).filter(|template| template.source != Source::Document);
        events.map(|template| self.event(&template, &[])).collect()
    }

    fn event(&self, template: &Template, pieces: &[Delta]) -> WireEvent {
        let texts: Vec<String> = pieces.iter().map(|piece| text_of(piece).unwrap_or_default()).collect();
        let said: usize = texts.iter().map(String::len).sum();
        let data = fill(&template.data, &|hole| match hole {
            Hole::Piece(place, escapes) => Some(quoted_as(texts.get(place)?, escapes)),
            Hole::Run(place, escapes) => Some(quoted_as(self.runs.get(place)?, escapes)),
            Hole::Padding => Some(format!("\"{}\"", "x".repeat(PADDED_TO_BYTES - said % PADDED_TO_BYTES))),
            Hole::SequenceNumber | Hole::AnswerId => None,
        });
        let name = Some(template.name.clone()).filter(|name| !name.is_empty());
        WireEvent { name, data, is_without_piece: pieces.is_empty() }
    }
}

/// The body that an answer came in, where it came whole.
pub(crate) fn document(envelope: &str, pieces: &[Delta]) -> Option<String> {
    let template = Template::read_all(envelope).find(|template| template.source == Source::Document)?;
    let mut replayer = Replayer::default();
    pieces.iter().for_each(|piece| replayer.runs.push(piece));
    Some(replayer.event(&template, &[]).data)
}
