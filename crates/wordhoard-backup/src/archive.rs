use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use wordhoard_wal::disk::sync_directory;
use wordhoard_wal::inspect;

use crate::Error;
use crate::error::At;

/// Removes the archived segments that no kept backup needs: those all of whose records lie below the oldest kept
/// position of their log. `floors` has that position by the log's id in hexadecimal; of a log that is not in it all
/// stays. Gives how many segments and bytes went.
///
/// # Errors
/// Where a file cannot be removed.
pub fn expire_archive(dir: &Path, floors: &BTreeMap<String, u64>) -> Result<(usize, u64), Error> {
    let (mut segments, mut size_bytes) = (0, 0);
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
            if next > floor {
                break;
            }
            let path = folder.join(name);
            size_bytes += fs::metadata(&path).map_or(0, |file| file.len());
            fs::remove_file(&path).at(&path)?;
            // One at a time, so that what is left never has a hole.
            sync_directory(&folder).at(&folder)?;
            segments += 1;
        }
    }
    Ok((segments, size_bytes))
}
