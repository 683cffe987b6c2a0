//! Against a real object store on loopback, which is cut off, loses what it has, and does not know us.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod remote;
