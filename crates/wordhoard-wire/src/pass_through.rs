//! Answers for clients that speak their provider's dialect: they get the provider's own events. Where there are none, or another
//! call went on with the answer, the dialect's encoder makes the events.

use std::fmt::Debug;

use bytes::BytesMut;
use wordhoard_model::Failure;

use crate::{AnswerHead, AnswerRest, Completion, Delta, EncodeStream, ProviderEvent, sse};

/// What a dialect does with the events of a provider on their way to a client.
pub(crate) trait Rules: Debug + Send {
    /// The event as the client gets it, behind so many others; none where it does not get it.
    fn event(&mut self, event: ProviderEvent, event_count: u64) -> Option<ProviderEvent>;

    /// Whether the encoder has to hear of all pieces, so that it can go on behind them.
    fn is_told_in_blocks(&self) -> bool {
        true
    }

    /// Whether [`Rules::own_end`] looks at what it hears.
    fn needs_own_end(&self) -> bool {
        false
    }

    /// Hears how the encoder would end the answer, before the provider's last events.
    fn own_end(&mut self, _events: &[u8]) {}

    /// What the encoder makes behind the provider's events, as the client gets it: what has begun goes on under the name that the
    /// client knows.
    fn taken_over(&mut self, events: BytesMut) -> BytesMut {
        events
    }

    /// What the events say of the answer as a whole, where all of them have to say the same.
    fn head(&self) -> Option<&AnswerHead> {
        None
    }

    /// Writes what a client needs at the end and the provider may not have sent.
    fn end(&self, out: &mut BytesMut);
}

/// Passes a provider's events through.
#[derive(Debug)]
pub(crate) struct PassThrough<R> {
    rules: R,
    /// Makes the events where there are none to pass through, and takes over where they end.
    encoder: Box<dyn EncodeStream>,
    stage: Stage,
    /// Whether the encoder's opening is told before anything else is known.
    opens_at_once: bool,
    /// Whether the encoder goes on behind events of the provider.
    has_taken_over: bool,
    event_count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No piece came yet.
    Waiting,
    /// The provider's events are told.
    Passing,
    /// The encoder tells.
    Encoding,
}

impl<R: Rules> PassThrough<R> {
    pub(crate) fn new(rules: R, encoder: Box<dyn EncodeStream>) -> Self {
        Self {
            rules,
            encoder,
            stage: Stage::Waiting,
            opens_at_once: false,
            has_taken_over: false,
            event_count: 0,
        }
    }

    /// One whose stream begins with the events of the encoder's opening, so many of them.
    pub(crate) fn opening_at_once(self, event_count: u64) -> Self {
        Self { opens_at_once: true, event_count, ..self }
    }

    fn pass(&mut self, out: &mut BytesMut, event: ProviderEvent) {
        self.stage = Stage::Passing;
        if let Some(ProviderEvent { name, data, .. }) = self.rules.event(event, self.event_count) {
            sse::write_event(out, name.as_deref(), None, None, &data);
            self.event_count += 1;
        }
    }

    /// Tells from here on what the encoder makes.
    fn encode(&mut self) {
        if self.stage == Stage::Passing {
            self.encoder.take_over(self.rules.head(), self.event_count);
            self.has_taken_over = true;
        }
        self.stage = Stage::Encoding;
    }

    /// Tells what the encoder makes.
    fn tell(&mut self, out: &mut BytesMut, make: impl FnOnce(&mut dyn EncodeStream, &mut BytesMut)) {
        if !self.has_taken_over {
            return make(&mut *self.encoder, out);
        }
        let mut made = BytesMut::new();
        make(&mut *self.encoder, &mut made);
        out.extend_from_slice(&self.rules.taken_over(made));
    }
}

impl<R: Rules> EncodeStream for PassThrough<R> {
    fn open(&mut self, out: &mut BytesMut) {
        if self.opens_at_once || self.stage == Stage::Encoding {
            self.encoder.open(out);
        }
    }

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        self.open(out);
        self.encode();
        self.tell(out, |encoder, out| encoder.delta(out, delta));
    }

    fn told(&mut self, out: &mut BytesMut, event: ProviderEvent, deltas: &[Delta]) {
        if self.stage == Stage::Encoding {
            return deltas.iter().for_each(|delta| self.delta(out, delta));
        }
        self.open(out);
        self.pass(out, event);
        if self.rules.is_told_in_blocks() {
            let mut unread = BytesMut::new();
            deltas.iter().for_each(|delta| self.encoder.delta(&mut unread, delta));
        }
    }

    fn another_call(&mut self, _out: &mut BytesMut) {
        if self.stage == Stage::Passing {
            self.encode();
        }
    }

    fn ended(&mut self, at_s: u64) {
        self.encoder.ended(at_s);
    }

    fn finish(&mut self, out: &mut BytesMut, completion: &Completion) {
        self.open(out);
        match &completion.rest {
            // An answer that came whole has no events to pass.
            AnswerRest::Events(events)
                if self.stage == Stage::Passing || (self.stage == Stage::Waiting && !events.is_empty()) =>
            {
                if self.rules.needs_own_end() {
                    let mut own = BytesMut::new();
                    self.encoder.finish(&mut own, completion);
                    self.rules.own_end(&own);
                }
                events.iter().for_each(|event| self.pass(out, event.clone()));
                self.rules.end(out);
            }
            _ => {
                self.encode();
                self.tell(out, |encoder, out| encoder.finish(out, completion));
            }
        }
    }

    fn fail(&mut self, out: &mut BytesMut, failure: &Failure) {
        self.open(out);
        self.encode();
        self.tell(out, |encoder, out| encoder.fail(out, failure));
    }
}

/// A whole answer as its provider told it.
pub(crate) enum Whole {
    /// In one body.
    Document(String),
    /// In these events.
    Events(Vec<ProviderEvent>),
}

/// A whole answer as its provider told it: in these events, then in those at its end. None where that is not kept.
pub(crate) fn whole(
    rules: &mut impl Rules,
    events: Vec<ProviderEvent>,
    completion: &Completion,
) -> Option<Whole> {
    let rest = match &completion.rest {
        AnswerRest::Nothing => return None,
        AnswerRest::Document(document) => return Some(Whole::Document(document.to_string())),
        AnswerRest::Events(rest) => rest.iter().cloned(),
    };
    let passed =
        (0..).zip(events.into_iter().chain(rest)).filter_map(|(count, event)| rules.event(event, count));
    Some(Whole::Events(passed.collect()))
}
