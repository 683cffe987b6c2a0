//! The server: configuration, HTTP surfaces, lifecycle and command line around the engine.
//!
//! [`app`] is the one place that puts concrete parts together.

mod access;
pub mod app;
mod check_report;
pub mod cli;
pub mod config;
mod http;
mod lifecycle;
mod selection;
mod server;
mod telemetry;
