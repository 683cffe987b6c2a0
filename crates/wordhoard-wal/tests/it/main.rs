//! The log as its callers see it, on real files and on a disk that fails on purpose.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod archive;
mod bit_flips;
mod crash;
mod damage;
mod lifecycle;
mod model;
mod read_within_release;
mod real_disk;
mod reopening;
mod rig;
mod space;
mod waiting;
