//! For tests and benches only: parts that break on purpose, and the server as a process.

mod aimock;
pub mod chance;
pub mod client;
mod counterpart;
pub mod cutter;
mod language_model;
pub mod object_store;
pub mod postgres;
pub mod provider;
pub mod server;
pub mod small_disk;
mod test_venv;
pub mod token_edits;

pub use aimock::Aimock;
pub use language_model::LanguageModel;
pub use test_venv::test_venv;
