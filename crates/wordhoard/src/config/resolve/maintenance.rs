use std::path::Path;
use std::time::Duration;

use crate::config::file::{ArchiveTable, BackupTable, RetentionTable, S3Table};
use crate::config::{
    ArchiveConfig, BackupConfig, BackupKeySource, Environment, Error, RetentionConfig, S3Config, Schedule,
};

/// Weekly, in a quiet hour (SPEC FD 9).
const PRUNE_SCHEDULE: &str = "30 4 * * 0";
/// Daily at three (SPEC FD 10).
const BACKUP_SCHEDULE: &str = "0 3 * * *";
const ARCHIVE_INTERVAL: Duration = Duration::from_secs(10);
/// The shortest key of backups that is taken from the environment.
const MIN_KEY_CHARACTERS: usize = 32;

pub(super) fn retention(table: &RetentionTable, environment: &Environment) -> Result<RetentionConfig, Error> {
    Ok(RetentionConfig {
        days: days("retention.days", table.days, "RETENTION_DAYS", environment, 180)?,
        schedule: schedule("retention.schedule", table.schedule.as_deref(), PRUNE_SCHEDULE)?,
    })
}

pub(super) fn backup(
    table: BackupTable,
    data_dir: &Path,
    environment: &Environment,
) -> Result<BackupConfig, Error> {
    let retention_days =
        days("backup.retention_days", table.retention_days, "BACKUP_RETENTION_DAYS", environment, 30)?;
    Ok(BackupConfig {
        dir: table.dir.map_or_else(|| data_dir.join("backups"), Into::into),
        schedule: schedule("backup.schedule", table.schedule.as_deref(), BACKUP_SCHEDULE)?,
        retention_days,
        key: key(table.key_file, data_dir, environment)?,
        pg_bin_dir: table.pg_bin_dir.map(Into::into),
        s3: table.s3.map(|table| s3(table, environment)).transpose()?,
    })
}

pub(super) fn archive(table: ArchiveTable, data_dir: &Path) -> Option<ArchiveConfig> {
    table.enabled.unwrap_or(true).then(|| ArchiveConfig {
        dir: table.dir.map_or_else(|| data_dir.join("archive"), Into::into),
        interval: table.interval.map_or(ARCHIVE_INTERVAL, |text| text.0),
    })
}

fn days(
    setting: &str,
    written: Option<u32>,
    variable: &str,
    environment: &Environment,
    default: u32,
) -> Result<u32, Error> {
    const PROBLEM: &str = "must be a number of days, from 1 to 36500";
    let (source, days) = match environment.get(variable) {
        Some(text) => (variable, text.parse().map_err(|_| Error::setting(variable, PROBLEM))?),
        None => (setting, written.unwrap_or(default)),
    };
    if (1..=36_500).contains(&days) { Ok(days) } else { Err(Error::setting(source, PROBLEM)) }
}

fn schedule(setting: &str, written: Option<&str>, default: &str) -> Result<Schedule, Error> {
    written.unwrap_or(default).parse().map_err(|problem: String| Error::setting(setting, problem))
}

fn key(file: Option<String>, data_dir: &Path, environment: &Environment) -> Result<BackupKeySource, Error> {
    const NAME: &str = "WORDHOARD_BACKUP_KEY";
    match environment.get(NAME) {
        Some(key) if key.chars().count() < MIN_KEY_CHARACTERS => {
            Err(Error::setting(NAME, format!("must have at least {MIN_KEY_CHARACTERS} characters")))
        }
        Some(key) => Ok(BackupKeySource::Given(key.to_owned())),
        None => Ok(BackupKeySource::File(file.map_or_else(|| data_dir.join("backup.key"), Into::into))),
    }
}

fn s3(table: S3Table, environment: &Environment) -> Result<S3Config, Error> {
    let secret = |setting: &str, variable: Option<String>, default: &str| {
        let variable = variable.unwrap_or_else(|| default.to_owned());
        let value = environment.get(&variable).map(|value| value.trim().to_owned());
        value.ok_or_else(|| {
            Error::setting(setting, format!("the key shall be in {variable}, which is not set"))
        })
    };
    if table.bucket.is_empty() {
        return Err(Error::setting("backup.s3.bucket", "must not be empty"));
    }
    let allow_http = table.allow_http.unwrap_or(false);
    if let Some(endpoint) = &table.endpoint
        && !(endpoint.starts_with("https://") || allow_http && endpoint.starts_with("http://"))
    {
        let problem = "must be an https URL; http needs allow_http = true";
        return Err(Error::setting("backup.s3.endpoint", problem));
    }
    let mut prefix = table.prefix.unwrap_or_default();
    if !prefix.is_empty() && !prefix.ends_with('/') {
        prefix.push('/');
    }
    Ok(S3Config {
        access_key_id: secret("backup.s3.access_key_id_env", table.access_key_id_env, "AWS_ACCESS_KEY_ID")?,
        secret_access_key: secret(
            "backup.s3.secret_access_key_env",
            table.secret_access_key_env,
            "AWS_SECRET_ACCESS_KEY",
        )?,
        bucket: table.bucket,
        prefix,
        endpoint: table.endpoint,
        region: table.region.unwrap_or_else(|| "us-east-1".into()),
        allow_http,
    })
}
