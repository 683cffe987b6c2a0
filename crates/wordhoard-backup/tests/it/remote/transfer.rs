use std::fs;
use std::os::unix::fs::symlink;

use wordhoard_backup::{Remote, RemoteError};

use super::{PART_BYTES, Rig, names, noise, settings};

#[tokio::test]
async fn a_file_comes_back_as_it_went_small_or_in_parts() {
    let rig = Rig::new();
    let several_parts = PART_BYTES as usize * 2 + 12_345;
    for (name, bytes) in [("empty", vec![]), ("small", b"hello".to_vec()), ("large", noise(1, several_parts))]
    {
        let file = rig.file(name, &bytes);
        let object = format!("backups/b/{name}");
        let stored = rig.remote.put_file(&file, &object).await.unwrap();
        assert_eq!((stored.size_bytes, stored.moved), (bytes.len() as u64, true));
        let again = rig.remote.put_file(&file, &object).await.unwrap();
        assert_eq!((again.sha256.as_str(), again.moved), (stored.sha256.as_str(), false));
        let back = rig.path("back");
        let fetched = rig.remote.get_file(&object, &back, bytes.len() as u64).await.unwrap();
        assert_eq!(fetched.sha256, stored.sha256);
        assert!(fs::read(&back).unwrap() == bytes, "{name}");
    }
    let mut keys = rig.store.keys().unwrap();
    keys.sort();
    assert_eq!(keys, ["site-1/backups/b/empty", "site-1/backups/b/large", "site-1/backups/b/small"]);
    assert_eq!(rig.store.unfinished_uploads().unwrap(), 0);
}

#[tokio::test]
async fn large_files_pass_through_little_memory() {
    const SIZE_BYTES: u64 = 300 << 20;
    let rig = Rig::new();
    let file = rig.path("large");
    fs::File::create(&file).unwrap().set_len(SIZE_BYTES).unwrap();
    let stored = rig.remote.put_file(&file, "large").await.unwrap();
    let back = rig.remote.get_file("large", &rig.path("back"), SIZE_BYTES).await.unwrap();
    assert_eq!((back.size_bytes, back.sha256), (SIZE_BYTES, stored.sha256));
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib < 100 << 10, "{peak_kib} KiB");
}

#[tokio::test]
async fn a_file_that_changed_is_sent_again() {
    let rig = Rig::new();
    let file = rig.file("a", b"first");
    rig.remote.put_file(&file, "a").await.unwrap();
    fs::write(&file, b"other").unwrap();
    assert!(rig.remote.put_file(&file, "a").await.unwrap().moved);
    assert_eq!(rig.remote.get_bytes("a", 100).await.unwrap(), b"other");
}

#[tokio::test]
async fn a_new_object_never_takes_the_place_of_another() {
    let rig = Rig::new();
    assert!(rig.remote.put_new(b"one".to_vec(), "m").await.unwrap().moved);
    assert!(!rig.remote.put_new(b"one".to_vec(), "m").await.unwrap().moved);
    let refused = rig.remote.put_new(b"two".to_vec(), "m").await;
    assert!(matches!(&refused, Err(RemoteError::AlreadyExists { name }) if name == "m"), "{refused:?}");
    assert_eq!(rig.remote.get_bytes("m", 100).await.unwrap(), b"one");
}

#[tokio::test]
async fn of_many_who_make_the_same_object_one_wins() {
    let rig = Rig::new();
    let puts = (0..8u8).map(|who| rig.remote.put_new(vec![who], "m"));
    let done = futures_util::future::join_all(puts).await;
    let winners: Vec<_> = (0..8u8).filter(|who| done[usize::from(*who)].is_ok()).collect();
    assert_eq!(winners.len(), 1, "{done:?}");
    assert_eq!(rig.remote.get_bytes("m", 100).await.unwrap(), winners);
}

