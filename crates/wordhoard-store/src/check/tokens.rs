//! The tokens of one attempt, as the numbers of its rows tell them.

use super::evidence::RunNumbers;

/// The tokens of an attempt that are there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AttemptTokens {
    /// Ranges of indexes before the last token that no token has; both ends included.
    pub(super) gaps: Vec<(i64, i64)>,
    /// Index and number of tokens whose number is not above that of the token before them.
    pub(super) unordered: Vec<(i64, i64)>,
    /// Ranges of indexes that two rows have.
    pub(super) doubled: Vec<(i64, i64)>,
    /// Ranges of indexes whose row contradicts itself.
    pub(super) unsound: Vec<(i64, i64)>,
    /// Index and number of the first token.
    pub(super) first: Option<(i64, i64)>,
    /// Index and number of the last token.
    pub(super) last: Option<(i64, i64)>,
    /// The highest number of any token.
    pub(super) highest_seq: Option<i64>,
}

impl AttemptTokens {
    /// Takes in the next row in the order of indexes; gives the ranges of numbers that its tokens have.
    pub(super) fn push(&mut self, run: &RunNumbers) -> Vec<(i64, i64)> {
        let first_index = run.place.first_token_index;
        let last_index = first_index.saturating_add(run.place.token_count.max(1) - 1);
        let numbers = numbers(run);
        if numbers.is_none() || !run.is_sound {
            self.unsound.push((first_index, last_index));
        }
        // What is wrong with such a row was said; by its ends it is still in the place of its tokens.
        let numbers = numbers
            .unwrap_or_else(|| vec![(run.place.first_seq, run.place.last_seq.max(run.place.first_seq))]);
        let (last_index_before, last_seq_before) = self.last.unzip();
        let expected = last_index_before.map_or(0, |index| index.saturating_add(1));
        if first_index > expected {
            self.gaps.push((expected, first_index - 1));
        } else if first_index < expected {
            self.doubled.push((first_index, last_index.min(expected - 1)));
        }
        if last_seq_before.is_some_and(|before| run.place.first_seq <= before) {
            self.unordered.push((first_index, run.place.first_seq));
        }
        self.first = self.first.or(Some((first_index, run.place.first_seq)));
        if last_index_before.is_none_or(|before| before <= last_index) {
            self.last = Some((last_index, run.place.last_seq));
        }
        self.highest_seq = self.highest_seq.max(Some(run.place.last_seq));
        numbers
    }

    /// How many tokens there would be without gaps.
    pub(super) fn reach(&self) -> i64 {
        self.last.map_or(0, |(index, _)| index.saturating_add(1))
    }

    pub(super) fn tokens(&self) -> u64 {
        let missing = self.gaps.iter().map(|gap| width(*gap)).fold(0, u64::saturating_add);
        u64::try_from(self.reach()).unwrap_or(0).saturating_sub(missing)
    }
}

/// The ranges of numbers of a run's tokens; none where the row contradicts itself.
fn numbers(run: &RunNumbers) -> Option<Vec<(i64, i64)>> {
    let count = usize::try_from(run.place.token_count).ok().filter(|count| *count > 0)?;
    let distance = run.place.last_seq.checked_sub(run.place.first_seq)?;
    let Some(offsets) = &run.seq_offsets else {
        return (distance == run.place.token_count - 1)
            .then(|| vec![(run.place.first_seq, run.place.last_seq)]);
    };
    let rises = offsets.windows(2).all(|pair| pair[0] < pair[1]);
    if offsets.len() != count || offsets.first() != Some(&0) || offsets.last() != Some(&distance) || !rises {
        return None;
    }
    let ranges = offsets.chunk_by(|one, next| one + 1 == *next);
    let ends = ranges.filter_map(|range| Some((*range.first()?, *range.last()?)));
    Some(ends.map(|(from, through)| (run.place.first_seq + from, run.place.first_seq + through)).collect())
}

pub(super) fn width((from, through): (i64, i64)) -> u64 {
    through.abs_diff(from).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::RunPlace;

    fn run(
        first_token_index: i64,
        token_count: i64,
        seqs: (i64, i64),
        offsets: Option<&[i64]>,
    ) -> RunNumbers {
        RunNumbers {
            place: RunPlace {
                attempt_seq: 1,
                first_token_index,
                token_count,
                first_seq: seqs.0,
                last_seq: seqs.1,
            },
            seq_offsets: offsets.map(<[i64]>::to_vec),
            is_sound: true,
        }
    }

    #[test]
    fn tokens_are_known_by_the_numbers_of_their_rows() {
        let mut tokens = AttemptTokens::default();
        assert_eq!(tokens.push(&run(2, 2, (5, 6), None)), [(5, 6)]);
        assert_eq!(tokens.push(&run(6, 3, (9, 14), Some(&[0, 1, 5]))), [(9, 10), (14, 14)]);
        assert_eq!(tokens.push(&run(9, 1, (8, 8), None)), [(8, 8)]);
        assert_eq!(tokens.push(&run(9, 2, (20, 21), None)), [(20, 21)]);
        assert_eq!(tokens.gaps, [(0, 1), (4, 5)]);
        assert_eq!(tokens.unordered, [(9, 8)]);
        assert_eq!(tokens.doubled, [(9, 9)]);
        assert_eq!((tokens.first, tokens.last), (Some((2, 5)), Some((10, 21))));
        assert_eq!((tokens.reach(), tokens.tokens()), (11, 7));
        assert_eq!((tokens.highest_seq, tokens.unsound), (Some(21), vec![]));
    }

    #[test]
    fn a_row_that_contradicts_itself_is_told() {
        let unsound = [
            run(0, 2, (5, 7), None),
            run(0, 0, (5, 4), None),
            run(0, 2, (5, 7), Some(&[0, 1])),
            run(0, 2, (5, 7), Some(&[1, 2])),
            run(0, 3, (5, 7), Some(&[0, 2])),
            run(0, 3, (5, 7), Some(&[0, 0, 2])),
            run(i64::MAX, i64::MAX, (i64::MIN, i64::MAX), None),
            RunNumbers { is_sound: false, ..run(0, 2, (5, 6), None) },
        ];
        for run in unsound {
            let mut tokens = AttemptTokens::default();
            tokens.push(&run);
            assert_eq!(tokens.unsound.len(), 1, "{run:?}");
        }
    }

    #[test]
    fn no_row_is_no_token() {
        let tokens = AttemptTokens::default();
        assert_eq!((tokens.reach(), tokens.tokens(), tokens.highest_seq), (0, 0, None));
    }
}
