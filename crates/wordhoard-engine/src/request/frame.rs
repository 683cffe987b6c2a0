//! What a provider said at one time, as one unit of work: one record, one commit, one look for each reader.

use std::collections::VecDeque;

use futures_util::{FutureExt, StreamExt};
use wordhoard_model::{Rest, Usage};
use wordhoard_providers::{
    AnswerPart, AnswerRest, AnswerStream, Broken, Completion, Delta, Pieces, ProviderEvent,
};
use wordhoard_record::Coder;

/// A frame is closed once it has so many tokens, or so many bytes of what came with them (docs/decisions/0026-frames-and-runs.md).
const MAX_TOKENS: usize = 1_024;
const MAX_BYTES: usize = 256 << 10;
/// The most that is kept of events until a token comes, or the end. A provider that says more without one is not told by its events.
const MAX_HELD_BYTES: usize = 1 << 20;
/// How often an answer is looked at that is wanted no more: it gives other tasks a turn between two looks at its connection.
const LAST_LOOKS: usize = 8;

/// An answer, by its frames.
pub(super) struct Frames<'a> {
    answer: &'a mut AnswerStream,
    /// Frames that were not given yet.
    closed: VecDeque<Frame>,
    /// The tokens of the frame that is not closed yet, and the bytes of them and of what they came out of.
    open: Vec<Delta>,
    open_bytes: usize,
    coder: Coder,
    /// Events behind the last token. They are told with the next one, or with the end.
    held: Vec<ProviderEvent>,
    held_bytes: usize,
    keeps_events: bool,
    /// Whether anything has come.
    has_begun: bool,
    last_looks: usize,
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
            closed: VecDeque::new(),
            open: Vec::new(),
            open_bytes: 0,
            coder: Coder::default(),
            held: Vec::new(),
            held_bytes: 0,
            keeps_events: true,
            has_begun: false,
            last_looks: LAST_LOOKS,
        }
    }

    /// The next frame, or what is no token. Dropping the future loses nothing that came.
    pub(super) async fn next(&mut self) -> Received {
        loop {
            if let Some(frame) = self.closed.pop_front() {
                return Received::Frame(frame);
            }
            let part = self.answer.next().await;
            self.has_begun = true;
            match part {
                Some(Ok(AnswerPart::Pieces(pieces))) => self.divide(pieces),
                Some(Ok(AnswerPart::Usage(usage))) => return Received::Usage(usage),
                Some(Ok(AnswerPart::Completed(completion))) => return Received::Completed(completion),
                Some(Err(broken)) => return Received::Failed(broken),
                None => return Received::Nothing,
            }
        }
    }

    /// What has come by now, for who takes no more: nothing is waited for, a provider that never pauses is left, and one that was not
    /// called yet is not called.
    pub(super) fn by_now(&mut self) -> Option<Received> {
        if let Some(frame) = self.closed.pop_front() {
            return Some(Received::Frame(frame));
        }
        while self.has_begun && self.last_looks > 0 {
            self.last_looks -= 1;
            if let Some(received) = self.next().now_or_never() {
                return Some(received);
            }
        }
        None
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

    /// Makes frames of what came. None of them divides an event.
    fn divide(&mut self, Pieces { deltas, events }: Pieces) {
        let mut deltas = deltas.into_iter();
        for event in events {
            if event.delta_count == 0 {
                self.hold(event);
                continue;
            }
            let first = self.open.len();
            self.open.extend(deltas.by_ref().take(event.delta_count));
            self.open_bytes += self.open[first..].iter().map(|delta| delta.text.len()).sum::<usize>();
            if self.keeps_events {
                self.open_bytes += event.data.len();
                self.held_bytes = 0;
                self.held.drain(..).for_each(|held| code(&mut self.coder, &held, &[]));
                code(&mut self.coder, &event, &self.open[first..]);
            }
            self.close_if_large();
        }
        for delta in deltas {
            self.open_bytes += delta.text.len();
            self.open.push(delta);
            self.close_if_large();
        }
        self.close();
    }

    fn close_if_large(&mut self) {
        if self.open.len() >= MAX_TOKENS || self.open_bytes >= MAX_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        self.open_bytes = 0;
        let deltas = std::mem::take(&mut self.open);
        if !deltas.is_empty() {
            let mut events = Vec::new();
            self.coder.take(&mut events);
            let events = (!events.is_empty()).then(|| events.into_boxed_slice());
            self.closed.push_back(Frame { deltas, events });
        }
    }

    /// Keeps an event out of which no token came.
    fn hold(&mut self, event: ProviderEvent) {
        if !self.keeps_events {
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

/// Codes an event, out of which these tokens came.
fn code(coder: &mut Coder, event: &ProviderEvent, tokens: &[Delta]) {
    let name = event.name.as_deref().unwrap_or_default();
    match tokens {
        [token] => coder.code(name, &event.data, &[&token.text]),
        tokens => {
            let texts: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
            coder.code(name, &event.data, &texts);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    type Part = Result<AnswerPart, Broken>;

    fn answer(parts: Vec<Part>) -> AnswerStream {
        stream::iter(parts).boxed()
    }

    fn pieces(texts: &[&str]) -> Part {
        let deltas: Vec<_> = texts.iter().map(|text| Delta::text(*text)).collect();
        Ok(AnswerPart::Pieces(deltas.into()))
    }

    #[tokio::test]
    async fn all_that_came_at_one_time_is_one_frame() {
        let usage = Usage { input_tokens: 1, ..Usage::default() };
        let completed = Ok(AnswerPart::Completed(Box::default()));
        let parts = vec![pieces(&["a", "b"]), Ok(AnswerPart::Usage(usage)), pieces(&["c"]), completed];
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
        let mut many = answer(vec![pieces(&["x"; 2_000])]);
        let mut frames = Frames::new(&mut many);
        for length in [1_024, 976] {
            assert!(matches!(frames.next().await, Received::Frame(frame) if frame.deltas.len() == length));
        }
        let long = "x".repeat(200 << 10);
        let mut long = answer(vec![pieces(&[long.as_str(); 3])]);
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
            ProviderEvent { name: None, data, delta_count }
        };
        let long = "x".repeat(MAX_BYTES);
        let texts = [&[long.as_str(), "a", "b"][..], &["c"; 1_500]].concat();
        let came = Pieces {
            deltas: texts.into_iter().map(Delta::text).collect(),
            events: [0, 2, 1, 1_500, 0].into_iter().map(event).collect(),
        };
        let mut answer =
            answer(vec![Ok(AnswerPart::Pieces(came)), Ok(AnswerPart::Completed(Box::default()))]);
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
        let late = stream::once(async {
            tokio::task::yield_now().await;
            pieces(&["b"])
        });
        let usage = Usage { input_tokens: 1, ..Usage::default() };
        let further = stream::iter([Ok(AnswerPart::Usage(usage)), pieces(&["c"])]);
        let mut answer =
            stream::iter([pieces(&["a"])]).chain(late).chain(further).chain(stream::pending()).boxed();
        let mut frames = Frames::new(&mut answer);
        assert!(frames.by_now().is_none(), "nobody was called yet");
        assert!(matches!(frames.next().await, Received::Frame(_)));
        assert!(
            matches!(frames.by_now(), Some(Received::Frame(frame)) if frame.deltas == [Delta::text("b")])
        );
        assert!(matches!(frames.by_now(), Some(Received::Usage(told)) if told == usage));
        assert!(
            matches!(frames.by_now(), Some(Received::Frame(frame)) if frame.deltas == [Delta::text("c")])
        );
        assert!(frames.by_now().is_none());
    }

    #[tokio::test]
    async fn a_provider_that_never_pauses_is_left() {
        let mut answer = stream::repeat_with(|| pieces(&["x"])).boxed();
        let mut frames = Frames::new(&mut answer);
        assert!(matches!(frames.next().await, Received::Frame(_)));
        assert!(std::iter::from_fn(|| frames.by_now()).count() <= LAST_LOOKS);
    }
}
