use std::fs;
use std::path::PathBuf;

use wordhoard_backup::{Remote, RemoteError};

use super::line::Line;
use super::{KEY, PART_BYTES, Rig, names, noise, settings};

const NAME: &str = "20261125T030000Z";

impl Rig {
    fn backup(&self) -> PathBuf {
        self.file(&format!("{NAME}/database.dump"), &noise(5, PART_BYTES as usize * 2));
        self.file(&format!("{NAME}/positions.json"), b"{}");
        self.file(&format!("{NAME}/manifest.json"), br#"{"files":2}"#);
        self.path(NAME)
    }

    fn restored_folder(&self) -> PathBuf {
        let into = self.path("into");
        fs::create_dir_all(&into).unwrap();
        into
    }
}

#[tokio::test]
async fn a_backup_goes_there_once_and_comes_back_whole() {
    let rig = Rig::new();
    let folder = rig.backup();
    let pushed = rig.remote.push_backup(&folder).await.unwrap();
    assert_eq!((pushed.files_sent, pushed.files_kept), (3, 0));
    let again = rig.remote.push_backup(&folder).await.unwrap();
    assert_eq!((again.files_sent, again.bytes_sent, again.files_kept), (0, 0, 3));

    let listed = rig.remote.backups().await.unwrap();
    assert_eq!(listed.iter().map(|backup| backup.name.as_str()).collect::<Vec<_>>(), [NAME]);
    assert_eq!(listed[0].size_bytes, pushed.bytes_sent);
    assert_eq!(rig.remote.backup_manifest(NAME).await.unwrap(), br#"{"files":2}"#);

    let into = rig.restored_folder();
    let pulled = rig.remote.pull_backup(NAME, &into, pushed.bytes_sent).await.unwrap();
    assert_eq!(pulled, into.join(NAME));
    for file in ["database.dump", "positions.json", "manifest.json"] {
        assert!(fs::read(folder.join(file)).unwrap() == fs::read(pulled.join(file)).unwrap(), "{file}");
    }
    assert_eq!(names(&into), [NAME]);
    let twice = rig.remote.pull_backup(NAME, &into, u64::MAX).await;
    assert!(matches!(twice, Err(RemoteError::File { .. })), "{twice:?}");

    rig.remote.remove_backup(NAME).await.unwrap();
    assert!(rig.remote.backups().await.unwrap().is_empty() && rig.store.keys().unwrap().is_empty());
}

#[tokio::test]
async fn an_interrupted_upload_is_no_backup_and_is_completed_later() {
    let rig = Rig::new();
    let folder = rig.backup();
    // Whole parts pass at first, and then nothing any more.
    let line = Line::to(rig.store.endpoint(), 6 << 20, 5);
    let remote = Remote::new(settings(&line.endpoint(), KEY)).unwrap();
    let mut tries = 0;
    while let Err(error) = remote.push_backup(&folder).await {
        assert!(error.is_transient(), "{error:?}");
        assert!(rig.remote.backups().await.unwrap().is_empty());
        let pulled = rig.remote.pull_backup(NAME, &rig.restored_folder(), u64::MAX).await;
        assert!(matches!(pulled, Err(RemoteError::NotFound { .. })), "{pulled:?}");
        tries += 1;
        assert!(tries < 10, "{error}");
    }
    assert!(line.breaks() > 0);
    rig.remote.pull_backup(NAME, &rig.restored_folder(), u64::MAX).await.unwrap();
}

#[tokio::test]
async fn without_its_manifest_nothing_is_a_backup() {
    let rig = Rig::new();
    let folder = rig.backup();
    rig.remote.push_backup(&folder).await.unwrap();
    rig.store.delete(&format!("site-1/backups/{NAME}/manifest.json")).unwrap();
    assert!(rig.remote.backups().await.unwrap().is_empty());
    let missing = rig.remote.pull_backup(NAME, &rig.restored_folder(), u64::MAX).await;
    assert!(matches!(missing, Err(RemoteError::NotFound { .. })), "{missing:?}");
    let repaired = rig.remote.push_backup(&folder).await.unwrap();
    assert_eq!((repaired.files_sent, repaired.files_kept), (1, 2));
}

#[tokio::test]
async fn a_missing_file_is_sent_again_and_a_damaged_one_is_told() {
    let rig = Rig::new();
    let folder = rig.backup();
    rig.remote.push_backup(&folder).await.unwrap();
    let dump = format!("site-1/backups/{NAME}/database.dump");
    rig.store.delete(&dump).unwrap();
    assert_eq!(rig.remote.push_backup(&folder).await.unwrap().files_sent, 1);

    rig.file(&format!("{NAME}/database.dump"), b"damaged here");
    let refused = rig.remote.push_backup(&folder).await;
    assert!(matches!(refused, Err(RemoteError::Mismatch { .. })), "{refused:?}");
    let into = rig.restored_folder();
    rig.store.flip(&dump, 1_000_000).unwrap();
    let refused = rig.remote.pull_backup(NAME, &into, u64::MAX).await;
    assert!(matches!(refused, Err(RemoteError::Mismatch { .. })), "{refused:?}");
    assert_eq!(names(&into), [format!(".fetching-{NAME}")]);
}

#[tokio::test]
async fn a_half_fetched_backup_is_none_and_is_completed_later() {
    let rig = Rig::new();
    let folder = rig.backup();
    rig.remote.push_backup(&folder).await.unwrap();
    let into = rig.restored_folder();
    let positions = format!("site-1/backups/{NAME}/positions.json");
    rig.store.flip(&positions, 0).unwrap();
    rig.remote.pull_backup(NAME, &into, u64::MAX).await.unwrap_err();
    let aside = into.join(format!(".fetching-{NAME}"));
    assert!(!aside.join("manifest.json").exists() && aside.join("database.dump").exists());
    fs::write(aside.join("left-over"), b"of an earlier try").unwrap();
    let fetched_at = fs::metadata(aside.join("database.dump")).unwrap().modified().unwrap();

    rig.store.flip(&positions, 0).unwrap();
    let pulled = rig.remote.pull_backup(NAME, &into, u64::MAX).await.unwrap();
    assert_eq!(names(&pulled), ["database.dump", "manifest.json", "positions.json"]);
    assert_eq!(fs::metadata(pulled.join("database.dump")).unwrap().modified().unwrap(), fetched_at);
}

#[tokio::test]
async fn another_backup_of_the_same_name_is_refused() {
    let rig = Rig::new();
    let folder = rig.backup();
    rig.remote.push_backup(&folder).await.unwrap();
    rig.file(&format!("{NAME}/manifest.json"), br#"{"files":3}"#);
    let refused = rig.remote.push_backup(&folder).await;
    assert!(matches!(refused, Err(RemoteError::AlreadyExists { .. })), "{refused:?}");
    assert_eq!(rig.remote.backup_manifest(NAME).await.unwrap(), br#"{"files":2}"#);
}

#[tokio::test]
async fn what_does_not_fit_is_not_fetched() {
    let rig = Rig::new();
    rig.remote.push_backup(&rig.backup()).await.unwrap();
    let into = rig.restored_folder();
    let refused = rig.remote.pull_backup(NAME, &into, PART_BYTES).await;
    assert!(matches!(refused, Err(RemoteError::TooLarge { .. })), "{refused:?}");
    assert!(names(&into).is_empty());
}

#[tokio::test]
async fn a_folder_with_other_than_plain_files_is_no_backup() {
    let rig = Rig::new();
    let folder = rig.backup();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
    assert!(matches!(rig.remote.push_backup(&folder).await, Err(RemoteError::File { .. })));
    fs::remove_file(folder.join("link")).unwrap();
    fs::remove_file(folder.join("manifest.json")).unwrap();
    assert!(matches!(rig.remote.push_backup(&folder).await, Err(RemoteError::File { .. })));
    assert!(rig.store.keys().unwrap().is_empty());
}
