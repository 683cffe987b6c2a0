//! What runs in the containers, run here.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{repository, run};
use crate::EXE;

const PATIENCE: Duration = Duration::from_secs(30);
const KEY: &str = "canary-admin-key-0123456789abcdef0123";

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} did not come");
}

fn terminate(child: &mut Child) -> Option<i32> {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    eventually("the end", || child.try_wait().unwrap()).code()
}

/// The entry point with the server's binary in its path, and nothing of the developer's environment.
fn entrypoint(dir: &Path) -> Command {
    let bin = dir.join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        symlink(EXE, bin.join("wordhoard")).unwrap();
    }
    let mut command = Command::new(repository().join("deploy/container/entrypoint.sh"));
    command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("TMPDIR", dir);
    command.current_dir(dir).stdin(Stdio::null());
    command
}

#[test]
fn shell_scripts_pass_shellcheck() {
    let scripts = ["deploy/make-secrets.sh", "deploy/container/entrypoint.sh", "deploy/container/cron.sh"];
    let (output, said) = run(Command::new("shellcheck").args(scripts).current_dir(repository()));
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_configuration_of_the_container_can_be_used() {
    let config = repository().join("deploy/container/wordhoard.toml");
    let mut command = Command::new(EXE);
    command.args(["config", "check", "--listen", "127.0.0.1:8000", "--config"]).arg(config).env_clear();
    let (output, said) = run(&mut command);
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_entry_point_becomes_the_server_with_secrets_from_files() {
    let dir = tempfile::tempdir().unwrap();
    let (log, key) = (dir.path().join("server.log"), dir.path().join("key"));
    fs::write(&key, format!("{KEY}\n")).unwrap();
    let config = dir.path().join("wordhoard.toml");
    fs::write(&config, "listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\nlog = { format = \"json\" }").unwrap();
    let mut command = entrypoint(dir.path());
    command.arg("serve").env("WORDHOARD_CONFIG", &config).env("WORDHOARD_LOG_FILE", &log);
    command.env("WORDHOARD_ADMIN_KEY_FILE", &key).stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let url = eventually("the server", || {
        let said = fs::read_to_string(&log).ok()?;
        let mut lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Some(lines.find(|line| line["message"] == "ready")?["url"].as_str()?.to_owned())
    });
    let admin = |key: &str| {
        let (_, said) = run(Command::new("curl")
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*"])
            .args([
                "-H",
                &format!("authorization: Bearer {key}"),
                &format!("{url}/api/admin/operations/none"),
            ]));
        said
    };
    assert_eq!((admin(KEY).as_str(), admin("another").as_str()), ("404", "401"));
    // The signal reaches the server itself, and its last words reach both places.
    assert_eq!(terminate(&mut server), Some(0));
    let told = std::io::read_to_string(server.stderr.take().unwrap()).unwrap();
    let logged = fs::read_to_string(&log).unwrap();
    assert_eq!(told, logged);
    assert!(logged.contains("\"stopped\"") && !logged.contains("canary"), "{logged}");
}

#[test]
fn a_secret_that_cannot_be_read_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = entrypoint(dir.path());
    let (output, said) = run(command.arg("serve").env("DATABASE_URL_FILE", "/nowhere/secret"));
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("DATABASE_URL_FILE"), "{said}");
}

#[test]
fn other_commands_run_through_the_entry_point_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = entrypoint(dir.path());
    let (output, said) = run(command.args(["config", "check"]).env("WORDHOARD_LOG_FILE", "/nowhere/log"));
    assert!(output.status.success() && said.contains("valid"), "{said}");
}

#[test]
fn cron_runs_each_job_once_at_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let (scripts, logs, ran) = (dir.path().join("scripts"), dir.path().join("logs"), dir.path().join("ran"));
    fs::create_dir_all(&scripts).unwrap();
    fs::create_dir_all(&logs).unwrap();
    for name in ["daily_backup.sh", "prune_tokens.sh"] {
        let script = scripts.join(name);
        // A failure of one run is not the end of the others.
        fs::write(
            &script,
            format!("#!/bin/sh\necho {name} >>{}\necho {name} failed\nexit 1\n", ran.display()),
        )
        .unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(logs.join("wordhoard.log"), vec![b'x'; 4096]).unwrap();
    let (_, soon) = run(Command::new("date").args(["-u", "-d", "2 seconds", "+%H:%M:%S"]));
    let mut command = Command::new(repository().join("deploy/container/cron.sh"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC").env("CHECK_SECONDS", "1");
    command.env("SCRIPTS", &scripts).env("LOG_DIR", &logs).env("MAX_LOG_BYTES", "2000");
    command.env("BACKUP_AT", soon.trim()).env("PRUNE_DAY", "today").env("PRUNE_AT", soon.trim());
    let mut cron = command.stdout(Stdio::null()).spawn().unwrap();
    eventually("both runs", || (fs::read_to_string(&ran).ok()?.lines().count() >= 2).then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(terminate(&mut cron), Some(0));
    assert_eq!(fs::read_to_string(&ran).unwrap(), "daily_backup.sh\nprune_tokens.sh\n");
    let said = fs::read_to_string(logs.join("maintenance.log")).unwrap();
    assert!(said.contains("daily_backup.sh failed") && said.contains("prune_tokens.sh failed"), "{said}");
    assert_eq!(fs::metadata(logs.join("wordhoard.log")).unwrap().len(), 0);
    assert_eq!(fs::metadata(logs.join("wordhoard.log.1")).unwrap().len(), 4096);
}
