//! The server: configuration, HTTP surfaces, lifecycle and command line around the engine.
//!
//! [`app`] is the one place that puts concrete parts together.

mod access;
pub mod app;
mod backup;
mod check_report;
pub mod cli;
pub mod config;
mod http;
mod lifecycle;
mod maintenance;
mod metrics;
mod prune_report;
mod selection;
mod server;
mod shutdown;
mod telemetry;
pub mod upkeep;
