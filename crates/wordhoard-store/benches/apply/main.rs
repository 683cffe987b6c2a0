//! Tokens per second of `apply`, which writes runs of them, and what each database does with a row for each token when nothing else is
//! asked of it: PostgreSQL's `\copy` and its single-row INSERTs, SQLite's prepared INSERT in transactions of 1,000 rows. Each pair
//! runs in turns, so that a machine that changes its mind hits both; the median counts.
#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench stops at the first error")]

mod load;
mod postgres;
mod sqlite;

use std::time::Duration;

use load::Load;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let load = Load::new(20);
    println!("{} tokens in {} batches", load.tokens, load.batches.len());
    runtime.block_on(async {
        postgres::whole(&load).await;
        sqlite::whole(&load).await;
        postgres::small().await;
    });
}

/// Rows per second, by the median time.
fn rate(rows: u64, times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    rows as f64 / times[times.len() / 2].as_secs_f64()
}
