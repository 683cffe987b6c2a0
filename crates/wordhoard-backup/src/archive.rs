use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use wordhoard_model::Timestamp;
use wordhoard_wal::disk::sync_directory;
use wordhoard_wal::inspect;

use crate::Error;
use crate::error::At;

/// Removes the archived segments that no kept backup needs: those all of whose records lie below the oldest kept
/// position of their log, and that were last written before `before`, from which on another server may keep backups. `floors` has that position by the log's id in hexadecimal; of a log that is not in it all
/// stays. Gives, by log, the position at which its archive begins now.
///
/// # Errors
/// Where a file cannot be removed.
pub fn expire_archive(
    dir: &Path,
    floors: &BTreeMap<String, u64>,
    before: Timestamp,
) -> Result<(usize, BTreeMap<String, u64>), Error> {
    let (mut removed, mut begins) = (0, BTreeMap::new());
    for (log, floor) in floors {
        let folder = dir.join(log);
        if !folder.is_dir() {
            continue;
        }
        let mut files = inspect::segment_files(&folder).at(&folder)?;
        files.sort();
        // A segment ends where the next one begins. The last one is still written.
        let bases: Vec<u64> = files.iter().map(|(base, _)| base.0).collect();
        for ((_, name), next) in files.iter().zip(bases.iter().skip(1)) {
            let path = folder.join(name);
            if next > floor || !is_older(&path, before) {
                break;
            }
            match fs::remove_file(&path) {
                // Another server has the same archive, and was faster.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.at(&path)?,
            }
            // One at a time, so that what is left never has a hole.
            sync_directory(&folder).at(&folder)?;
            removed += 1;
            begins.insert(log.clone(), *next);
        }
    }
    Ok((removed, begins))
}

fn is_older(path: &Path, before: Timestamp) -> bool {
    let before = UNIX_EPOCH + Duration::from_millis(u64::try_from(before.as_millis()).unwrap_or(0));
    fs::metadata(path).and_then(|file| file.modified()).is_ok_and(|written| written < before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_the_floor_and_is_old_goes_and_the_last_segment_stays() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("ab");
        fs::create_dir(&folder).unwrap();
        for base in [0, 10, 20, 30] {
            fs::write(folder.join(format!("{base:020}.wal")), "x").unwrap();
        }
        let count = || fs::read_dir(&folder).unwrap().count();
        let (past, future) = (Timestamp::from_millis(1), Timestamp::from_millis(4_000_000_000_000));
        let floors = |floor| BTreeMap::from([("ab".to_owned(), floor), ("cd".to_owned(), 99)]);
        assert_eq!(expire_archive(dir.path(), &floors(99), past).unwrap(), (0, BTreeMap::new()));
        assert_eq!(count(), 4);
        let (removed, begins) = expire_archive(dir.path(), &floors(25), future).unwrap();
        assert_eq!((removed, begins["ab"], count()), (2, 20, 2));
        assert_eq!(expire_archive(dir.path(), &floors(99), future).unwrap().0, 1);
        assert_eq!(expire_archive(dir.path(), &BTreeMap::new(), future).unwrap().0, 0);
        assert_eq!(count(), 1);
    }
}
