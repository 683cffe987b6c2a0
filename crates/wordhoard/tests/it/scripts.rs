//! The scripts for cron, against a server of these tests' own that answers as it is told.

mod desk;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use desk::Desk;

const KEY: &str = "canary-admin-key-0123456789abcdef0123";
const BEGUN: (u16, &str) =
    (202, r#"{"operation_id":"018f-a","kind":"backup","status":"running","result":null}"#);
const RUNNING: (u16, &str) =
    (200, r#"{"operation_id":"018f-a","status":"running","result":null,"error":null}"#);
/// With fields of the same names further in, where they mean something else.
const DONE: (u16, &str) = (
    200,
    r#"{"operation_id":"018f-a","result":{"status":"failed","error":"no"},"status":"finished","error":null}"#,
);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A script, with nothing of the developer's environment, its key in a file, and a place for temporary files.
struct Script {
    command: Command,
    dir: tempfile::TempDir,
}

impl Script {
    fn new(name: &str, api_url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key_file = dir.path().join("admin.key");
        std::fs::write(&key_file, format!("{KEY}\n")).unwrap();
        let tmp = dir.path().join("tmp");
        std::fs::create_dir(&tmp).unwrap();
        let mut command = Command::new(repository().join("scripts").join(name));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", tmp);
        command.env("API_URL", api_url).env("ADMIN_KEY_FILE", key_file).env("WAIT_SECONDS", "20");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, dir }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it. Whatever happens, it tells no key and leaves no file.
    fn run(&mut self) -> (i32, String) {
        let Output { status, stdout, stderr } = self.command.output().unwrap();
        let told = String::from_utf8([stdout, stderr].concat()).unwrap();
        assert!(!told.contains("canary"), "{told}");
        assert_eq!(self.dir.path().join("tmp").read_dir().unwrap().count(), 0, "{told}");
        (status.code().unwrap(), told)
    }
}

fn backup(answers: &[(u16, &str)]) -> (i32, String, Vec<desk::Call>) {
    let desk = Desk::open(answers);
    let (code, told) = Script::new("daily_backup.sh", &desk.url()).run();
    (code, told, desk.calls())
}

#[test]
fn shell_scripts_pass_shellcheck() {
    let scripts = repository().join("scripts").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<_> =
        scripts.filter(|path| path.extension().is_some_and(|end| end == "sh")).collect();
    scripts.sort();
    assert!(scripts.len() >= 5, "{scripts:?}");
    let checked = Command::new("shellcheck").arg("-x").args(&scripts).current_dir(repository()).output();
    let checked = checked.expect("shellcheck is not installed: run scripts/install-test-deps.sh");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn a_backup_is_begun_and_waited_for() {
    let (code, told, calls) = backup(&[BEGUN, RUNNING, DONE]);
    assert_eq!(code, 0, "{told}");
    let asked: Vec<_> = calls.iter().map(|call| (call.line.as_str(), call.body.as_str())).collect();
    let poll = ("GET /api/admin/operations/018f-a", "");
    assert_eq!(asked, [("POST /api/admin/maintenance/backup", "{}"), poll, poll]);
    assert!(calls.iter().all(|call| call.authorization == format!("Bearer {KEY}")), "{calls:?}");
    for line in told.lines() {
        let (time, rest) = line.split_once(' ').unwrap();
        time.parse::<jiff::Timestamp>().unwrap();
        assert!(time.ends_with('Z') && rest.starts_with("daily_backup: "), "{line}");
    }
}

#[test]
fn a_prune_says_how_long_and_whether_it_is_meant() {
    for (days, options, body) in [
        (None, &[][..], r#"{"dry_run":false}"#),
        (Some("30"), &[], r#"{"retention_days":30,"dry_run":false}"#),
        (Some("7"), &["--dry-run"], r#"{"retention_days":7,"dry_run":true}"#),
    ] {
        let desk = Desk::open(&[BEGUN, DONE]);
        let mut script = Script::new("prune_tokens.sh", &desk.url());
        script.command.args(options).envs(days.map(|days| ("RETENTION_DAYS", days)));
        let (code, told) = script.run();
        assert_eq!((code, desk.calls()[0].body.as_str()), (0, body), "{told}");
        assert_eq!(desk.calls()[0].line, "POST /api/admin/maintenance/prune");
    }
}

#[test]
fn a_failure_is_told_with_its_reason() {
    let failed = (200, r#"{"status":"failed","result":null,"error":"the disk is \"full\", it says"}"#);
    let (code, told, _) = backup(&[BEGUN, failed]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains(r#"the disk is \"full\", it says"#), "{told}");
    let (code, told, _) = backup(&[BEGUN, (404, r#"{"detail":"there is no such operation"}"#)]);
    assert!(code == 1 && told.contains("started anew"), "{code} {told}");
}

#[test]
fn commands_that_cannot_be_are_refused_without_a_call() {
    let desk = Desk::open(&[]);
    let url = desk.url();
    let script = |name: &str| Script::new(name, &url);
    let empty = tempfile::NamedTempFile::new().unwrap();
    let empty = empty.path().to_str().unwrap();
    let mut wrong = vec![
        script("prune_tokens.sh").with("RETENTION_DAYS", "0"),
        script("prune_tokens.sh").with("RETENTION_DAYS", "-1"),
        script("prune_tokens.sh").with("RETENTION_DAYS", "7d"),
        script("daily_backup.sh").with("ADMIN_KEY_FILE", ""),
        script("daily_backup.sh").with("ADMIN_KEY_FILE", "/nowhere/key"),
        script("daily_backup.sh").with("ADMIN_KEY_FILE", empty),
        script("daily_backup.sh").with("API_URL", "file:///etc/passwd"),
        script("daily_backup.sh").with("API_URL", "http://127.0.0.1\"\noutput=\"/tmp/x"),
        script("daily_backup.sh").with("WAIT_SECONDS", "1h"),
    ];
    for option in ["--days", "30", "--dryrun"] {
        let mut script = script("prune_tokens.sh");
        script.command.arg(option);
        wrong.push(script);
    }
    for (index, script) in wrong.iter_mut().enumerate() {
        let (code, told) = script.run();
        assert_eq!(code, 2, "{index}: {told}");
    }
    assert!(desk.calls().is_empty());
    for name in ["prune_tokens.sh", "daily_backup.sh"] {
        let mut script = script(name);
        script.command.arg("--help");
        let (code, told) = script.run();
        assert!(code == 0 && told.contains("ADMIN_KEY_FILE") && told.contains("Exit code 0"), "{told}");
    }
}

#[test]
fn a_server_that_is_away_or_refuses_is_told() {
    let nobody = Desk::open(&[]).url();
    let (code, told) = Script::new("daily_backup.sh", &nobody).run();
    assert_eq!(code, 3, "{told}");
    for (status, body) in [
        (401, r#"{"detail":"this needs the administrator's key"}"#),
        (403, r#"{"detail":"this server has no administrator"}"#),
        (422, r#"{"detail":"unknown field"}"#),
        (503, r#"{"detail":"the server is starting"}"#),
    ] {
        let (code, told, _) = backup(&[(status, body)]);
        let detail = body.trim_start_matches(r#"{"detail":""#).trim_end_matches(r#""}"#);
        assert!(code == 3 && told.contains(&format!("{status} {detail}")), "{code} {told}");
    }
    for answer in ["", "<html>", r#"{"operation_id":"../../x"}"#, r#"{"operation_id":7}"#] {
        let (code, told, calls) = backup(&[(202, answer)]);
        assert_eq!((code, calls.len()), (3, 1), "{told}");
    }
    let (code, told, _) = backup(&[BEGUN, (200, "[]")]);
    assert_eq!(code, 3, "{told}");
}

#[test]
fn one_that_runs_already_is_waited_for_where_the_server_tells_which() {
    let known = (409, r#"{"type":"operation-running","operation_id":"018f-b","detail":"one runs"}"#);
    let (code, told, calls) = backup(&[known, RUNNING, DONE]);
    assert!(code == 0 && calls[1].line.ends_with("/018f-b"), "{code} {told}");
    let (code, told, calls) = backup(&[(409, r#"{"detail":"an operation of the kind backup is running"}"#)]);
    assert!(code == 3 && calls.len() == 1 && told.contains("runs already"), "{code} {told}");
}

#[test]
fn a_server_that_is_gone_for_a_moment_is_asked_again() {
    let (code, told, calls) = backup(&[BEGUN, (0, ""), (503, "{}"), DONE]);
    assert_eq!((code, calls.len()), (0, 4), "{told}");
}

#[test]
fn what_takes_too_long_is_left_to_the_server() {
    let desk = Desk::open(&[BEGUN, RUNNING, RUNNING, RUNNING, RUNNING]);
    let started = Instant::now();
    let (code, told) = Script::new("daily_backup.sh", &desk.url()).with("WAIT_SECONDS", "1").run();
    assert_eq!(code, 4, "{told}");
    assert!(started.elapsed() < Duration::from_secs(15) && told.contains("018f-a"), "{told}");
}

#[test]
fn the_key_is_on_no_command_line() {
    let desk = Desk::open(&[BEGUN, RUNNING, RUNNING, DONE]);
    let mut script = Script::new("daily_backup.sh", &desk.url());
    let mut child = script.command.spawn().unwrap();
    let mut saw_curl = false;
    while child.try_wait().unwrap().is_none() {
        for process in Path::new("/proc").read_dir().unwrap().flatten() {
            for file in ["cmdline", "environ"] {
                let Ok(shown) = std::fs::read(process.path().join(file)) else { continue };
                let shown = String::from_utf8_lossy(&shown);
                saw_curl |= shown.starts_with("curl\0") && shown.contains("--config");
                assert!(!shown.contains(KEY), "{file}: {shown}");
            }
        }
    }
    assert!(saw_curl && child.wait().unwrap().success());
}
