//! Which requests a slice looks at.

use wordhoard_model::{RequestId, Timestamp};

/// What a check covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckScope {
    /// Requests that run, or were created or have ended at or after a moment; and rows without a request whose id is
    /// of that moment or newer.
    Changed {
        /// The moment.
        since: Timestamp,
    },
    /// Everything.
    Whole,
}

/// A part of a check, small enough for one short transaction. A check is its slices one after the other, each
/// beginning where the one before it says, newest requests first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckSlice {
    /// What the check covers.
    pub scope: CheckScope,
    /// Only requests older than this one: [`Checked::next`](super::Checked::next) of the slice before.
    pub before: Option<RequestId>,
    /// At most so many requests; at least one is looked at.
    pub requests: usize,
}

/// All ids from `low` through `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) low: RequestId,
    pub(crate) high: RequestId,
}

/// Which of the requests created before the moment of [`CheckScope::Changed`] a slice still has place for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Older {
    pub(crate) below: RequestId,
    pub(crate) since: Timestamp,
    pub(crate) limit: usize,
}

/// What a slice looks at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Whole ranges of ids, so that rows without a request are seen too; newest first.
    pub(crate) spans: Vec<Span>,
    /// Where the next slice begins.
    pub(crate) next: Option<RequestId>,
}

impl CheckSlice {
    pub(crate) fn limit(&self) -> usize {
        self.requests.max(1)
    }

    /// The ids of which all are looked at; none where the cursor has passed them.
    pub(crate) fn reach(&self) -> Option<Span> {
        let low = match self.scope {
            CheckScope::Whole => lowest_id(),
            CheckScope::Changed { since } => lowest_id_at(since),
        };
        let high = match self.before {
            None => RequestId::from_bytes([0xff; 16]),
            Some(before) => id_below(before)?,
        };
        (low <= high).then_some(Span { low, high })
    }

    /// What is left to choose once the newest ids within [`CheckSlice::reach`] are: requests that are older than the
    /// moment but have changed since.
    pub(crate) fn older(&self, newest: &[RequestId]) -> Option<Older> {
        let CheckScope::Changed { since } = self.scope else { return None };
        let (bound, since) = (lowest_id_at(since), Timestamp::from_millis(id_millis(since)));
        let below = self.before.map_or(bound, |before| before.min(bound));
        let limit = self.limit().saturating_sub(newest.len());
        (limit > 0).then_some(Older { below, since, limit })
    }
}

impl Selection {
    /// Both lists are in descending order.
    pub(crate) fn new(slice: &CheckSlice, newest: &[RequestId], older: &[RequestId]) -> Self {
        let full = newest.len() + older.len() >= slice.limit();
        let last = older.last().or(newest.last()).copied();
        let mut spans = Vec::with_capacity(1 + older.len());
        if let Some(mut reach) = slice.reach() {
            if newest.len() >= slice.limit()
                && let Some(last) = last
            {
                reach.low = last;
            }
            spans.push(reach);
        }
        spans.extend(older.iter().map(|id| Span { low: *id, high: *id }));
        Self { spans, next: last.filter(|_| full) }
    }
}

fn lowest_id() -> RequestId {
    RequestId::from_bytes([0; 16])
}

/// A bound that no UUIDv7 made at `at` or later lies below: its first 48 bits are milliseconds since 1970.
pub(crate) fn lowest_id_at(at: Timestamp) -> RequestId {
    RequestId::from_bytes(((id_millis(at) as u128) << 80).to_be_bytes())
}

/// The nearest moment that an id can name. Databases can name it too; not so every number of milliseconds.
fn id_millis(at: Timestamp) -> i64 {
    at.as_millis().clamp(0, (1 << 48) - 1)
}

fn id_below(id: RequestId) -> Option<RequestId> {
    let below = u128::from_be_bytes(*id.as_bytes()).checked_sub(1)?;
    Some(RequestId::from_bytes(below.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_of_a_moment_lies_below_the_bound_of_that_moment() {
        for millis in [0, 1, 1_764_000_000_042] {
            let id = RequestId::generate(Timestamp::from_millis(millis));
            assert!(lowest_id_at(Timestamp::from_millis(millis)) <= id);
            assert!(lowest_id_at(Timestamp::from_millis(millis + 1)) > id);
        }
        assert_eq!(lowest_id_at(Timestamp::from_millis(-5)), lowest_id());
    }

    #[test]
    fn the_last_slice_of_a_whole_check_reaches_down_to_the_lowest_id() {
        let ids: Vec<_> = [3, 2].map(|ms| RequestId::generate(Timestamp::from_millis(ms))).into();
        let slice = CheckSlice { scope: CheckScope::Whole, before: None, requests: 2 };
        let first = Selection::new(&slice, &ids, &[]);
        assert_eq!(first.spans, [Span { low: ids[1], high: RequestId::from_bytes([0xff; 16]) }]);
        assert_eq!(first.next, Some(ids[1]));
        let slice = CheckSlice { before: first.next, ..slice };
        let last = Selection::new(&slice, &[], &[]);
        assert_eq!(last.spans, [Span { low: lowest_id(), high: id_below(ids[1]).unwrap() }]);
        assert_eq!(last.next, None);
    }
}
