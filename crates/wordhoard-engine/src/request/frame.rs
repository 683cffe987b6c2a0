//! What one read from a provider completed, as one unit of work: one record, one commit, one look for each reader.

use std::task::Poll;

use futures_util::{StreamExt, poll};
use wordhoard_providers::{AnswerPart, AnswerStream, Broken, Completion, Delta};

use wordhoard_model::Usage;

/// A frame is closed once it has so many tokens, or so many bytes of what came with them (docs/decisions/0026-frames-and-runs.md).
const MAX_TOKENS: usize = 1_024;
const MAX_BYTES: usize = 256 << 10;

/// An answer, by its frames.
pub(super) struct Frames<'a> {
    answer: &'a mut AnswerStream,
    /// What came and was not given yet. Whoever stops listening finds it here.
    gathered: Vec<Delta>,
    bytes: usize,
    /// What came behind it.
    behind: Option<Option<Result<AnswerPart, Broken>>>,
}

/// What came.
pub(super) enum Received {
    /// At least one token.
    Frame(Vec<Delta>),
    /// The provider has counted.
    Usage(Usage),
    Completed(Completion),
    Failed(Broken),
    /// The stream ended without a word.
    Nothing,
}

impl<'a> Frames<'a> {
    pub(super) fn new(answer: &'a mut AnswerStream) -> Self {
        Self { answer, gathered: Vec::new(), bytes: 0, behind: None }
    }

    /// The next frame, or what is no token. Dropping the future loses nothing that came.
    pub(super) async fn next(&mut self) -> Received {
        if self.gathered.is_empty() {
            let part = match self.behind.take() {
                Some(part) => part,
                None => self.answer.next().await,
            };
            if let Some(other) = self.take(part) {
                return other;
            }
        }
        self.gather().await;
        Received::Frame(self.take_gathered())
    }

    /// What came and was not given.
    pub(super) fn take_gathered(&mut self) -> Vec<Delta> {
        self.bytes = 0;
        std::mem::take(&mut self.gathered)
    }

    /// Takes all that is there. The connection hands on one chunk at a time, each by another task: so that one gets its turn, and only
    /// where it had nothing then, nothing is there.
    async fn gather(&mut self) {
        let mut had_its_turn = false;
        while self.behind.is_none() && self.gathered.len() < MAX_TOKENS && self.bytes < MAX_BYTES {
            match poll!(self.answer.next()) {
                Poll::Ready(Some(Ok(AnswerPart::Delta(delta)))) => {
                    self.push(delta);
                    had_its_turn = false;
                }
                Poll::Ready(part) => self.behind = Some(part),
                Poll::Pending if had_its_turn => return,
                Poll::Pending => {
                    had_its_turn = true;
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn take(&mut self, part: Option<Result<AnswerPart, Broken>>) -> Option<Received> {
        match part {
            Some(Ok(AnswerPart::Delta(delta))) => {
                self.push(delta);
                None
            }
            Some(Ok(AnswerPart::Usage(usage))) => Some(Received::Usage(usage)),
            Some(Ok(AnswerPart::Completed(completion))) => Some(Received::Completed(completion)),
            Some(Err(broken)) => Some(Received::Failed(broken)),
            None => Some(Received::Nothing),
        }
    }

    fn push(&mut self, delta: Delta) {
        self.bytes += delta.text.len() + delta.envelope.as_ref().map_or(0, |envelope| envelope.len());
        self.gathered.push(delta);
    }
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
            Ok(AnswerPart::Completed(Completion::default())),
        ];
        let mut answer = answer(parts);
        let mut frames = Frames::new(&mut answer);
        assert!(matches!(frames.next().await, Received::Frame(deltas) if deltas.len() == 2));
        assert!(matches!(frames.next().await, Received::Usage(told) if told == usage));
        assert!(matches!(frames.next().await, Received::Frame(deltas) if deltas.len() == 1));
        assert!(matches!(frames.next().await, Received::Completed(_)));
        assert!(matches!(frames.next().await, Received::Nothing));
    }

    #[tokio::test]
    async fn a_frame_is_closed_where_it_is_large() {
        let many = (0..2_000).map(|_| delta("x")).collect();
        let mut many = answer(many);
        let mut frames = Frames::new(&mut many);
        for length in [1_024, 976] {
            assert!(matches!(frames.next().await, Received::Frame(deltas) if deltas.len() == length));
        }
        let long = "x".repeat(200 << 10);
        let mut long = answer((0..3).map(|_| delta(&long)).collect());
        let mut frames = Frames::new(&mut long);
        for length in [2, 1] {
            assert!(matches!(frames.next().await, Received::Frame(deltas) if deltas.len() == length));
        }
    }

    #[tokio::test]
    async fn whoever_stops_listening_loses_nothing_that_came() {
        let mut answer = stream::iter([delta("a")]).chain(stream::pending()).boxed();
        let mut frames = Frames::new(&mut answer);
        {
            let mut next = std::pin::pin!(frames.next());
            assert!(poll!(&mut next).is_pending(), "the connection has its turn first");
        }
        assert_eq!(frames.take_gathered().len(), 1);
    }
}
