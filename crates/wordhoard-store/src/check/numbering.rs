//! The numbers (`seq`) of a request's events: which are missing, which are there twice.

use super::evidence::NumberSeam;

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
    /// `seams` and `highest_token` tell the numbers of the tokens, `others` are those of all other events.
    pub(super) fn new(seams: &[NumberSeam], highest_token: Option<i64>, mut others: Vec<i64>) -> Self {
        others.sort_unstable();
        let mut doubled: Vec<_> =
            others.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        others.dedup();
        let repeated = seams.iter().filter(|seam| seam.previous == Some(seam.seq));
        doubled.extend(repeated.map(|seam| seam.seq));

        let highest_token = highest_token.unwrap_or(-1);
        let highest = others.last().map_or(highest_token, |last| highest_token.max(*last));
        let mut missing = Vec::new();
        let mut others = others.into_iter().peekable();
        for (from, through) in holes(seams, highest_token, highest) {
            // What lies before the hole is a token's number.
            while let Some(number) = others.next_if(|number| *number < from) {
                doubled.push(number);
            }
            let mut from = from;
            while let Some(number) = others.next_if(|number| *number <= through) {
                push(&mut missing, from, number - 1);
                from = number.saturating_add(1);
            }
            push(&mut missing, from, through);
        }
        doubled.extend(others);
        doubled.sort_unstable();
        Self { missing, doubled, highest }
    }

    pub(super) fn missing_count(&self) -> u64 {
        self.missing
            .iter()
            .map(|(from, through)| through.abs_diff(*from).saturating_add(1))
            .fold(0, u64::saturating_add)
    }
}

/// The ranges that no token has, up to `highest`.
fn holes(seams: &[NumberSeam], highest_token: i64, highest: i64) -> impl Iterator<Item = (i64, i64)> {
    let between = seams.iter().map(|seam| (after(seam.previous.unwrap_or(-1)), seam.seq.saturating_sub(1)));
    let behind = (highest > highest_token).then(|| (after(highest_token), highest));
    between.chain(behind).filter(|(from, through)| from <= through)
}

fn after(number: i64) -> i64 {
    number.saturating_add(1)
}

fn push(ranges: &mut Vec<(i64, i64)>, from: i64, through: i64) {
    if from <= through {
        ranges.push((from, through));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbering(tokens: &[i64], others: &[i64]) -> Numbering {
        let mut seams = Vec::new();
        let mut previous = None;
        for seq in tokens {
            if previous != Some(seq - 1) {
                seams.push(NumberSeam { seq: *seq, previous });
            }
            previous = Some(*seq);
        }
        Numbering::new(&seams, tokens.last().copied(), others.to_vec())
    }

    #[test]
    fn tokens_and_other_events_fill_each_others_holes() {
        let clean = numbering(&[2, 3, 5, 6], &[8, 0, 4, 1, 7]);
        assert_eq!(clean, Numbering { highest: 8, ..Numbering::default() });
        assert_eq!(numbering(&[], &[0]), Numbering::default());
        assert_eq!(numbering(&[], &[]).highest, -1);
    }

    #[test]
    fn what_is_in_nobodys_hands_is_missing_and_what_is_in_two_is_doubled() {
        let faulty = numbering(&[2, 3, 9], &[1, 3, 4, 4, 12]);
        assert_eq!(faulty.missing, [(0, 0), (5, 8), (10, 11)]);
        assert_eq!(faulty.doubled, [3, 4]);
        assert_eq!(faulty.missing_count(), 7);
        assert_eq!(numbering(&[0, 1, 1], &[]).doubled, [1]);
    }

    #[test]
    fn nonsense_does_not_overflow() {
        let nonsense = numbering(&[2, i64::MAX], &[i64::MIN, -7, i64::MAX]);
        assert_eq!(nonsense.missing, [(0, 1), (3, i64::MAX - 1)]);
    }
}
