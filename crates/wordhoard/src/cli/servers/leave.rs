use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use wordhoard_wal::{DirLock, LockError};

use super::LeaveArgs;
use crate::app::{Core, LOCK_FILE, LeaveMark, WAL_DIR};
use crate::config::Config;

pub(super) async fn run(args: &LeaveArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let data_dir = &config.data_dir;
    let shown = || data_dir.display().to_string();
    ensure!(
        data_dir.join(WAL_DIR).is_dir(),
        "{} is no data directory of a server: give it with --data-dir",
        data_dir.display()
    );
    let (mark, mut out) = (LeaveMark::of(data_dir), std::io::stdout());
    if args.undo {
        let told = if mark.remove().with_context(shown)? {
            "the next stop is an ordinary one"
        } else {
            "it was not to leave"
        };
        writeln!(out, "{told}")?;
        return Ok(ExitCode::SUCCESS);
    }
    mark.set().with_context(shown)?;
    match DirLock::acquire(&data_dir.join(LOCK_FILE)) {
        Err(error @ LockError::Disk { .. }) => return Err(error.into()),
        Err(LockError::Held { .. }) => writeln!(
            out,
            "when this server is stopped next, it closes all its requests: stop it with SIGTERM"
        )?,
        Ok(lock) => {
            drop(lock);
            writeln!(out, "no server runs on {}: what it has left is closed now", shown())?;
            Core::leave_alone(config).await.with_context(|| config.database.to_string())?;
            mark.remove().with_context(shown)?;
            writeln!(out, "this server has left")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
