//! The servers that share a database: each says from time to time that it is there, sees which others are, and closes what a
//! retired one has left.

mod beat;
mod latecomers;
mod retiring;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) use beat::run;
use parking_lot::Mutex;
pub use retiring::{RetireError, Retired};
use wordhoard_store::{Departure, LogKey, Retirement, ServerProfile, ServerSeen};

/// Silence after which a server counts as gone: four beats that nobody has heard.
pub const GONE_AFTER: Duration = Duration::from_secs(20);

/// Which server runs a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This one.
    Here,
    /// Another one. Where it does not run, the request goes on when it is started again.
    Elsewhere(Box<ServerReport>),
    /// One of which SQL has never heard.
    Nobody,
    /// SQL cannot be asked.
    Unknown,
}

/// How a server is, as far as this one knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// It has spoken lately.
    Running,
    /// It was stopped in order, and goes on with its requests at its next start.
    Stopped,
    /// It has been silent for too long, and has not said that it would go.
    Gone,
    /// It went for good, and has ended all its requests.
    Left,
    /// Its log was ended, and its requests are closed by another one.
    Retired,
}

impl ServerState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Running, Self::Stopped, Self::Gone, Self::Left, Self::Retired];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Gone => "gone",
            Self::Left => "left",
            Self::Retired => "retired",
        }
    }

    /// How a server is of which this is known. `watched_for` is for how long its silence could have been broken: after an outage of
    /// SQL everybody has been silent.
    pub fn of(seen: &ServerSeen, watched_for: Duration) -> Self {
        match (seen.retirement, seen.departure) {
            (Some(_), _) => Self::Retired,
            (None, Some(Departure::Left)) => Self::Left,
            (None, Some(Departure::Stopped)) => Self::Stopped,
            (None, None) if seen.silent_for.min(watched_for) >= GONE_AFTER => Self::Gone,
            (None, None) => Self::Running,
        }
    }
}

/// A server on this database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReport {
    /// Its log, by which it is known.
    pub log: LogKey,
    /// Whether it is this one, or was before its log was put aside.
    pub is_this: bool,
    /// How it is.
    pub state: ServerState,
    /// For how long it has not spoken.
    pub silent_for: Duration,
    /// What it said of itself.
    pub profile: ServerProfile,
    /// Whether, and since when, its log is ended.
    pub retirement: Option<Retirement>,
    /// Its requests that have no end in SQL.
    pub open_requests: u64,
}

impl ServerReport {
    /// Whether somebody has to do something about it: nobody goes on with its requests.
    pub fn needs_somebody(&self) -> bool {
        match self.state {
            ServerState::Gone => !self.is_this,
            // One that is started anew is silent for a while, and nobody has to be told.
            ServerState::Stopped => !self.is_this && self.open_requests > 0 && self.silent_for >= GONE_AFTER,
            ServerState::Retired => self.open_requests > 0,
            ServerState::Running | ServerState::Left => false,
        }
    }
}

/// What is known of the servers.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    seen: Mutex<Option<Seen>>,
    /// Held while this server speaks; inside, whether it has said its last word.
    speaking: tokio::sync::Mutex<bool>,
    /// Whether this server was retired: it never accepts a prompt again.
    is_retired: AtomicBool,
}

#[derive(Debug)]
struct Seen {
    /// When SQL was asked last.
    at: Instant,
    /// Since when it has been asked without a pause in which somebody could have seemed silent.
    since: Instant,
    servers: Vec<ServerReport>,
}

impl Fleet {
    /// This server was retired.
    fn note_retired(&self) {
        self.is_retired.store(true, Ordering::Release);
    }

