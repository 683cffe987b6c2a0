//! The engine: takes prompts in, runs their lanes, records every event before anyone sees it, and hands events to
//! readers from memory, from SQL or from the log.
//!
//! It knows no HTTP and no SQL text. Its parts, in the way of a token: [`Engine::admit`] → a request's task →
//! an attempt → the hub (`append`) → the WAL → the hub (visible) → a [`Subscription`]; and behind it the applier, which
//! writes the log into SQL.

mod accounts;
mod admission;
mod applier;
mod archiver;
mod boot_log;
mod calls;
mod chance;
mod clock;
pub mod consistency;
mod engine;
mod fleet;
mod history;
mod hub;
mod log_events;
mod log_index;
pub mod metrics;
mod orphans;
mod providers;
mod quarantine;
pub mod record;
mod recovery;
pub mod replay;
mod request;
pub mod retention;
mod seals;
mod settings;
mod statistics;
mod status;
mod storage_guard;
mod subscription;
mod survey;
mod switches;
mod tasks;
mod trace;

pub use accounts::{Exceeded, KeyUsage, Refusal, Standing, Window};
pub use admission::{AdmitError, Admitted, NewRequest};
pub use applier::LinkError;
pub use archiver::{ArchiveSettings, ArchiveStatus};
pub use boot_log::{BootLog, BootStep, BootStepState, RunningStep};
pub use clock::{Clock, SystemClock};
pub use engine::{
    CancelError, Engine, EraseError, LogReport, Parts, Probe, ProviderReport, Rotation, StartError,
    SwitchError, TokenCount, UnrecordedError,
};
pub use fleet::{GONE_AFTER, Owner, RetireError, Retired, ServerReport, ServerState};
pub use history::ReadError;
pub use orphans::EarlierQuestion;
pub use providers::ProviderSet;
pub use settings::{BreakerSettings, CallSettings, Durability, RetrySettings, Settings};
pub use statistics::Counted;
pub use status::{Database, Status, Storage};
pub use subscription::{AttemptLabel, Subscribed, Subscription};
pub use switches::ProviderState;
pub use tasks::{TaskKind, Tasks};
