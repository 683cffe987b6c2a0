//! The API, the input checks, faulty providers and the command line, each through the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod bad_input;
mod cli;
mod native_api;
mod raw_http;
mod upstream_faults;

const EXE: &str = env!("CARGO_BIN_EXE_wordhoard");
