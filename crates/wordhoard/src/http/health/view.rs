//! From what the parts say of themselves to the answer.

use std::collections::BTreeMap;

use wordhoard_engine::consistency::ConsistencyStatus;
use wordhoard_engine::{
    BootLog, BootStep, Counted, Database as DatabaseState, ProviderReport, ServerReport, ServerState, Status,
    Storage,
};
use wordhoard_model::ProviderName;
use wordhoard_store::{LogKey, ProviderTotals, Weakness};

use super::document::{
    AbsentServer, BackupHealth, BootHealth, ConsistencyHealth, Database, Figures, Health, ProviderFigures,
    RecoveryHealth, RequestFigures, RetentionHealth, ServersHealth, Services, ShutdownHealth, StepHealth,
    StorageHealth, TokenFigures, WeakSetting,
};
use crate::upkeep::{ShutdownStep, Upkeep};

/// What the parts say.
pub(super) struct Seen {
    pub(super) status: Status,
    pub(super) consistency: ConsistencyStatus,
    pub(super) counted: Option<Counted>,
    pub(super) providers: BTreeMap<ProviderName, ProviderReport>,
    pub(super) upkeep: Upkeep,
    pub(super) this_server: LogKey,
    pub(super) servers: Vec<ServerReport>,
    /// Whether problems are told in their own words, which may name hosts and paths.
    pub(super) tell_problems: bool,
}

impl Seen {
    pub(super) fn into_health(self, boot: &BootLog, timestamp: String) -> Health {
        let status = self.overall();
        let services = self.services(boot);
        let database = self.database();
        let Self { status: engine, consistency, counted, providers, .. } = self;
        Health {
            status,
            timestamp,
            models: self.tell_problems.then(|| models(&providers)),
            out_of_credit: without_credit(&providers),
            providers: providers
                .iter()
                .map(|(name, of)| (name.as_str().to_owned(), of.state.as_str()))
                .collect(),
            db_ok: database.connected,
            database,
            buffer_len: engine.buffer_len,
            last_flush_ms: engine.last_flush_ms,
            last_db_write: engine.last_db_write.map(|at| at.to_string()),
            wal_size_bytes: engine.wal_size_bytes,
            running_requests: engine.running_requests,
            token_gap: consistency.token_gap,
            metrics: counted.map_or_else(nothing_counted, figures),
            services,
        }
    }

    fn overall(&self) -> &'static str {
        let Self { status, consistency, .. } = self;
        let db_ok = status.database == DatabaseState::Up;
        let storage_ok = status.accepting && status.storage == Storage::Open;
        let sound = status.conflicts == 0
            && status.quarantined == 0
            && status.weaknesses.is_empty()
            && without_credit(&self.providers).is_empty()
            && consistency.token_gap != Some(true)
            && !self.servers.iter().any(ServerReport::needs_somebody);
        match (status.draining, db_ok && storage_ok && sound) {
            (true, _) => "shutting_down",
            (false, true) => "healthy",
            (false, false) => "degraded",
        }
    }

    fn database(&self) -> Database {
        let status = &self.status;
        let (state, problem) = match &status.database {
            DatabaseState::Up => ("up", None),
            DatabaseState::Connecting => ("connecting", None),
            DatabaseState::Migrating => ("migrating", None),
            DatabaseState::Away(problem) => ("away", Some(problem.clone())),
            DatabaseState::Refused(problem) => ("refused", Some(problem.clone())),
            DatabaseState::Retired => ("retired", Some(RETIRED.to_owned())),
        };
        Database {
            connected: status.database == DatabaseState::Up,
            last_check: status.last_db_answer.map(|at| at.to_string()),
            state,
            schema_version: status.schema_version,
            weak_settings: status.weaknesses.iter().map(weak_setting).collect(),
            problem: problem.filter(|_| self.tell_problems),
        }
    }

    fn servers(&self) -> ServersHealth {
        let absent = self.servers.iter().filter(|report| report.needs_somebody());
        ServersHealth {
            this_server_id: self.this_server.to_string(),
            running: self.servers.iter().filter(|report| report.state == ServerState::Running).count(),
            absent: absent.map(|report| absent_server(report, self.tell_problems)).collect(),
        }
    }

    fn services(&self, boot_log: &BootLog) -> Services {
        let Self { status, consistency, upkeep, .. } = self;
        Services {
            boot: boot(boot_log),
            consistency: ConsistencyHealth {
                token_gaps_detected: consistency.token_gap,
                finding_count: consistency.finding_count(),
                last_check: consistency.last_check.map(|at| at.to_string()),
                last_check_failed: consistency.last_problem.is_some(),
                problem: consistency.last_problem.clone().filter(|_| self.tell_problems),
            },
            storage: storage(status),
            recovery: recovery(status),
            servers: self.servers(),
            retention: RetentionHealth {
                wal_file_size: status.wal_size_bytes,
                backup_count: upkeep.backup_count,
                last_prune: upkeep.last_prune_at.map(|at| at.to_string()),
            },
            backup: BackupHealth {
                last_backup_time: upkeep.last_backup_at.map(|at| at.to_string()),
                last_backup_size_bytes: upkeep.last_backup_size_bytes,
                last_backup_failed: upkeep.last_backup_failed,
                archive_lag_records: upkeep.archive_lag_records,
            },
            shutdown: ShutdownHealth {
                shutdown_initiated: status.draining,
                steps: upkeep.shutdown_steps.iter().map(shutdown_step).collect(),
            },
        }
    }
}

