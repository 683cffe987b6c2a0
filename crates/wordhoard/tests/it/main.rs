//! The server as a whole: a child process, real sockets, real providers that misbehave, real crashes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a test fails by panicking, and prints its seed"
)]

mod acceptance;
mod administration;
mod aimock;
mod backups;
mod bad_input;
mod boot;
mod cli;
mod consistency;
mod crash;
mod database;
mod deployment;
mod fleet;
mod front;
mod full_disk;
mod health;
mod ledger;
mod lifecycle;
mod logs;
mod long_outage;
mod metrics;
mod migrate;
mod native_api;
mod outages;
mod planted;
mod provider_faults;
mod pruning;
mod raw_http;
mod readers;
mod scripts;
mod security;
mod seed;
mod traces;
mod upstream_faults;
mod vertex;

const EXE: &str = env!("CARGO_BIN_EXE_wordhoard");

/// The configuration for tests of what one call does: a call that fails is not tried again, and no provider is left
/// alone.
const ONE_CALL: &str = "\n[retry]\nmax = 0\n[breaker]\nfailures = 0\n";
