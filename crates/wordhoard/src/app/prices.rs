//! The prices that an operator has put in the place of those that come with the server.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;
use wordhoard_providers::{PriceTable, put_over};

/// Where they stand in the data directory.
pub(crate) const PRICES_FILE: &str = "prices.toml";
/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Takes the file over, and again whenever it changes. One that cannot be read changes nothing, and is told once.
pub(super) async fn follow(data_dir: PathBuf, stop: CancellationToken) {
    let path = data_dir.join(PRICES_FILE);
    let mut known = None;
    loop {
        let changed_at = changed_at(&path);
        if known != Some(changed_at) {
            known = Some(changed_at);
            take_over(&path, changed_at.is_some());
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}

fn take_over(path: &Path, is_there: bool) {
    if !is_there {
        return put_over(None);
    }
    let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
    match read.and_then(|text| PriceTable::read(&text).map_err(|error| error.to_string())) {
        Ok(table) => {
            tracing::info!(models = table.models().len(), path = %path.display(), "prices were taken over");
            put_over(Some(table));
        }
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "prices cannot be read; those before count");
        }
    }
}
