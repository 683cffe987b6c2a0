//! The engine on real parts: the demo provider, SQLite, and a log on a disk that fails on demand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod bench;
mod durability;
mod idempotency;
mod reading;
mod storage_faults;
mod switches;
mod without_sql;
