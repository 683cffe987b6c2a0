//! What one read from a provider completed, as one unit of work: one record, one commit, one look for each reader.

use std::task::Poll;

use futures_util::{StreamExt, poll};
use wordhoard_model::{Rest, Usage};
use wordhoard_providers::{AnswerPart, AnswerRest, AnswerStream, Broken, Completion, Delta, ProviderEvent};
use wordhoard_record::Coder;

/// A frame is closed once it has so many tokens, or so many bytes of what came with them (docs/decisions/0026-frames-and-runs.md).
const MAX_TOKENS: usize = 1_024;
const MAX_BYTES: usize = 256 << 10;
/// The most that is kept of events until a token comes, or the end. A provider that says more without one is not told by its events.
const MAX_HELD_BYTES: usize = 1 << 20;

/// An answer, by its frames.
pub(super) struct Frames<'a> {
    answer: &'a mut AnswerStream,
    /// What came and was not given yet. Whoever stops listening finds it here.
    gathered: Vec<Delta>,
    bytes: usize,
    /// How many of them came out of events that are coded.
    told: usize,
    /// The event whose tokens are coming.
    current: Option<ProviderEvent>,
    coder: Coder,
    /// Events behind the last token. They are told with the next one, or with the end.
    held: Vec<ProviderEvent>,
    held_bytes: usize,
    keeps_events: bool,
    /// What came behind what was gathered.
    behind: Option<Received>,
}

/// What came.
pub(super) enum Received {
    Frame(Frame),
    /// The provider has counted.
    Usage(Usage),
    Completed(Box<Completion>),
    Failed(Broken),
    /// The stream ended without a word.
    Nothing,
}

/// Tokens, at least one, and the events that they stood in, coded, where those are kept.
pub(super) struct Frame {
    pub(super) deltas: Vec<Delta>,
    pub(super) events: Option<Box<[u8]>>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(answer: &'a mut AnswerStream) -> Self {
        Self {
            answer,
            gathered: Vec::new(),
            bytes: 0,
            told: 0,
            current: None,
            coder: Coder::default(),
            held: Vec::new(),
            held_bytes: 0,
            keeps_events: true,
            behind: None,
        }
    }

    /// The next frame, or what is no token. Dropping the future loses nothing that came.
    pub(super) async fn next(&mut self) -> Received {
        while self.gathered.is_empty() {
            if let Some(other) = self.behind.take() {
                return other;
            }
            let part = self.answer.next().await;
            self.behind = self.take(part);
        }
        self.gather().await;
        match self.take_frame() {
            Some(frame) => Received::Frame(frame),
            None => Received::Nothing,
        }
    }

    /// What came and was not given.
    pub(super) fn take_frame(&mut self) -> Option<Frame> {
        (self.bytes, self.told, self.current) = (0, 0, None);
        let deltas = std::mem::take(&mut self.gathered);
        let mut events = Vec::new();
        self.coder.take(&mut events);
        (!deltas.is_empty())
            .then(|| Frame { deltas, events: (!events.is_empty()).then(|| events.into_boxed_slice()) })
    }

    /// What is kept of the end of an answer that is whole.
    pub(super) fn rest(&mut self, told: AnswerRest) -> Rest {
        match told {
            AnswerRest::Document(document) => Rest::Document(document),
            AnswerRest::Events(events) if self.keeps_events => {
                let mut rest = Vec::new();
                for event in self.held.drain(..).chain(events) {
                    code(&mut self.coder, &event, &[]);
                }
                self.coder.take(&mut rest);
                Rest::Events(rest.into())
            }
            AnswerRest::Events(_) | AnswerRest::Nothing => Rest::Nothing,
        }
    }