    /// Whether this server was retired.
    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Acquire)
    }

    /// Whether servers are there that are not this one.
    pub(crate) fn has_others(&self) -> bool {
        let is_there = |report: &ServerReport| !report.is_this && report.state == ServerState::Running;
        self.seen.lock().as_ref().is_some_and(|seen| seen.servers.iter().any(is_there))
    }

    /// Whether what keys use at other servers may still change.
    pub(crate) fn may_spend_elsewhere(&self) -> bool {
        let may = |report: &ServerReport| {
            !report.is_this && (report.state == ServerState::Running || report.open_requests > 0)
        };
        self.seen.lock().as_ref().is_some_and(|seen| seen.servers.iter().any(may))
    }

    /// Who runs the requests of this log.
    pub(crate) fn owner(&self, log: LogKey) -> Owner {
        let seen = self.seen.lock();
        let Some(seen) = seen.as_ref().filter(|seen| seen.at.elapsed() < GONE_AFTER) else {
            return Owner::Unknown;
        };
        match seen.servers.iter().find(|report| report.log == log) {
            Some(report) if report.is_this => Owner::Here,
            Some(report) => Owner::Elsewhere(Box::new(report.clone())),
            None => Owner::Nobody,
        }
    }

    /// All of them, as they were when SQL was asked last; none where it was not asked for too long.
    pub(crate) fn reports(&self) -> Vec<ServerReport> {
        let seen = self.seen.lock();
        seen.as_ref().filter(|seen| seen.at.elapsed() < GONE_AFTER).map_or_else(Vec::new, |seen| {
            let since_asked = seen.at.elapsed();
            let now = |report: &ServerReport| ServerReport {
                silent_for: report.silent_for + since_asked,
                ..report.clone()
            };
            seen.servers.iter().map(now).collect()
        })
    }

    /// The server of this log, where whoever waits for its events waits in vain.
    pub(crate) fn absent(&self, log: LogKey) -> Option<ServerReport> {
        // The requests of a retired one end soon.
        let is_absent = |report: &ServerReport| {
            report.log == log && report.state != ServerState::Retired && report.needs_somebody()
        };
        self.reports().into_iter().find(is_absent)
    }

    /// Takes in what SQL says now. Gives how the servers were before.
    fn take_in(&self, servers: Vec<ServerSeen>, is_ours: impl Fn(LogKey) -> bool) -> Vec<ServerReport> {
        let now = Instant::now();
        let mut kept = self.seen.lock();
        let before = kept.take().filter(|seen| now.duration_since(seen.at) < GONE_AFTER / 2);
        let since = before.as_ref().map_or(now, |seen| seen.since);
        let report = |seen: ServerSeen| ServerReport {
            state: ServerState::of(&seen, now.duration_since(since)),
            is_this: is_ours(seen.log),
            log: seen.log,
            silent_for: seen.silent_for,
            profile: seen.profile,
            retirement: seen.retirement,
            open_requests: seen.open_requests,
        };
        let servers = servers.into_iter().map(report).collect();
        *kept = Some(Seen { at: now, since, servers });
        before.map_or_else(Vec::new, |seen| seen.servers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: LogKey = LogKey([7; 16]);

    fn silent(seconds: u64) -> ServerSeen {
        ServerSeen {
            log: OTHER,
            silent_for: Duration::from_secs(seconds),
            profile: ServerProfile::default(),
            departure: None,
            retirement: None,
            open_requests: 1,
        }
    }

    #[test]
    fn nobody_is_gone_before_there_was_time_to_speak() {
        let fleet = Fleet::default();
        fleet.take_in(vec![silent(3_600)], |_| false);
        assert!(fleet.has_others() && fleet.absent(OTHER).is_none());
        let long = Duration::from_secs(60);
        assert_eq!(ServerState::of(&silent(3_600), long), ServerState::Gone);
        assert_eq!(ServerState::of(&silent(3), long), ServerState::Running);
        let stopped = ServerSeen { departure: Some(Departure::Stopped), ..silent(3_600) };
        assert_eq!(ServerState::of(&stopped, Duration::ZERO), ServerState::Stopped);
    }
}
