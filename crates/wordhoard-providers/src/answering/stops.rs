//! Stop sequences that a provider cannot be given: the answer is cut where one begins (SPEC FD 12, emulated).

use std::collections::VecDeque;

use futures_util::{StreamExt, stream};
use wordhoard_model::{FinishReason, TokenKind, Usage, UsageDetails};
use wordhoard_wire::{Completion, Delta};

use crate::{AnswerPart, AnswerStream, Broken, Pieces};

/// The answer up to the first of the stops. Text that may be the beginning of one is held back until it is known not to be.
pub(super) fn cut_at(stops: Vec<String>, answer: AnswerStream) -> AnswerStream {
    if stops.is_empty() {
        return answer;
    }
    let cutter = Cutter {
        stops,
        held: String::new(),
        answer: Some(answer),
        free: Vec::new(),
        ready: VecDeque::new(),
        usage: None,
    };
    stream::unfold(cutter, Cutter::next).boxed()
}

struct Cutter {
    stops: Vec<String>,
    /// Text that a stop may begin with.
    held: String,
    /// None once the answer has ended. Dropping it closes the provider's connection.
    answer: Option<AnswerStream>,
    /// Pieces that no stop begins with.
    free: Vec<Delta>,
    ready: VecDeque<Result<AnswerPart, Broken>>,
    /// What the provider has counted so far.
    usage: Option<Usage>,
}

impl Cutter {
    async fn next(mut self) -> Option<(Result<AnswerPart, Broken>, Self)> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Some((part, self));
            }
            let part = self.answer.as_mut()?.next().await;
            match part {
                Some(Ok(AnswerPart::Pieces(pieces))) => {
                    for delta in pieces.deltas {
                        self.take(delta);
                        if self.answer.is_none() {
                            break;
                        }
                    }
                    self.give();
                }
                Some(Ok(AnswerPart::Usage(usage))) => {
                    self.usage = Some(usage);
                    self.ready.push_back(Ok(AnswerPart::Usage(usage)));
                }
                Some(part) => {
                    self.release();
                    self.give();
                    self.ready.push_back(part);
                }
                None => self.answer = None,
            }
        }
    }

    fn take(&mut self, delta: Delta) {
        if delta.kind != TokenKind::Text {
            self.release();
            self.free.push(delta);
            return;
        }
        self.held.push_str(&delta.text);
        let found = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        if let Some(place) = found {
            self.held.truncate(place);
            self.release();
            self.answer = None;
            let finish_reason = Some(FinishReason(FinishReason::STOP.to_owned()));
            // The provider has not told its last count.
            let usage = self.usage.unwrap_or_default();
            let usage = Some(Usage { details: UsageDetails { is_estimate: true, ..usage.details }, ..usage });
            let completion = Completion { finish_reason, usage, ..Completion::default() };
            self.give();
            self.ready.push_back(Ok(AnswerPart::Completed(Box::new(completion))));
            return;
        }
        let safe = self.held.len() - self.held_back();
        let rest = self.held.split_off(safe);
        self.release();
        self.held = rest;
    }

    /// The length of the longest end of the text that a stop begins with.
    fn held_back(&self) -> usize {
        let ends = self.held.char_indices().map(|(place, _)| &self.held[place..]);
        let may_be_stop = |end: &&str| self.stops.iter().any(|stop| stop.starts_with(end));
        ends.into_iter().find(may_be_stop).map_or(0, str::len)
    }

    fn release(&mut self) {
        if !self.held.is_empty() {
            self.free.push(Delta::text(std::mem::take(&mut self.held)));
        }
    }

    fn give(&mut self) {
        if !self.free.is_empty() {
            let free = std::mem::take(&mut self.free);
            self.ready.push_back(Ok(AnswerPart::Pieces(Pieces::from(free))));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::stream;

    use super::*;

    fn cut(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let part = |text: &&str| Ok(AnswerPart::Pieces(Pieces::from(vec![Delta::text(*text)])));
        let deltas = pieces.iter().map(part).collect::<Vec<_>>();
        let whole = Ok(AnswerPart::Completed(Box::default()));
        let answer = stream::iter(deltas.into_iter().chain([whole])).boxed();
        let stops = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let parts: Vec<_> = cut_at(stops, answer).collect().now_or_never().unwrap();
        let texts = parts.iter().filter_map(|part| match part {
            Ok(AnswerPart::Pieces(pieces)) => Some(pieces.deltas.iter().map(|delta| delta.text.as_str())),
            _ => None,
        });
        let is_cut =
            matches!(parts.last(), Some(Ok(AnswerPart::Completed(end))) if end.finish_reason.is_some());
        (texts.flatten().collect(), is_cut)
    }

    #[test]
    fn answer_ends_before_the_first_stop() {
        assert_eq!(cut(&["END"], &["one ", "E", "N", "D two"]), ("one ".into(), true));
        assert_eq!(cut(&["END"], &["one E", "N", "o two EN"]), ("one ENo two EN".into(), false));
        assert_eq!(cut(&["\n", "ü"], &["aü", "b\nc"]), ("a".into(), true));
        assert_eq!(cut(&["aab"], &["a", "a", "a", "b", "c"]), ("a".into(), true));
        assert_eq!(cut(&["x"], &["日本", " ✓"]), ("日本 ✓".into(), false));
    }
}
