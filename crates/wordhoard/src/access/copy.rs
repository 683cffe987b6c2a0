//! The copy of the keys in the data directory: ids, scopes, digests and limits.

use std::path::Path;
use std::{fs, io};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use wordhoard_store::{Scope, limits_from_json, limits_to_json};
use wordhoard_wal::disk::replace_durably;

use super::KnownKey;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Copy {
    version: u32,
    keys: Vec<CopiedKey>,
}

#[derive(Serialize, Deserialize)]
struct CopiedKey {
    key_id: String,
    scope: String,
    sha256: String,
    /// As SQL has them; none where nothing is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limits: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_revoked: bool,
}

/// What the last run knew. Where that cannot be read no key is known: what is doubtful opens nothing.
pub(super) fn read(path: &Path) -> Vec<KnownKey> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "the copy of the keys cannot be read");
            return Vec::new();
        }
    };
    parse(&text).unwrap_or_else(|error| {
        tracing::error!(path = %path.display(), error = format!("{error:#}"), "the copy of the keys is damaged; until SQL says them, no key is known");
        Vec::new()
    })
}

fn parse(text: &str) -> anyhow::Result<Vec<KnownKey>> {
    let copy: Copy = serde_json::from_str(text)?;
    anyhow::ensure!(copy.version == VERSION, "version {} is not known", copy.version);
    let key = |key: &CopiedKey| {
        let scope = Scope::from_name(&key.scope).context("an unknown scope")?;
        let limits = limits_from_json(key.limits.as_deref());
        let limits = limits.map_err(|error| anyhow::anyhow!("limits: {error}"))?;
        let sha256 = from_hex(&key.sha256).context("no digest")?;
        let (group, is_revoked) = (key.group.clone(), key.is_revoked);
        Ok(KnownKey { id: key.key_id.parse()?, scope, sha256, limits, group, is_revoked })
    };
    copy.keys.iter().map(key).collect()
}

pub(super) fn write(path: &Path, keys: &[KnownKey]) -> io::Result<()> {
    let key = |key: &KnownKey| {
        Ok(CopiedKey {
            key_id: key.id.to_string(),
            scope: key.scope.as_str().to_owned(),
            sha256: key.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            limits: limits_to_json(&key.limits)?,
            group: key.group.clone(),
            is_revoked: key.is_revoked,
        })
    };
    let copy = Copy { version: VERSION, keys: keys.iter().map(key).collect::<io::Result<_>>()? };
    replace_durably(path, serde_json::to_string(&copy)?.as_bytes())
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, place) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[place..place + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use wordhoard_model::{KeyId, KeyLimits};

    use super::*;

    #[test]
    fn what_was_written_is_read_by_its_owner_only_and_what_is_torn_opens_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");
        assert!(read(&path).is_empty());
        let key = |scope, digest, requests_per_minute| {
            let limits = KeyLimits { requests_per_minute, ..KeyLimits::default() };
            let group = (scope == Scope::Use).then(|| "web".to_owned());
            let (id, sha256, is_revoked) = (KeyId::generate(), [digest; 32], scope == Scope::Metrics);
            KnownKey { id, scope, sha256, limits, group, is_revoked }
        };
        let keys = [key(Scope::Use, 0xab, Some(7)), key(Scope::Metrics, 4, None), key(Scope::Admin, 3, None)];
        write(&path, &keys).unwrap();
        assert_eq!(read(&path), keys);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let whole = fs::read_to_string(&path).unwrap();
        for damaged in [
            &whole[..whole.len() - 1],
            "",
            "[]",
            &whole.replace("admin", "all"),
            &whole.replace("ab", "zz"),
            &whole.replace("_minute", "_second"),
        ] {
            fs::write(&path, damaged).unwrap();
            assert!(read(&path).is_empty(), "{damaged}");
        }
    }
}
