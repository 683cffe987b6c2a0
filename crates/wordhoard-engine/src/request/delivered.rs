//! What a lane has given its reader so far, and from where another attempt can go on.

use wordhoard_model::{AttemptSeq, Continues, Lane, TokenIndex, TokenKind, Transcript};

/// The longest beginning of an answer that is kept to go on from, in bytes. No model answers at such length; what is
/// longer is restarted.
const MAX_BYTES: usize = 1 << 20;
/// How many tokens may be given up so that the beginning ends in a word.
const MAX_GIVEN_UP: usize = 8;

/// The answer of a lane as far as it came: the text of its newest attempt that has any, behind the text of those that
/// it continues.
#[derive(Clone, Debug, Default)]
pub(super) struct Delivered {
    text: String,
    /// Where each token of the text ends in it, ascending.
    ends: Vec<(AttemptSeq, TokenIndex, usize)>,
    /// Whether something came that no model can go on from: the fragment of a tool call, a refusal.
    is_stuck: bool,
}

/// A beginning to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    /// The last token of it.
    pub(super) continues: Continues,
    /// All of it. Where it can be had, it ends in a word: behind a blank, several providers begin the rest with another
    /// one.
    pub(super) text: String,
    /// How many tokens it came in. Providers count others, but no fewer.
    pub(super) token_count: usize,
}

impl Delivered {
    /// As a request's events tell it, for one that is taken up again.
    pub(super) fn of_lane(transcript: &Transcript, lane: Lane) -> Self {
        let mut delivered = Self::default();
        let attempts = transcript.state.attempts().iter().zip(&transcript.attempts);
        for (state, texts) in attempts.filter(|(state, _)| state.started.lane == lane) {
            let mut attempt = delivered.begin(state.started.continues);
            let is_stuck = !texts.tool_calls.is_empty() || !texts.refusal.is_empty();
            let mut from = 0;
            for (index, end) in texts.text_ends() {
                attempt.push(state.started.attempt_seq, *index, TokenKind::Text, &texts.text[from..*end]);
                from = *end;
            }
            attempt.is_stuck |= is_stuck;
            delivered.take(attempt);
        }
        delivered
    }

    /// What an attempt that begins now has delivered with it.
    pub(super) fn begin(&self, continues: Option<Continues>) -> Self {
        let Some(Continues { attempt_seq, token_index }) = continues else { return Self::default() };
        let is_last = |(attempt, index, _): &(AttemptSeq, TokenIndex, usize)| {
            (*attempt, *index) == (attempt_seq, token_index)
        };
        let Some(last) = self.ends.iter().position(is_last) else { return Self::default() };
        let end = self.ends[last].2;
        Self { text: self.text[..end].to_owned(), ends: self.ends[..=last].to_vec(), is_stuck: false }
    }

    /// A token has come.
    pub(super) fn push(&mut self, attempt: AttemptSeq, index: TokenIndex, kind: TokenKind, text: &str) {
        match kind {
            TokenKind::Text if self.text.len() + text.len() <= MAX_BYTES => {
                self.text.push_str(text);
                self.ends.push((attempt, index, self.text.len()));
            }
            TokenKind::Text | TokenKind::ToolCall | TokenKind::Refusal => self.is_stuck = true,
            TokenKind::Reasoning | TokenKind::Annotation => {}
        }
    }

    /// An attempt has ended: what it delivered counts from now on, unless it delivered nothing.
    pub(super) fn take(&mut self, attempt: Self) {
        if !attempt.text.is_empty() || attempt.is_stuck {
            *self = attempt;
        }
    }

    /// From where another attempt can go on; none where it has to start anew.
    pub(super) fn beginning(&self) -> Option<Beginning> {
        if self.is_stuck {
            return None;
        }
        let ends_in_word = |(_, _, end): &&(AttemptSeq, TokenIndex, usize)| {
            self.text[..*end].chars().next_back().is_some_and(|last| !last.is_whitespace())
        };
        let newest_first = || self.ends.iter().enumerate().rev().take(MAX_GIVEN_UP);
        let (place, &(attempt_seq, token_index, end)) =
            newest_first().find(|(_, last)| ends_in_word(last)).or_else(|| newest_first().next())?;
        if self.text[..end].trim().is_empty() {
            return None;
        }
        let continues = Continues { attempt_seq, token_index };
        Some(Beginning { continues, text: self.text[..end].to_owned(), token_count: place + 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(tokens: &[&str]) -> Delivered {
        let mut delivered = Delivered::default();
        for (index, text) in (0..).zip(tokens) {
            delivered.push(AttemptSeq(1), TokenIndex(index), TokenKind::Text, text);
        }
        delivered
    }

    #[test]
    fn an_answer_goes_on_behind_a_word_where_one_is_near_and_else_behind_all_that_came() {
        let blanks: Vec<_> = (0..20).map(|_| "word ").collect();
        assert_eq!(delivered(&blanks).beginning().unwrap().continues.token_index, TokenIndex(19));
        let first = delivered(&["The", " quick ", "\n", " "]);
        let beginning = first.beginning().unwrap();
        assert_eq!((beginning.text.as_str(), beginning.continues.token_index), ("The", TokenIndex(0)));
        assert_eq!((beginning.token_count, first.ends.len()), (1, 4));
        let mut second = first.begin(Some(beginning.continues));
        second.push(AttemptSeq(2), TokenIndex(0), TokenKind::Text, " slow");
        let beginning = second.beginning().unwrap();
        assert_eq!(beginning.text, "The slow");
        let place = Continues { attempt_seq: AttemptSeq(2), token_index: TokenIndex(0) };
        assert_eq!(beginning.continues, place);
        assert_eq!(delivered(&[" "]).beginning(), None);
        assert_eq!(Delivered::default().beginning(), None);
    }

    #[test]
    fn nobody_goes_on_from_a_tool_call_and_an_empty_attempt_takes_nothing_away() {
        let mut first = delivered(&["a"]);
        first.take(first.begin(None));
        assert!(first.beginning().is_some());
        first.push(AttemptSeq(1), TokenIndex(1), TokenKind::ToolCall, "{}");
        assert_eq!(first.beginning(), None);
    }
}