#[tokio::test]
async fn a_list_has_our_objects_and_no_others() {
    let rig = Rig::new();
    for name in ["backups/a/x", "backups/b/y", "archive/z"] {
        rig.remote.put_new(name.into(), name).await.unwrap();
    }
    for foreign in ["elsewhere/backups/c/x", "site-10/backups/d/x", "site-1/backups/e/with space"] {
        rig.store.put(foreign, "foreign").unwrap();
    }
    let listed = |objects: Vec<wordhoard_backup::RemoteObject>| -> Vec<String> {
        let mut names: Vec<_> = objects.into_iter().map(|object| object.name).collect();
        names.sort();
        names
    };
    assert_eq!(listed(rig.remote.list("backups").await.unwrap()), ["backups/a/x", "backups/b/y"]);
    assert_eq!(listed(rig.remote.list("").await.unwrap()), ["archive/z", "backups/a/x", "backups/b/y"]);
    rig.remote.delete("backups/a/x").await.unwrap();
    rig.remote.delete("backups/a/x").await.unwrap();
    assert_eq!(listed(rig.remote.list("backups").await.unwrap()), ["backups/b/y"]);
    assert!(rig.remote.list("nothing").await.unwrap().is_empty());

    let mut whole_bucket = settings(rig.store.endpoint(), super::KEY);
    whole_bucket.prefix.clear();
    let remote = Remote::new(whole_bucket).unwrap();
    let everything = listed(remote.list("").await.unwrap());
    assert_eq!(
        everything,
        ["elsewhere/backups/c/x", "site-1/archive/z", "site-1/backups/b/y", "site-10/backups/d/x"]
    );
    assert_eq!(listed(remote.list("elsewhere").await.unwrap()), ["elsewhere/backups/c/x"]);
}

#[tokio::test]
async fn an_object_that_is_too_large_is_not_written() {
    let rig = Rig::new();
    rig.remote.put_new(vec![7; 1000], "large").await.unwrap();
    let refused = rig.remote.get_file("large", &rig.path("back"), 999).await;
    assert!(matches!(refused, Err(RemoteError::TooLarge { .. })), "{refused:?}");
    assert!(matches!(rig.remote.get_bytes("large", 999).await, Err(RemoteError::TooLarge { .. })));
    assert!(names(rig.dir.path()).is_empty());
}

#[tokio::test]
async fn names_with_tricks_reach_neither_store_nor_disk() {
    let rig = Rig::new();
    let file = rig.file("a", b"a");
    for name in ["", "/a", "../a", "a/../b", "a//b", "a\0b", "a%2fb", "a\\b", "ä", "a\nb"] {
        assert!(matches!(rig.remote.put_file(&file, name).await, Err(RemoteError::Name { .. })), "{name:?}");
        let got = rig.remote.get_file(name, &rig.path("back"), 100).await;
        assert!(matches!(got, Err(RemoteError::Name { .. })), "{name:?}");
        assert!(matches!(rig.remote.delete(name).await, Err(RemoteError::Name { .. })), "{name:?}");
        assert!(matches!(rig.remote.backup_manifest(name).await, Err(RemoteError::Name { .. })), "{name:?}");
        let pulled = rig.remote.pull_backup(name, rig.dir.path(), 100).await;
        assert!(matches!(pulled, Err(RemoteError::Name { .. })), "{name:?}");
    }
    assert_eq!((rig.store.keys().unwrap().len(), names(rig.dir.path())), (0, vec!["a".to_owned()]));
}

#[tokio::test]
async fn only_plain_files_are_sent_and_links_are_not_written_through() {
    let rig = Rig::new();
    let secret = rig.file("secret", b"secret");
    let link = rig.path("link");
    symlink(&secret, &link).unwrap();
    for path in [&link, &rig.path("missing"), &rig.dir.path().to_owned()] {
        assert!(matches!(rig.remote.put_file(path, "a").await, Err(RemoteError::File { .. })), "{path:?}");
    }
    rig.remote.put_new(b"new".to_vec(), "a").await.unwrap();
    let planted = rig.path("back.part");
    symlink(&secret, &planted).unwrap();
    rig.remote.get_file("a", &rig.path("back"), 100).await.unwrap();
    assert_eq!(
        (fs::read(&secret).unwrap(), fs::read(rig.path("back")).unwrap()),
        (b"secret".to_vec(), b"new".to_vec())
    );
}

#[test]
fn settings_that_cannot_be_are_refused_without_a_call() {
    let good = || settings("http://127.0.0.1:1", super::KEY);
    Remote::new(good()).unwrap();
    let wrong: [fn(&mut wordhoard_backup::RemoteSettings); 8] = [
        |settings| settings.bucket.clear(),
        |settings| settings.bucket = "a/b".into(),
        |settings| settings.prefix = "no-slash".into(),
        |settings| settings.prefix = "../up/".into(),
        |settings| settings.allow_http = false,
        |settings| settings.endpoint = Some("ftp://store.example".into()),
        |settings| settings.access_key_id.clear(),
        |settings| settings.secret_access_key.clear(),
    ];
    for (index, spoil) in wrong.iter().enumerate() {
        let mut settings = good();
        spoil(&mut settings);
        let refused = Remote::new(settings);
        assert!(matches!(refused, Err(RemoteError::Settings(_))), "{index}: {refused:?}");
    }
    let shown = format!("{:?} {:?}", good(), Remote::new(good()).unwrap());
    assert!(!shown.contains("canary"), "{shown}");
}
