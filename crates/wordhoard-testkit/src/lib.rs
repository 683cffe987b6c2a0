//! For tests and benches only: parts that break on purpose.

pub mod provider;