const RETIRED: &str = "somebody has retired this server, and another one has closed its requests";

fn absent_server(report: &ServerReport, tells_address: bool) -> AbsentServer {
    AbsentServer {
        server_id: report.log.to_string(),
        state: report.state.as_str(),
        silent_seconds: report.silent_for.as_secs(),
        open_requests: report.open_requests,
        address: tells_address.then(|| report.profile.address.clone()),
    }
}

/// The state of each model, as `provider:model`.
fn models(providers: &BTreeMap<ProviderName, ProviderReport>) -> BTreeMap<String, &'static str> {
    let of_provider = |(name, report): (&ProviderName, &ProviderReport)| {
        let name = name.as_str().to_owned();
        report
            .models
            .clone()
            .into_iter()
            .map(move |(model, state)| (format!("{name}:{model}"), state.as_str()))
    };
    providers.iter().flat_map(of_provider).collect()
}

fn without_credit(providers: &BTreeMap<ProviderName, ProviderReport>) -> Vec<String> {
    let without = providers.iter().filter(|(_, report)| report.keys_without_credit > 0);
    without.map(|(name, _)| name.as_str().to_owned()).collect()
}

pub(super) fn boot(boot: &BootLog) -> BootHealth {
    let step = |step: &BootStep| StepHealth {
        name: step.name,
        state: step.state.as_str(),
        elapsed_ms: step.elapsed_ms,
    };
    BootHealth { ready_after_ms: boot.ready_after_ms(), steps: boot.steps().iter().map(step).collect() }
}

fn recovery(status: &Status) -> RecoveryHealth {
    RecoveryHealth { due: status.recovery_due, waiting_requests: status.waiting_for_recovery }
}

fn storage(status: &Status) -> StorageHealth {
    StorageHealth {
        state: match status.storage {
            Storage::Open => "open",
            Storage::Full => "full",
            Storage::Latched => "latched",
            Storage::Closed => "closed",
        },
        commits: status.commits.commits,
        last_commit_micros: status.commits.last_commit_micros,
        conflicts: status.conflicts,
        quarantined: status.quarantined,
    }
}

fn figures(counted: Counted) -> Figures {
    let totals = counted.totals;
    let provider = |totals: ProviderTotals| {
        let figures =
            ProviderFigures { attempt_count: totals.attempts, avg_duration_seconds: totals.average_seconds };
        (totals.provider, figures)
    };
    Figures {
        counted_at: Some(counted.at.to_string()),
        requests: RequestFigures {
            total: Some(totals.requests),
            last_24h: Some(totals.new_requests),
            completed: Some(totals.completed_requests),
        },
        tokens: TokenFigures { total: Some(totals.tokens) },
        providers: totals.providers.into_iter().map(provider).collect(),
    }
}

fn nothing_counted() -> Figures {
    Figures {
        counted_at: None,
        requests: RequestFigures::default(),
        tokens: TokenFigures::default(),
        providers: Default::default(),
    }
}

fn weak_setting(weakness: &Weakness) -> WeakSetting {
    WeakSetting { setting: weakness.setting, value: weakness.value.clone() }
}

fn shutdown_step(step: &ShutdownStep) -> StepHealth {
    StepHealth { name: step.name, state: step.state, elapsed_ms: step.elapsed_ms }
}
