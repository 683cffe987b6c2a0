//! Stop sequences that a provider cannot be given: the answer is cut where one begins (SPEC FD 12, emulated).

use std::collections::VecDeque;

use futures_util::{StreamExt, stream};
use wordhoard_model::{FinishReason, TokenKind, Usage, UsageDetails};
use wordhoard_wire::{Completion, Delta};

use crate::{AnswerPart, AnswerStream, Broken};

/// The answer up to the first of the stops. Text that may be the beginning of one is held back until it is known not to be.
pub(super) fn cut_at(stops: Vec<String>, answer: AnswerStream) -> AnswerStream {
    if stops.is_empty() {
        return answer;
    }
    let cutter =
        Cutter { stops, held: String::new(), answer: Some(answer), ready: VecDeque::new(), usage: None };
    stream::unfold(cutter, Cutter::next).boxed()
}

struct Cutter {
    stops: Vec<String>,
    /// Text that a stop may begin with.
    held: String,
    /// None once the answer has ended. Dropping it closes the provider's connection.
    answer: Option<AnswerStream>,
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
                Some(Ok(AnswerPart::Delta(delta))) if delta.kind == TokenKind::Text => self.text(&delta.text),
                Some(Ok(AnswerPart::Usage(usage))) => {
                    self.usage = Some(usage);
                    self.ready.push_back(Ok(AnswerPart::Usage(usage)));
                }
                Some(part) => {
                    self.release();
                    self.ready.push_back(part);
                }
                None => self.answer = None,
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.held.push_str(text);
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
            let delta = Delta::text(std::mem::take(&mut self.held));
            self.ready.push_back(Ok(AnswerPart::Delta(delta)));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::stream;

    use super::*;

    fn cut(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let deltas = pieces.iter().map(|text| Ok(AnswerPart::Delta(Delta::text(*text)))).collect::<Vec<_>>();
        let whole = Ok(AnswerPart::Completed(Box::default()));
        let answer = stream::iter(deltas.into_iter().chain([whole])).boxed();
        let stops = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let parts: Vec<_> = cut_at(stops, answer).collect().now_or_never().unwrap();
        let text = parts.iter().filter_map(|part| match part {
            Ok(AnswerPart::Delta(delta)) => Some(delta.text.as_str()),
            _ => None,
        });
        let is_cut =
            matches!(parts.last(), Some(Ok(AnswerPart::Completed(end))) if end.finish_reason.is_some());
        (text.collect(), is_cut)
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
