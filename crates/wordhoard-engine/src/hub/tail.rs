//! The newest events of a request in memory, within a budget of bytes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wordhoard_model::{Event, EventBody, Rest, Seq};

/// So many requests may hold all that one may.
const FULL_TAILS: usize = 256;
/// Where all together hold more than that, each keeps this part of what one may hold.
const SHARE_UNDER_PRESSURE: usize = 8;
/// Text after which a page of events ends.
const PAGE_TEXT_BYTES: usize = 64 << 10;
/// What an event takes beside what it says: itself, its counts, and its place in the list.
const EVENT_BYTES: usize = size_of::<Event>() + 3 * size_of::<usize>();

/// How many bytes the tails of all requests may hold, and do.
#[derive(Debug)]
pub(super) struct TailBudget {
    of_one_bytes: usize,
    used_bytes: AtomicUsize,
}

impl TailBudget {
    pub(super) fn new(of_one_bytes: usize) -> Self {
        Self { of_one_bytes, used_bytes: AtomicUsize::new(0) }
    }

    fn of_one(&self) -> usize {
        let is_tight = self.used_bytes.load(Ordering::Relaxed) > self.of_one_bytes.saturating_mul(FULL_TAILS);
        if is_tight { self.of_one_bytes / SHARE_UNDER_PRESSURE } else { self.of_one_bytes }
    }
}

/// The newest events of a request, without a gap. What is let go stands in the log.
#[derive(Debug)]
pub(super) struct Tail {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    budget: Arc<TailBudget>,
}

impl Tail {
    pub(super) fn new(budget: Arc<TailBudget>) -> Self {
        Self { events: VecDeque::new(), bytes: 0, budget }
    }

    pub(super) fn extend(&mut self, events: &[Arc<Event>]) {
        let bytes = events.iter().map(|event| bytes_of(event)).sum::<usize>();
        self.bytes += bytes;
        self.budget.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.events.extend(events.iter().cloned());
    }

    /// Lets the oldest events go that are past the budget. Those from `recorded_end` on stand nowhere else yet, and stay.
    pub(super) fn trim(&mut self, recorded_end: Seq) {
        self.trim_to(self.budget.of_one(), recorded_end);
    }

    /// Lets all events go that stand elsewhere.
    pub(super) fn forget(&mut self, recorded_end: Seq) {
        self.trim_to(0, recorded_end);
    }

    fn trim_to(&mut self, budget_bytes: usize, recorded_end: Seq) {
        let mut freed_bytes = 0;
        while self.bytes - freed_bytes > budget_bytes
            && let Some(event) = self.events.pop_front_if(|event| event.seq < recorded_end)
        {
            freed_bytes += bytes_of(&event);
        }
        self.bytes -= freed_bytes;
        self.budget.used_bytes.fetch_sub(freed_bytes, Ordering::Relaxed);
        if self.events.is_empty() {
            self.events.shrink_to_fit();
        }
    }

    /// Events `from..end`, at most `limit` of them and about [`PAGE_TEXT_BYTES`]; none where the first of them was let go.
    pub(super) fn page(&self, from: Seq, end: Seq, limit: usize) -> Option<Vec<Arc<Event>>> {
        let first = self.events.front()?.seq;
        let skip = usize::try_from(from.0.checked_sub(first.0)?).ok()?;
        let take = usize::try_from(end.0.saturating_sub(from.0)).ok()?.min(limit);
        let mut text_bytes = 0;
        let fits = |event: &&Arc<Event>| {
            let fits = text_bytes < PAGE_TEXT_BYTES;
            if let EventBody::Token(token) = &event.body {
                text_bytes += token.text.len();
            }
            fits
        };
        Some(self.events.range(skip..).take(take).take_while(fits).cloned().collect())
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.budget.used_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What an event holds of memory, but for the prompt of the first, which the request holds in any case.
fn bytes_of(event: &Event) -> usize {
    let said = match &event.body {
        EventBody::Token(token) => token.text.len() + token.events.as_ref().map_or(0, |events| events.len()),
        EventBody::AttemptFinished(finished) => match &finished.rest {
            Rest::Nothing => 0,
            Rest::Events(events) => events.len(),
            Rest::Document(document) => document.len(),
        },
        EventBody::RequestCreated(_) | EventBody::AttemptStarted(_) | EventBody::RequestFinished(_) => 0,
    };
    EVENT_BYTES + said
}

#[cfg(test)]
mod tests {
    use wordhoard_model::{AttemptSeq, Timestamp, Token, TokenIndex, TokenKind};

    use super::*;

    fn token(seq: u64, text_bytes: usize) -> Arc<Event> {
        let token = Token {
            attempt_seq: AttemptSeq(1),
            token_index: TokenIndex(seq),
            kind: TokenKind::Text,
            text: "x".repeat(text_bytes),
            events: None,
        };
        Arc::new(Event { seq: Seq(seq), at: Timestamp::from_millis(0), body: EventBody::Token(token) })
    }

    fn filled(budget: &Arc<TailBudget>, count: u64) -> Tail {
        let mut tail = Tail::new(Arc::clone(budget));
        (0..count).for_each(|seq| tail.extend(&[token(seq, 1_000)]));
        tail
    }

    #[test]
    fn the_oldest_go_first_and_what_is_not_recorded_stays() {
        let budget = Arc::new(TailBudget::new(3 * (EVENT_BYTES + 1_000)));
        let mut tail = filled(&budget, 10);
        tail.trim(Seq(4));
        assert!(tail.page(Seq(3), Seq(10), 10).is_none());
        assert_eq!(tail.page(Seq(4), Seq(10), 10).unwrap().len(), 6);
        tail.trim(Seq(10));
        assert_eq!(tail.page(Seq(7), Seq(10), 2).unwrap().len(), 2);
        assert!(tail.page(Seq(6), Seq(10), 2).is_none());
        tail.forget(Seq(9));
        assert_eq!(tail.page(Seq(9), Seq(10), 2).unwrap().len(), 1);
        drop(tail);
        assert_eq!(budget.used_bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn where_all_hold_too_much_each_keeps_less() {
        let budget = Arc::new(TailBudget::new(8 * (EVENT_BYTES + 1_000)));
        let mut tails: Vec<_> = (0..=FULL_TAILS).map(|_| filled(&budget, 8)).collect();
        tails[0].trim(Seq(8));
        assert_eq!(tails[0].page(Seq(7), Seq(8), 8).unwrap().len(), 1);
        assert!(tails[0].page(Seq(6), Seq(8), 8).is_none());
        tails.truncate(1);
        let mut later = filled(&budget, 8);
        later.trim(Seq(8));
        assert_eq!(later.page(Seq(0), Seq(8), 8).unwrap().len(), 8);
    }
}