    /// Takes all that is there. The connection hands on one chunk at a time, each by another task: so that one gets its turn, and only
    /// where it had nothing then, nothing is there.
    async fn gather(&mut self) {
        let mut had_its_turn = false;
        // No frame divides an event.
        while self.behind.is_none() && (self.current.is_some() || !self.is_full()) {
            match poll!(self.answer.next()) {
                Poll::Ready(part) => {
                    self.behind = self.take(part);
                    had_its_turn = false;
                }
                Poll::Pending if had_its_turn => return,
                Poll::Pending => {
                    had_its_turn = true;
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.gathered.len() >= MAX_TOKENS || self.bytes >= MAX_BYTES
    }

    /// Takes a token or an event in; gives what is neither.
    fn take(&mut self, part: Option<Result<AnswerPart, Broken>>) -> Option<Received> {
        match part {
            Some(Ok(AnswerPart::Delta(delta))) => {
                self.push(delta);
                None
            }
            Some(Ok(AnswerPart::Event(event))) => {
                self.event(event);
                None
            }
            Some(Ok(AnswerPart::Usage(usage))) => Some(Received::Usage(usage)),
            Some(Ok(AnswerPart::Completed(completion))) => Some(Received::Completed(completion)),
            Some(Err(broken)) => Some(Received::Failed(broken)),
            None => Some(Received::Nothing),
        }
    }

    /// Takes a token in, and its event with the last of its tokens.
    fn push(&mut self, delta: Delta) {
        self.bytes += delta.text.len();
        self.gathered.push(delta);
        let tokens = self.gathered.get(self.told..).unwrap_or_default();
        if let Some(event) = self.current.take_if(|event| event.delta_count <= tokens.len()) {
            let texts: Vec<&str> = tokens.iter().map(|delta| delta.text.as_str()).collect();
            code(&mut self.coder, &event, &texts);
            self.bytes += event.data.len();
            self.told = self.gathered.len();
        }
    }

    /// Takes an event in, whose tokens come next.
    fn event(&mut self, event: ProviderEvent) {
        if !self.keeps_events {
            return;
        }
        if event.delta_count > 0 {
            for held in self.held.drain(..) {
                code(&mut self.coder, &held, &[]);
            }
            self.held_bytes = 0;
            self.current = Some(event);
            return;
        }
        self.held_bytes += event.data.len();
        self.held.push(event);
        if self.held_bytes > MAX_HELD_BYTES {
            self.keeps_events = false;
            self.held = Vec::new();
        }
    }
}

/// Codes an event, out of which tokens with these texts came.
fn code(coder: &mut Coder, event: &ProviderEvent, texts: &[&str]) {
    coder.code(event.name.as_deref().unwrap_or_default(), &event.data, texts);
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn answer(parts: Vec<Result<AnswerPart, Broken>>) -> AnswerStream {
        stream::iter(parts).boxed()
    }

    fn delta(text: &str) -> Result<AnswerPart, Broken> {
        Ok(AnswerPart::Delta(Delta::text(text)))
    }

    #[tokio::test]
    async fn all_that_is_there_is_one_frame_and_what_ends_it_comes_behind() {
        let usage = Usage { input_tokens: 1, ..Usage::default() };
        let parts = vec![
            delta("a"),
            delta("b"),
            Ok(AnswerPart::Usage(usage)),
            delta("c"),
            Ok(AnswerPart::Completed(Box::default())),
        ];
        let mut answer = answer(parts);
        let mut frames = Frames::new(&mut answer);
        assert!(matches!(frames.next().await, Received::Frame(frame) if frame.deltas.len() == 2));
        assert!(matches!(frames.next().await, Received::Usage(told) if told == usage));
        assert!(matches!(frames.next().await, Received::Frame(frame) if frame.deltas.len() == 1));
        assert!(matches!(frames.next().await, Received::Completed(_)));
        assert!(matches!(frames.next().await, Received::Nothing));
    }

    #[tokio::test]
    async fn a_frame_is_closed_where_it_is_large() {
        let many = (0..2_000).map(|_| delta("x")).collect();
        let mut many = answer(many);
        let mut frames = Frames::new(&mut many);
        for length in [1_024, 976] {
            assert!(matches!(frames.next().await, Received::Frame(frame) if frame.deltas.len() == length));
        }
        let long = "x".repeat(200 << 10);
        let mut long = answer((0..3).map(|_| delta(&long)).collect());
        let mut frames = Frames::new(&mut long);
        for length in [2, 1] {
            assert!(matches!(frames.next().await, Received::Frame(frame) if frame.deltas.len() == length));
        }
    }

    /// However large: the events of a frame are those of its tokens.
    #[tokio::test]
    async fn no_event_is_divided() {
        let event = |delta_count| {
            let data = format!("{{\"of\":{delta_count}}}");
            Ok(AnswerPart::Event(ProviderEvent { name: None, data, delta_count }))
        };
        let long = "x".repeat(MAX_BYTES);
        let mut parts =
            vec![event(0), event(2), delta(&long), delta("a"), event(1), delta("b"), event(1_500)];
        parts.extend((0..1_500).map(|_| delta("c")));
        parts.extend([event(0), Ok(AnswerPart::Completed(Box::default()))]);
        let mut answer = answer(parts);
        let mut frames = Frames::new(&mut answer);
        let mut reader = wordhoard_record::Reader::default();
        for (deltas, told) in [(2, vec![0, 2]), (1_501, vec![1, 1_500])] {
            let Received::Frame(frame) = frames.next().await else { panic!("no frame") };
            assert_eq!(frame.deltas.len(), deltas);
            let mut counts = Vec::new();
            let texts = frame.deltas.iter().map(|delta| delta.text.as_str());
            reader.read(&frame.events.unwrap(), texts, |event| counts.push(event.token_count)).unwrap();
            assert_eq!(counts, told);
        }
        assert!(matches!(frames.next().await, Received::Completed(_)));
        assert!(
            matches!(frames.rest(AnswerRest::Events(Vec::new())), Rest::Events(rest) if !rest.is_empty())
        );
    }

    #[tokio::test]
    async fn whoever_stops_listening_loses_nothing_that_came() {
        let mut answer = stream::iter([delta("a")]).chain(stream::pending()).boxed();
        let mut frames = Frames::new(&mut answer);
        {
            let mut next = std::pin::pin!(frames.next());
            assert!(poll!(&mut next).is_pending(), "the connection has its turn first");
        }
        assert_eq!(frames.take_frame().unwrap().deltas.len(), 1);
    }
}
