use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts so many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many are inside at the moment.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicU64>);

/// One that is inside, until it is dropped.
#[derive(Debug)]
pub struct Inside(Arc<AtomicU64>);

impl Gauge {
    /// One more is inside.
    pub fn enter(&self) -> Inside {
        self.0.fetch_add(1, Ordering::Relaxed);
        Inside(Arc::clone(&self.0))
    }

    /// How many are.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A count for each variant of an enum.
#[derive(Debug)]
pub struct Tally<T: 'static> {
    variants: &'static [T],
    counts: Box<[Counter]>,
}

impl<T: Copy + PartialEq> Tally<T> {
    /// All at zero.
    pub fn new(variants: &'static [T]) -> Self {
        Self { variants, counts: variants.iter().map(|_| Counter::default()).collect() }
    }

    /// Counts so many more of this one.
    pub fn add(&self, variant: T, count: u64) {
        let place = self.variants.iter().position(|one| *one == variant);
        if let Some(counter) = place.and_then(|place| self.counts.get(place)) {
            counter.add(count);
        }
    }

    /// Each with its count.
    pub fn iter(&self) -> impl Iterator<Item = (T, u64)> {
        self.variants.iter().copied().zip(self.counts.iter().map(Counter::get))
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(Counter::get).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_counts_who_is_inside() {
        let gauge = Gauge::default();
        let (one, two) = (gauge.enter(), gauge.enter());
        assert_eq!(gauge.get(), 2);
        drop(one);
        assert_eq!(gauge.get(), 1);
        drop(two);
        assert_eq!(gauge.get(), 0);
    }
}
