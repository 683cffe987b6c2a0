//! Records as their callers see them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod events;
mod events_of_requests;
mod frames;
