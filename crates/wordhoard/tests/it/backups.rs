//! Backups, and restoring from them whatever was lost.

mod drill;
mod kills;
mod moment;
mod refusals;
mod remote;
mod retired;
mod running;
mod site;
