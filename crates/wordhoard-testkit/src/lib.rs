//! For tests and benches only: parts that break on purpose, and the server as a process.

pub mod aimock;
pub mod client;
pub mod cutter;
pub mod object_store;
pub mod postgres;
pub mod provider;
pub mod server;
pub mod small_disk;
