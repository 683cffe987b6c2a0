//! What every backend of the store must do, and what each must do besides.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod check;
mod conformance;
mod database;
mod export;
mod postgres;
mod runs;
mod sqlite;
mod story;
