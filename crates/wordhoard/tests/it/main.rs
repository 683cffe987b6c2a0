//! The server as a whole: a child process, real sockets, real providers that misbehave, real crashes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a test fails by panicking, and prints its seed"
)]

mod administration;
mod bad_input;
mod boot;
mod cli;
mod consistency;
mod crash;
mod database;
mod fleet;
mod ledger;
mod lifecycle;
mod long_outage;
mod migrate;
mod native_api;
mod outages;
mod raw_http;
mod readers;
mod security;
mod seed;
mod upstream_faults;

const EXE: &str = env!("CARGO_BIN_EXE_wordhoard");
