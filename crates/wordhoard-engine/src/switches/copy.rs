//! The copy of the switches in the data directory: the names of the disabled providers, one a line.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use wordhoard_model::ProviderName;
use wordhoard_wal::disk::replace_durably;

/// What the last run knew. A copy that cannot be read must not hold up a start: SQL says it again.
pub(super) fn read(path: &Path) -> BTreeSet<ProviderName> {
    match fs::read_to_string(path) {
        Ok(text) => text.lines().filter_map(|line| ProviderName::new(line).ok()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "the copy of the switches cannot be read; until SQL says otherwise, every provider is called");
            BTreeSet::new()
        }
    }
}

pub(super) fn write(path: &Path, disabled: &BTreeSet<ProviderName>) -> io::Result<()> {
    let text: String = disabled.iter().map(|name| format!("{name}\n")).collect();
    replace_durably(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_a_missing_copy_disables_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disabled_providers");
        assert!(read(&path).is_empty());
        let names = BTreeSet::from(["demo", "openai"].map(|name| ProviderName::new(name).unwrap()));
        write(&path, &names).unwrap();
        assert_eq!(read(&path), names);
        write(&path, &BTreeSet::new()).unwrap();
        assert!(read(&path).is_empty());
    }
}
