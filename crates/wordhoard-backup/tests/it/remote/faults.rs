use std::net::TcpListener;
use std::time::{Duration, Instant};

use wordhoard_backup::{Remote, RemoteError};
use wordhoard_testkit::object_store::ObjectStore;

use super::line::Line;
use super::{KEY, PART_BYTES, Rig, names, noise, settings};

#[tokio::test]
async fn an_upload_survives_a_line_that_breaks() {
    let rig = Rig::new();
    let bytes = noise(2, PART_BYTES as usize * 3);
    let file = rig.file("large", &bytes);
    let line = Line::to(rig.store.endpoint(), 7 << 20, 3);
    let remote = Remote::new(settings(&line.endpoint(), KEY)).unwrap();
    remote.put_file(&file, "large").await.unwrap();
    assert!(line.breaks() > 0);
    rig.remote.get_file("large", &rig.path("back"), 1 << 30).await.unwrap();
    assert!(std::fs::read(rig.path("back")).unwrap() == bytes);
}

#[tokio::test]
async fn a_download_goes_on_where_the_line_broke() {
    let rig = Rig::new();
    let bytes = noise(8, PART_BYTES as usize * 3);
    rig.remote.put_file(&rig.file("large", &bytes), "large").await.unwrap();
    let line = Line::to(rig.store.endpoint(), 6 << 20, 2);
    let remote = Remote::new(settings(&line.endpoint(), KEY)).unwrap();
    remote.get_file("large", &rig.path("back"), 1 << 30).await.unwrap();
    assert_eq!(line.breaks(), 2);
    assert!(std::fs::read(rig.path("back")).unwrap() == bytes);

    let line = Line::to(rig.store.endpoint(), 1 << 20, u64::MAX);
    let remote = Remote::new(settings(&line.endpoint(), KEY)).unwrap();
    let failed = remote.get_file("large", &rig.path("never"), 1 << 30).await;
    assert!(matches!(&failed, Err(RemoteError::Unavailable(_))), "{failed:?}");
    assert_eq!(names(rig.dir.path()), ["back", "large"]);
}

#[tokio::test]
async fn an_upload_that_is_cut_off_for_good_leaves_nothing_to_be_seen() {
    let rig = Rig::new();
    let file = rig.file("large", &noise(3, PART_BYTES as usize * 3));
    // No part is whole before the line breaks; calls without a body still pass, so the upload can be taken back.
    let line = Line::to(rig.store.endpoint(), 4 << 20, u64::MAX);
    let remote = Remote::new(settings(&line.endpoint(), KEY)).unwrap();
    let started = Instant::now();
    let failed = remote.put_file(&file, "large").await;
    assert!(matches!(&failed, Err(RemoteError::Unavailable(_))), "{failed:?}");
    assert!(failed.unwrap_err().is_transient());
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert!(rig.store.keys().unwrap().is_empty());
    assert_eq!(rig.store.unfinished_uploads().unwrap(), 0);
    assert!(rig.remote.put_file(&file, "large").await.unwrap().moved);
}

#[tokio::test]
async fn a_store_that_is_away_or_silent_is_told_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a");
    std::fs::write(&file, b"a").unwrap();
    // A port that was free a moment ago, and a listener that never answers.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [nobody, silent.local_addr().unwrap()] {
        let remote = Remote::new(settings(&format!("http://{address}"), KEY)).unwrap();
        let started = Instant::now();
        let put = remote.put_file(&file, "a").await.unwrap_err();
        let list = remote.list("backups").await.unwrap_err();
        let get = remote.get_file("a", &dir.path().join("b"), 9).await.unwrap_err();
        for error in [put, list, get] {
            assert!(matches!(error, RemoteError::Unavailable(_)) && error.is_transient(), "{error:?}");
        }
        assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    }
    assert_eq!(names(dir.path()), ["a"]);
}

#[tokio::test]
async fn a_wrong_key_is_denied_and_nothing_of_it_is_told() {
    let rig = Rig::new();
    let file = rig.file("a", b"a");
    let (id, secret) = rig.store.check_keys().unwrap();
    let known = Remote::new(settings(rig.store.endpoint(), (&id, &secret))).unwrap();
    known.put_file(&file, "a").await.unwrap();
    let wrong_secret = (id.as_str(), "canary-secret-that-is-none");
    for key in [KEY, wrong_secret] {
        let remote = Remote::new(settings(rig.store.endpoint(), key)).unwrap();
        let failures = [
            remote.put_file(&file, "b").await.unwrap_err(),
            remote.put_new(vec![1], "c").await.unwrap_err(),
            remote.list("").await.unwrap_err(),
            remote.get_file("a", &rig.path("back"), 9).await.unwrap_err(),
            remote.delete("a").await.unwrap_err(),
        ];
        for error in failures {
            assert!(matches!(error, RemoteError::Denied { .. }) && !error.is_transient(), "{error:?}");
            let told = format!("{error} {error:?}").to_lowercase();
            assert!(!told.contains("canary") && !told.contains(&id.to_lowercase()), "{told}");
        }
    }
    assert_eq!(known.get_bytes("a", 9).await.unwrap(), b"a");
}

#[tokio::test]
async fn a_bucket_or_object_that_is_not_there_is_told() {
    let rig = Rig::new();
    let missing = rig.remote.get_file("none", &rig.path("back"), 9).await;
    assert!(matches!(&missing, Err(RemoteError::NotFound { name }) if name == "none"), "{missing:?}");
    let mut elsewhere = settings(rig.store.endpoint(), KEY);
    elsewhere.bucket = "no-such-bucket".into();
    let remote = Remote::new(elsewhere).unwrap();
    let refused = remote.list("").await;
    assert!(matches!(&refused, Err(RemoteError::Refused(told)) if told.contains("bucket")), "{refused:?}");
    let refused = remote.put_new(vec![1], "a").await;
    assert!(matches!(&refused, Err(RemoteError::Refused(told)) if told.contains("bucket")), "{refused:?}");
}

#[tokio::test]
async fn a_planted_name_that_climbs_is_told_and_not_followed() {
    let rig = Rig::new();
    rig.store.put("site-1/archive/../../escape.wal.zst", "planted").unwrap();
    let refused = rig.remote.list("archive").await;
    assert!(matches!(&refused, Err(RemoteError::Refused(told)) if told.contains("no path")), "{refused:?}");
}

#[tokio::test]
async fn a_damaged_object_never_becomes_a_file() {
    let rig = Rig::new();
    let bytes = noise(4, 100_000);
    let file = rig.file("a", &bytes);
    let damages: [fn(&ObjectStore); 3] = [
        |store| store.flip("site-1/a", 50_000).unwrap(),
        |store| store.truncate("site-1/a", 99_999).unwrap(),
        |store| store.truncate("site-1/a", 0).unwrap(),
    ];
    let back = rig.file("back", b"what was there before");
    for damage in damages {
        rig.remote.put_file(&file, "a").await.unwrap();
        damage(&rig.store);
        let got = rig.remote.get_file("a", &back, 1 << 20).await;
        assert!(matches!(&got, Err(RemoteError::Mismatch { name, .. }) if name == "a"), "{got:?}");
        assert!(matches!(rig.remote.get_bytes("a", 1 << 20).await, Err(RemoteError::Mismatch { .. })));
        assert_eq!(std::fs::read(&back).unwrap(), b"what was there before");
        assert_eq!(names(rig.dir.path()), ["a", "back"]);
        rig.remote.delete("a").await.unwrap();
    }
}
