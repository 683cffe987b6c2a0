//! The object store.

mod archive;
mod backups;
mod faults;
mod line;
mod transfer;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use wordhoard_backup::{Remote, RemoteLimits, RemoteSettings};
use wordhoard_testkit::object_store::ObjectStore;

const KEY: (&str, &str) = ("AKIACANARYCANARY", "canary-secret-that-nobody-may-see");
/// The smallest part that stores take.
const PART_BYTES: u64 = 5 << 20;

/// A store, and a folder here.
struct Rig {
    store: ObjectStore,
    remote: Remote,
    dir: TempDir,
}

impl Rig {
    fn new() -> Self {
        let store = ObjectStore::start().unwrap();
        let remote = Remote::new(settings(store.endpoint(), KEY)).unwrap();
        Self { store, remote, dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn settings(endpoint: &str, (id, secret): (&str, &str)) -> RemoteSettings {
    RemoteSettings {
        bucket: ObjectStore::BUCKET.into(),
        prefix: "site-1/".into(),
        endpoint: Some(endpoint.into()),
        region: "us-east-1".into(),
        access_key_id: id.into(),
        secret_access_key: secret.into(),
        allow_http: true,
        limits: RemoteLimits {
            connect: Duration::from_secs(2),
            silence: Duration::from_secs(3),
            retries: 3,
            retry_for: Duration::from_secs(5),
            call: Duration::from_secs(8),
            part_bytes: PART_BYTES,
        },
    }
}

/// Bytes that no packing makes smaller, the same for the same seed.
fn noise(seed: u64, size_bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(size_bytes).collect()
}

/// Names of what is in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
