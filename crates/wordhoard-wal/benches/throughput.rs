//! Durable records per second, beside a bare loop that writes the same bytes in batches of the same size and syncs
//! each. The two run in turns, so that a disk that changes its mind hits both.
//!
//! `ratio` compares with the bare loop alone, whose file was zero-filled before its clock started. The log fills its
//! next segment while it runs; `+fill` adds to the bare loop the time of filling as many bytes as it writes.
#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench stops at the first error")]

use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use wordhoard_wal::{Options, OsDisk, Wal};

const RECORD: [u8; 120] = [b'w'; 120];
const ROUNDS: usize = 4;
const ROUND: Duration = Duration::from_millis(1200);

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// Appends without waiting, bounded by `has_room`, and waits at the end.
    Streams,
    /// Waits for each record.
    Waits,
}

#[derive(Default)]
struct Tally {
    records: u64,
    bytes: u64,
    commits: u64,
    elapsed: Duration,
    /// Time that filling the written bytes with zeros before takes.
    fill: Duration,
}

impl Tally {
    fn rate(&self) -> f64 {
        self.records as f64 / self.elapsed.as_secs_f64()
    }
}

fn main() {
    let dir = tempfile::tempdir_in(".").unwrap();
    println!(
        "{:>9} {:>8} {:>12} {:>12} {:>7} {:>7} {:>11} {:>10}",
        "producers", "mode", "wal rec/s", "bare rec/s", "ratio", "+fill", "rec/commit", "commit us"
    );
    for mode in [Mode::Streams, Mode::Waits] {
        for producers in [1, 16, 128] {
            let (mut wal, mut bare) = (Tally::default(), Tally::default());
            for round in 0..ROUNDS {
                let at = dir.path().join(format!("{producers}-{round}-{}", mode == Mode::Waits));
                let before = (wal.bytes, wal.commits, wal.records);
                run_wal(&at, producers, mode, &mut wal);
                run_bare(&at, &wal, before, &mut bare);
                std::fs::remove_dir_all(&at).unwrap();
            }
            println!(
                "{producers:>9} {:>8} {:>12.0} {:>12.0} {:>6.0}% {:>6.0}% {:>11.1} {:>10.0}",
                if mode == Mode::Streams { "streams" } else { "waits" },
                wal.rate(),
                bare.rate(),
                100.0 * wal.rate() / bare.rate(),
                100.0 * wal.rate() * (bare.elapsed + bare.fill).as_secs_f64() / bare.records as f64,
                wal.records as f64 / wal.commits as f64,
                wal.elapsed.as_micros() as f64 / wal.commits as f64,
            );
        }
    }
}

fn run_wal(dir: &Path, producers: usize, mode: Mode, tally: &mut Tally) {
    let (wal, _) = Wal::open(Arc::new(OsDisk::new(dir).unwrap()), Options::default()).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    // The spare is made in the background at the start; that is not what is measured.
    std::thread::sleep(Duration::from_millis(600));
    let started = Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> =
            (0..producers).map(|_| tokio::spawn(produce(wal.clone(), mode, started))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    tally.elapsed += started.elapsed();
    let stats = wal.commit_stats();
    tally.records += stats.records;
    tally.bytes += stats.bytes;
    tally.commits += stats.commits;
    wal.close();
}

async fn produce(wal: Wal, mode: Mode, started: Instant) {
    while started.elapsed() < ROUND {
        wal.has_room().await.unwrap();
        let mut last = wal.append(1, 1, &RECORD).unwrap();
        if mode == Mode::Streams {
            for _ in 1..32 {
                last = wal.append(1, 1, &RECORD).unwrap();
            }
            tokio::task::yield_now().await;
            if started.elapsed() < ROUND {
                continue;
            }
        }
        wal.durable(last).await.unwrap();
    }
}

/// Writes the bytes of the last round in as many batches into a file that was zero-filled before.
fn run_bare(dir: &Path, wal: &Tally, before: (u64, u64, u64), tally: &mut Tally) {
    let (bytes, commits, records) = (wal.bytes - before.0, wal.commits - before.1, wal.records - before.2);
    let batch = vec![b'b'; (bytes / commits) as usize];
    let path = dir.join("bare");
    let file = OpenOptions::new().create_new(true).write(true).open(path).unwrap();
    // As large as the log's segments; the loop starts again at its end.
    let size = (100 << 20).max(batch.len() as u64);
    let zeros = vec![0; 1 << 20];
    let started = Instant::now();
    (0..size.div_ceil(1 << 20)).for_each(|at| file.write_all_at(&zeros, at << 20).unwrap());
    file.sync_all().unwrap();
    tally.fill += started.elapsed().mul_f64(bytes as f64 / size as f64);
    let started = Instant::now();
    let mut at = 0;
    for _ in 0..commits {
        if at + batch.len() as u64 > size {
            at = 0;
        }
        file.write_all_at(&batch, at).unwrap();
        file.sync_data().unwrap();
        at += batch.len() as u64;
    }
    tally.elapsed += started.elapsed();
    tally.records += records;
}
