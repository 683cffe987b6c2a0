//! For tests and benches only: parts that break on purpose, and the server as a process.

pub mod client;
pub mod provider;
pub mod server;
