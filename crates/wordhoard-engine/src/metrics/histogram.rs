use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often something took how long, in fixed buckets. Many may observe at once; none waits.
#[derive(Debug)]
pub struct Histogram {
    /// Upper bounds in microseconds, ascending, each within its bucket.
    bounds_micros: &'static [u64],
    /// One more than there are bounds: the last has what is beyond all of them.
    counts: Box<[AtomicU64]>,
    sum_nanos: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Upper bound in seconds, and how many were at it or below.
    pub buckets: Vec<(f64, u64)>,
    /// How many there were in all.
    pub count: u64,
    /// All together, in seconds.
    pub sum_seconds: f64,
}

impl Histogram {
    /// An empty one with these upper bounds, in microseconds, ascending.
    pub fn new(bounds_micros: &'static [u64]) -> Self {
        let counts = (0..=bounds_micros.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds_micros, counts, sum_nanos: AtomicU64::new(0) }
    }

    /// Something took so long.
    pub fn observe(&self, duration: Duration) {
        self.observe_times(duration, 1);
    }

    /// So many things took so long each.
    pub(crate) fn observe_times(&self, duration: Duration, times: u64) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = self.bounds_micros.partition_point(|bound| bound.saturating_mul(1_000) < nanos);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(times, Ordering::Relaxed);
        }
        self.sum_nanos.fetch_add(nanos.saturating_mul(times), Ordering::Relaxed);
    }

    /// What it holds. What is observed meanwhile may be in one figure and not yet in another, but buckets and count
    /// always agree.
    pub fn read(&self) -> Reading {
        let counts: Vec<_> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Reading::of(self.bounds_micros, &counts, self.sum_nanos.load(Ordering::Relaxed))
    }
}

impl Reading {
    /// From counts for each bucket alone; one more than there are bounds.
    pub fn of(bounds_micros: &[u64], counts: &[u64], sum_nanos: u64) -> Self {
        let mut so_far = 0;
        let bucket = |(bound, count): (&u64, &u64)| {
            so_far += count;
            (*bound as f64 / 1e6, so_far)
        };
        let buckets = bounds_micros.iter().zip(counts).map(bucket).collect();
        Self { buckets, count: counts.iter().sum(), sum_seconds: sum_nanos as f64 / 1e9 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_buckets_add_up() {
        let histogram = Histogram::new(&[1_000, 10_000]);
        for micros in [0, 1_000, 1_001, 10_000, 10_001, 9_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let read = histogram.read();
        assert_eq!(read.buckets, [(0.001, 2), (0.01, 4)]);
        assert_eq!(read.count, 6);
        assert!((read.sum_seconds - 9.022_002).abs() < 1e-9, "{}", read.sum_seconds);
    }
}
