//! The wire formats as a whole: what was recorded from providers, and what we write ourselves, read back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod answers;
mod any_bytes;
mod client_fields;
mod golden;
mod passed_through;
mod requests;
mod round_trip;
mod whole_answers;
