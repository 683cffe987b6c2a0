use crate::Position;

/// Distance in the file between two entries: a seek reads past at most this much.
const SPACING_BYTES: u64 = 256 << 10;

/// Where some of a segment's batches start, about one every 256 KiB, in ascending order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    entries: Vec<(Position, u64)>,
}

impl Index {
    /// Notes a batch by its first position, if the last entry is far enough away.
    pub(crate) fn note(&mut self, first: Position, offset: u64) {
        if self.entries.last().is_none_or(|(_, last)| offset >= last + SPACING_BYTES) {
            self.entries.push((first, offset));
        }
    }

    /// Notes a batch that must be found: the first one behind a hole.
    pub(crate) fn force(&mut self, first: Position, offset: u64) {
        self.entries.push((first, offset));
    }

    /// Offset of the last noted batch that starts at or before `position`.
    pub(crate) fn offset_before(&self, position: Position) -> Option<u64> {
        let after = self.entries.partition_point(|(first, _)| *first <= position);
        self.entries.get(after.checked_sub(1)?).map(|(_, offset)| *offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seek_starts_at_most_one_spacing_before() {
        let mut index = Index::default();
        for batch in 0..100_000 {
            index.note(Position(batch), 4096 + batch * 100);
        }
        for position in [0, 1, 2_621, 2_622, 50_000, 99_999] {
            let offset = index.offset_before(Position(position)).unwrap();
            let exact = 4096 + position * 100;
            assert!(offset <= exact && exact - offset < SPACING_BYTES + 100, "{position}: {offset}");
        }
        assert!(index.entries.len() < 50);
    }
}
