//! The log, SQL, and what keeps both in order.

use wordhoard_engine::metrics::Reading;
use wordhoard_engine::{Database, Status, Storage};
use wordhoard_model::Timestamp;
use wordhoard_wal::COMMIT_BOUNDS_MICROS;

use super::Sources;
use super::family::Family;

const STORAGE_STATES: &[&str] = &["open", "full", "latched", "closed"];

pub(super) fn families(sources: &Sources<'_>, status: &Status) -> Vec<Family> {
    let mut families = storage(sources, status);
    families.extend(database(sources, status));
    families.extend(consistency(sources));
    families.extend(upkeep(sources));
    families
}

fn storage(sources: &Sources<'_>, status: &Status) -> Vec<Family> {
    let state = match status.storage {
        Storage::Open => "open",
        Storage::Full => "full",
        Storage::Latched => "latched",
        Storage::Closed => "closed",
    };
    let commits = &status.commits;
    let sum_nanos = commits.total_commit_micros.saturating_mul(1_000);
    let durations = Reading::of(&COMMIT_BOUNDS_MICROS, &commits.buckets, sum_nanos);
    let mut commit =
        Family::histogram("wordhoard_wal_commit_duration_seconds", "One write and one sync of the log.");
    commit.add_histogram(&[], durations);
    let limit = sources.limits.wal_limit_bytes.map(|bytes| bytes as f64);
    vec![
        Family::gauge("llm_wal_size_bytes", "Bytes of the log on disk, with what is reserved ahead.")
            .number(status.wal_size_bytes as f64),
        Family::gauge("wordhoard_wal_limit_bytes", "Size of the log past which prompts are refused.")
            .known(limit),
        Family::gauge("wordhoard_disk_free_bytes", "Free bytes on the disk of the log.")
            .number(status.disk_free_bytes as f64),
        Family::gauge("wordhoard_disk_reserve_bytes", "Free bytes below which prompts are refused.")
            .number(sources.limits.disk_reserve_bytes as f64),
        Family::gauge("wordhoard_storage_state", "1 for the state of the log.").one_of(
            STORAGE_STATES,
            state,
            &[],
        ),
        ready(is_ready(status)),
        commit,
        Family::counter("wordhoard_wal_records_total", "Records that were made durable.")
            .number(commits.records as f64),
        Family::counter("wordhoard_wal_written_bytes_total", "Bytes that were written for them.")
            .number(commits.bytes as f64),
    ]
}

pub(super) fn ready(is_ready: bool) -> Family {
    Family::gauge("wordhoard_ready", "Whether prompts are taken in.").number(flag(is_ready))
}

fn is_ready(status: &Status) -> bool {
    status.accepting && !status.draining && status.storage == Storage::Open
}

fn database(sources: &Sources<'_>, status: &Status) -> Vec<Family> {
    let metrics = sources.engine.metrics();
    let mut apply = Family::histogram("wordhoard_apply_duration_seconds", "One transaction of SQL.");
    apply.add_histogram(&[], metrics.apply.read());
    vec![
        Family::gauge("wordhoard_database_up", "Whether SQL can be used.")
            .number(flag(status.database == Database::Up)),
        Family::gauge("wordhoard_database_last_write_timestamp_seconds", "When SQL was last written.")
            .known(status.last_db_write.map(seconds)),
        apply,
        Family::counter("wordhoard_conflicts_total", "Events that contradict what SQL holds in their place.")
            .number(status.conflicts as f64),
        Family::counter(
            "wordhoard_quarantined_total",
            "Records that could not be applied and were put aside.",
        )
        .number(status.quarantined as f64),
    ]
}

fn consistency(sources: &Sources<'_>) -> Vec<Family> {
    let consistency = sources.engine.consistency();
    vec![
        Family::gauge(
            "wordhoard_token_gap",
            "Whether SQL lacks what it should have, or holds what it should not.",
        )
        .known(consistency.token_gap.map(flag)),
        Family::gauge("wordhoard_consistency_findings", "What the newest checks have found.")
            .number(consistency.finding_count() as f64),
        Family::gauge(
            "wordhoard_consistency_last_check_timestamp_seconds",
            "When a check last came to its end.",
        )
        .known(consistency.last_check.map(seconds)),
    ]
}

fn upkeep(sources: &Sources<'_>) -> Vec<Family> {
    let upkeep = &sources.upkeep;
    vec![
        Family::gauge("wordhoard_backups", "Backups that are kept.")
            .known(upkeep.backup_count.map(|count| count as f64)),
        Family::gauge(
            "wordhoard_backup_last_success_timestamp_seconds",
            "When the newest good backup was made.",
        )
        .known(upkeep.last_backup_at.map(seconds)),
        Family::gauge("wordhoard_backup_last_size_bytes", "The size of the newest good backup.")
            .known(upkeep.last_backup_size_bytes.map(|bytes| bytes as f64)),
        Family::gauge("wordhoard_backup_last_failed", "Whether the newest try to make a backup failed.")
            .known(upkeep.last_backup_failed.map(flag)),
        Family::gauge(
            "wordhoard_prune_last_success_timestamp_seconds",
            "When what is too old was last removed.",
        )
        .known(upkeep.last_prune_at.map(seconds)),
        Family::gauge(
            "wordhoard_archive_lag_records",
            "Records of the log that its archive does not have yet.",
        )
        .known(upkeep.archive_lag_records.map(|count| count as f64)),
    ]
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millis() as f64 / 1e3
}
