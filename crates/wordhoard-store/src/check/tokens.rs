//! The tokens of one attempt, as their seams tell them.

use super::evidence::TokenSeam;

/// The tokens of an attempt that are there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TokenRun {
    /// Ranges of indexes before the last token that no token has; both ends included.
    pub(super) gaps: Vec<(i64, i64)>,
    /// Index and number of tokens whose number is not above that of the token before them.
    pub(super) unordered: Vec<(i64, i64)>,
    /// Index and number of the first token.
    pub(super) first: Option<(i64, i64)>,
    /// Index and number of the last token.
    pub(super) last: Option<(i64, i64)>,
    /// The highest number of any token.
    pub(super) highest_seq: Option<i64>,
}

impl TokenRun {
    /// Of the seams of one attempt, in the order of their indexes.
    pub(super) fn new(seams: &[TokenSeam]) -> Self {
        let mut run = Self::default();
        for seam in seams {
            let (previous_index, previous_seq) = match seam.previous {
                None => {
                    run.first = Some((seam.token_index, seam.seq));
                    (-1, None)
                }
                Some((index, seq)) => (index, Some(seq)),
            };
            let expected = previous_index.saturating_add(1);
            if seam.token_index > expected {
                run.gaps.push((expected, seam.token_index - 1));
            }
            if previous_seq.is_some_and(|previous| seam.seq <= previous) {
                run.unordered.push((seam.token_index, seam.seq));
            }
            if seam.last {
                run.last = Some((seam.token_index, seam.seq));
            }
            // Between two seams numbers only grow, so the highest one stands at a seam or right before one.
            run.highest_seq = run.highest_seq.max(previous_seq).max(Some(seam.seq));
        }
        run
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

pub(super) fn width((from, through): (i64, i64)) -> u64 {
    through.abs_diff(from).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seam(token_index: i64, seq: i64, previous: Option<(i64, i64)>, last: bool) -> TokenSeam {
        TokenSeam { attempt_seq: 1, token_index, seq, previous, last }
    }

    #[test]
    fn a_run_is_known_by_its_seams() {
        let run = TokenRun::new(&[
            seam(2, 5, None, false),
            seam(6, 9, Some((3, 6)), false),
            seam(7, 8, Some((6, 9)), true),
        ]);
        assert_eq!(run.gaps, [(0, 1), (4, 5)]);
        assert_eq!(run.unordered, [(7, 8)]);
        assert_eq!((run.first, run.last), (Some((2, 5)), Some((7, 8))));
        assert_eq!((run.reach(), run.tokens()), (8, 4));
        assert_eq!(run.highest_seq, Some(9), "it stands before the seam");
    }

    #[test]
    fn no_token_is_no_run() {
        let run = TokenRun::new(&[]);
        assert_eq!((run.reach(), run.tokens(), run.highest_seq), (0, 0, None));
    }
}
