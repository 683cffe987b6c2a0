//! Copies the database with `pg_dump`, from one snapshot that is counted, too.

use std::ffi::OsString;
use std::fs::File;
use std::time::Duration;

use super::limits::ServerLimits;
use super::rows::{count, get, narrow};
use super::session::{Session, Target};
use super::tools::{self, Tools};
use super::types::Log;
use crate::export::{Census, ExportPlan, Progress};
use crate::{Error, LogKey};

/// How often the size of the copy is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

const COUNTS: &str = "SELECT (SELECT max(version) FROM schema_migrations)::bigint,
        (SELECT count(*) FROM llm_requests), (SELECT count(*) FROM llm_attempts), 
        (SELECT coalesce(sum(token_count), 0)::bigint FROM llm_token_runs)";
const POSITIONS: &str = "SELECT log_id, applied FROM wal_positions ORDER BY log_id";

/// All tables and views of our schema, partitions too, quoted as `pg_dump` reads them.
const TABLES: &str = "SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v') AND nspname = current_schema() ORDER BY 1";

/// All in one transaction that reads one state.
const BEGIN: &str =
    "SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub(super) async fn size_bytes(session: &Session) -> Result<u64, Error> {
    let rows = session.query("SELECT pg_database_size(current_database())", &[]).await?;
    rows.first().map_or(Ok(0), |row| count(row, 0))
}

pub(super) async fn census(target: &Target) -> Result<Census, Error> {
    let session = target.connect(ServerLimits::EXPORT, None).await?;
    session.client().batch_execute(BEGIN).await?;
    counted(&session).await
}

async fn counted(session: &Session) -> Result<Census, Error> {
    let rows = session.query(COUNTS, &[]).await?;
    let row = rows.first().ok_or_else(|| Error::Damaged("the server told no counts".to_owned()))?;
    let position = |row: &_| -> Result<(LogKey, u64), Error> {
        let Log(log) = get(row, 0)?;
        Ok((log, count(row, 1)?))
    };
    Ok(Census {
        schema_version: narrow(row, 0, count(row, 0)?)?,
        requests: count(row, 1)?,
        attempts: count(row, 2)?,
        tokens: count(row, 3)?,
        positions: session.query(POSITIONS, &[]).await?.iter().map(position).collect::<Result<_, _>>()?,
    })
}

pub(super) async fn export(
    target: &Target,
    tools: &Tools,
    plan: &ExportPlan,
    progress: Progress<'_>,
) -> Result<Census, Error> {
    let session = target.connect(ServerLimits::EXPORT, None).await?;
    session.client().batch_execute(BEGIN).await?;
    let rows = session.query("SELECT pg_export_snapshot()", &[]).await?;
    let snapshot: String = rows.first().map_or(Ok(String::new()), |row| get(row, 0))?;
    let mut file = OsString::from("--file=");
    file.push(&plan.file);
    let mut args: Vec<OsString> = vec![
        "--format=custom".into(),
        // A little compression costs little; more would hold the snapshot for longer.
        "--compress=1".into(),
        "--no-owner".into(),
        "--no-privileges".into(),
        "--lock-wait-timeout=30000".into(),
        format!("--snapshot={snapshot}").into(),
        file,
    ];
    // Table by table: what else there is (extensions, say) could not be made again by a role like ours.
    for row in session.query(TABLES, &[]).await? {
        args.push(format!("--table={}", get::<String>(&row, 0)?).into());
    }
    let major = tools::server_major(&session).await?;
    let dump = tools.run("pg_dump", plan.bin_dir.as_deref(), major, &args);
    let (census, ()) = tokio::try_join!(counted(&session), watched(dump, plan, progress))?;
    session.client().batch_execute("COMMIT").await?;
    let synced = File::open(&plan.file).and_then(|file| file.sync_all());
    synced.map_err(|error| Error::Unavailable(format!("the copy cannot be synced: {error}")))?;
    Ok(census)
}

async fn watched(
    work: impl Future<Output = Result<(), Error>>,
    plan: &ExportPlan,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(LOOK_INTERVAL, &mut work).await {
            Ok(done) => return done,
            Err(_) => progress(std::fs::metadata(&plan.file).map_or(0, |file| file.len()), None),
        }
    }
}
