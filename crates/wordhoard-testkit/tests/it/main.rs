//! The parts of the testkit that other crates' tests do not prove by using them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod cutter;
mod mock_provider;
mod postgres;
