//! Which logs a data directory has had. A log that is gone (moved away, lost) leaves requests in SQL that nobody else
//! will ever end, and an operator who should know.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use wordhoard_backup::swap::Pending;
use wordhoard_store::LogKey;

/// One id a line, the present one last.
const FILE: &str = "log_ids";

/// Notes the present log, and gives those before it.
pub(super) fn note(data_dir: &Path, present: LogKey) -> anyhow::Result<Vec<LogKey>> {
    let path = data_dir.join(FILE);
    let mut known = read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if known.last() != Some(&present) {
        if let Some(last) = known.last().filter(|last| !was_set_aside(data_dir, **last)) {
            tracing::error!(
                lost = ?last, present = ?present,
                "the log of this data directory is gone and a new one was begun; what SQL had not taken from it is \
                 lost, unless the log is put back. (If a restore to an earlier moment had ended it, all is well.)"
            );
        }
        known.retain(|log| *log != present);
        known.push(present);
        write(&path, &known).with_context(|| format!("cannot write {}", path.display()))?;
    }
    known.pop();
    Ok(known)
}

/// Notes logs that this data directory has had before its present one.
pub(super) fn note_former(data_dir: &Path, former: &[LogKey]) -> std::io::Result<()> {
    let path = data_dir.join(FILE);
    let mut known = read(&path).map_err(std::io::Error::other)?;
    let present = known.pop().filter(|present| !former.contains(present));
    known.extend(former);
    known.extend(present);
    let mut seen = std::collections::HashSet::new();
    known.retain(|log| seen.insert(*log));
    write(&path, &known)
}

fn read(path: &Path) -> std::io::Result<Vec<LogKey>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let id = |line: &str| {
        let id = line.parse().ok();
        if id.is_none() {
            // A crash in the middle of writing it. It only serves to tell what is lost, so it must not hold up a start.
            tracing::warn!(line, "a line of {FILE} is no id of a log");
        }
        id
    };
    Ok(text.lines().filter_map(id).collect())
}

/// Whether the last restore has set this log aside, so that nobody has to look for it.
fn was_set_aside(data_dir: &Path, log: LogKey) -> bool {
    let ended =
        |last: Pending| last.former_logs().contains(&log) || last.fences.contains_key(&format!("{log:?}"));
    Pending::last(data_dir).is_ok_and(|last| last.is_some_and(ended))
}

fn write(path: &Path, known: &[LogKey]) -> std::io::Result<()> {
    let text: String = known.iter().map(|log| format!("{log:?}\n")).collect();
    wordhoard_wal::disk::replace_durably(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_gone_is_remembered_and_one_that_is_put_back_is_the_present_one() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = [LogKey([1; 16]), LogKey([0xab; 16])];
        assert_eq!(note(dir.path(), first).unwrap(), []);
        assert_eq!(note(dir.path(), first).unwrap(), []);
        assert_eq!(note(dir.path(), second).unwrap(), [first]);
        assert_eq!(note(dir.path(), second).unwrap(), [first]);
        assert_eq!(note(dir.path(), first).unwrap(), [second]);
        fs::write(dir.path().join(FILE), &format!("{second:?}\n{first:?}")[..40]).unwrap();
        assert_eq!(note(dir.path(), first).unwrap(), [second]);
    }
}
