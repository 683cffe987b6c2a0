//! The numbers (`seq`) of a request's events: which are missing, which are there twice.

/// What is wrong with the numbers of a request's events.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Numbering {
    /// Ranges that no event has, up to the highest number that one has; both ends included, ascending.
    pub(super) missing: Vec<(i64, i64)>,
    /// Numbers that two events have.
    pub(super) doubled: Vec<i64>,
    /// The highest number; -1 where there is no event.
    pub(super) highest: i64,
}

impl Numbering {
    /// `tokens` are the ranges of numbers that tokens have, `others` the numbers of all other events; in any order. Of the numbers that
    /// two events have no more than `limit` are listed.
    pub(super) fn new(tokens: &[(i64, i64)], others: &[i64], limit: usize) -> Self {
        let mut ranges: Vec<_> =
            tokens.iter().copied().chain(others.iter().map(|other| (*other, *other))).collect();
        ranges.sort_unstable();
        let mut numbering = Self { highest: -1, ..Self::default() };
        for (from, through) in ranges {
            let next = numbering.highest.saturating_add(1);
            if from > next {
                numbering.missing.push((next, from - 1));
            }
            let left = limit.saturating_sub(numbering.doubled.len());
            numbering.doubled.extend((from..=through.min(numbering.highest)).take(left));
            numbering.highest = numbering.highest.max(through);
        }
        numbering.doubled.sort_unstable();
        numbering
    }

    pub(super) fn missing_count(&self) -> u64 {
        self.missing
            .iter()
            .map(|(from, through)| through.abs_diff(*from).saturating_add(1))
            .fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbering(tokens: &[(i64, i64)], others: &[i64]) -> Numbering {
        Numbering::new(tokens, others, 100)
    }

    #[test]
    fn tokens_and_other_events_fill_each_others_holes() {
        let clean = numbering(&[(5, 6), (2, 3)], &[8, 0, 4, 1, 7]);
        assert_eq!(clean, Numbering { highest: 8, ..Numbering::default() });
        assert_eq!(numbering(&[], &[0]), Numbering::default());
        assert_eq!(numbering(&[], &[]).highest, -1);
    }

    #[test]
    fn what_is_in_nobodys_hands_is_missing_and_what_is_in_two_is_doubled() {
        let faulty = numbering(&[(2, 3), (9, 9)], &[1, 3, 4, 4, 12]);
        assert_eq!(faulty.missing, [(0, 0), (5, 8), (10, 11)]);
        assert_eq!(faulty.doubled, [3, 4]);
        assert_eq!(faulty.missing_count(), 7);
        assert_eq!(Numbering::new(&[(0, 99), (50, 149)], &[], 3).doubled, [50, 51, 52]);
        assert_eq!(numbering(&[(0, 1), (1, 1)], &[]).doubled, [1]);
    }

    #[test]
    fn nonsense_does_not_overflow() {
        let nonsense = numbering(&[(2, 2), (i64::MAX, i64::MAX)], &[i64::MIN, -7, i64::MAX]);
        assert_eq!(nonsense.missing, [(0, 1), (3, i64::MAX - 1)]);
    }
}
