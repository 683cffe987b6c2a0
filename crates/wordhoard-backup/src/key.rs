//! The key that tells our manifests from those that somebody planted.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::files::hex;

/// The longest file that is read as a key.
const MAX_FILE_BYTES: u64 = 4096;
/// The shortest key.
const MIN_BYTES: usize = 32;

/// Authenticates manifests with HMAC-SHA-256.
#[derive(Clone)]
pub struct BackupKey(Vec<u8>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Its file cannot be read or made.
    #[error("the key of the backups, {path}: {reason}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
    /// It is too short to be one.
    #[error(
        "the key of the backups has less than {MIN_BYTES} bytes (backup.key_file, or WORDHOARD_BACKUP_KEY)"
    )]
    TooShort,
}

impl BackupKey {
    /// A key that was given.
    ///
    /// # Errors
    /// Where it is too short.
    pub fn given(key: &str) -> Result<Self, KeyError> {
        let key = key.trim().as_bytes().to_vec();
        if key.len() < MIN_BYTES { Err(KeyError::TooShort) } else { Ok(Self(key)) }
    }

    /// The key in a file.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
        read.map_err(|reason| KeyError::File { path: path.to_owned(), reason })?;
        Self::given(&text)
    }

    /// The key in a file; where there is no file, one is made that only its owner can read, with a random key.
    ///
    /// # Errors
    /// Where it can neither be read nor made.
    pub fn read_or_make(path: &Path) -> Result<Self, KeyError> {
        match Self::read(path) {
            Err(KeyError::File { reason, .. }) if reason.kind() == ErrorKind::NotFound => {}
            read => return read,
        }
        let made = make(path);
        match made {
            // Another process was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::read(path),
            Err(reason) => Err(KeyError::File { path: path.to_owned(), reason }),
            Ok(key) => Self::given(&key),
        }
    }

    /// The code of these bytes, in hexadecimal.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> String {
        hex(&self.mac(bytes).finalize().into_bytes())
    }

    /// Whether this is the code of these bytes. Takes as long for a wrong one as for the right one.
    #[must_use]
    pub fn is_signature(&self, bytes: &[u8], code: &str) -> bool {
        let digits = code.as_bytes().chunks(2).map(|pair| {
            let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2)?;
            u8::from_str_radix(text, 16).ok()
        });
        digits.collect::<Option<Vec<u8>>>().is_some_and(|code| self.mac(bytes).verify_slice(&code).is_ok())
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let padded = Hmac::<Sha256>::new_from_slice(&self.0);
        // HMAC takes a key of any length.
        let mut mac = padded.unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
        mac.update(bytes);
        mac
    }
}

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackupKey")
    }
}

fn make(path: &Path) -> std::io::Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let key = hex(&random);
    // Whole before it has its name: an empty file would be taken for a bad key at each later start.
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}", &key[..8]));
    let aside = PathBuf::from(aside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    writeln!(file, "{key}")?;
    file.sync_all()?;
    let linked = fs::hard_link(&aside, path);
    fs::remove_file(&aside)?;
    linked?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_knows_its_own_codes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup.key");
        assert!(matches!(BackupKey::read(&path), Err(KeyError::File { .. })));
        let key = BackupKey::read_or_make(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let code = BackupKey::read_or_make(&path).unwrap().sign(b"manifest");
        assert!(key.is_signature(b"manifest", &code));
        assert!(!key.is_signature(b"manifesT", &code));
        for code in ["", "zz", "0", &code[..62], &code.replace('a', "b").replace('1', "2")] {
            assert!(!key.is_signature(b"manifest", code), "{code}");
        }
        let other = BackupKey::given("another key that is long enough to be one").unwrap();
        assert!(!other.is_signature(b"manifest", &code));
        assert!(matches!(BackupKey::given("short"), Err(KeyError::TooShort)));
    }
}
