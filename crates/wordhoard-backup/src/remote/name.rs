use super::RemoteError;

const MAX_BYTES: usize = 512;

/// Whether our objects may be named so: parts of plain characters with slashes between. No store and no file system
/// sees anything else in such a name.
pub(super) fn is_good(name: &str) -> bool {
    name.len() <= MAX_BYTES && name.split('/').all(is_good_part)
}

/// Whether this can be one part of a name, and so the name of a file.
pub(super) fn is_good_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._=+~-".contains(&byte);
    !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain)
}

pub(super) fn check(name: &str) -> Result<(), RemoteError> {
    if is_good(name) { Ok(()) } else { Err(RemoteError::Name { name: name.to_owned() }) }
}

pub(super) fn check_part(part: &str) -> Result<(), RemoteError> {
    if is_good(part) && is_good_part(part) {
        Ok(())
    } else {
        Err(RemoteError::Name { name: part.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        for good in [
            "a",
            "backups/2026-11-25T03.00.00Z/manifest.json",
            "a/..b",
            "archive/0f/00000000000000000001.wal.zst",
        ] {
            assert!(is_good(good), "{good}");
        }
        let long = "a".repeat(513);
        for bad in [
            "", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a\\b", "a\0", "a\n", "a%2f", "ä", "a b",
            &long,
        ] {
            assert!(!is_good(bad), "{bad:?}");
            assert!(check(bad).is_err());
        }
        assert!(check_part("a/b").is_err());
    }
}
