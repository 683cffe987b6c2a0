//! The units of systemd.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{repository, run};
use crate::EXE;

/// Of 100; systemd calls up to 20 "OK".
const MAX_EXPOSURE: &str = "20";

fn units() -> Vec<PathBuf> {
    let folder = repository().join("deploy/systemd").read_dir().unwrap();
    let mut units: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    units.retain(|path| path.extension().is_some_and(|end| end == "service" || end == "timer"));
    units.sort();
    units
}

/// Copies that name the programs where they lie here.
fn here(folder: &tempfile::TempDir) -> Vec<PathBuf> {
    let scripts = format!("{}/scripts/", repository().display());
    let copy = |unit: PathBuf| {
        let text = fs::read_to_string(&unit).unwrap();
        let text =
            text.replace("/usr/local/bin/wordhoard", EXE).replace("/usr/local/lib/wordhoard/", &scripts);
        let target = folder.path().join(unit.file_name().unwrap());
        fs::write(&target, text).unwrap();
        target
    };
    units().into_iter().map(copy).collect()
}

#[test]
fn systemd_takes_every_unit_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let units = here(&folder);
    assert_eq!(units.len(), 5);
    let (output, said) = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units));
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
    // It does have words for what it does not know.
    let service = folder.path().join("wordhoard.service");
    let text = fs::read_to_string(&service).unwrap().replace("RestartSec=", "RestartSecs=");
    fs::write(&service, text).unwrap();
    let (_, said) = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&service));
    assert!(said.contains("RestartSecs"), "{said}");
}

#[test]
fn services_are_shut_in_as_far_as_they_can_be() {
    let units = units();
    let services: Vec<_> =
        units.iter().filter(|path| path.extension().is_some_and(|end| end == "service")).collect();
    assert_eq!(services.len(), 3);
    for service in services {
        let threshold = format!("--threshold={MAX_EXPOSURE}");
        let mut command = Command::new("systemd-analyze");
        let (output, said) =
            run(command.args(["security", "--offline=true", "--no-pager", &threshold]).arg(service));
        assert!(output.status.success(), "{service:?}: {}", said.lines().last().unwrap_or_default());
    }
}

#[test]
fn timers_are_due_when_they_say() {
    for (unit, times) in
        [("wordhoard-backup.timer", "*-*-* 03:00:00"), ("wordhoard-prune.timer", "Sun *-*-* 04:30:00")]
    {
        let text = fs::read_to_string(repository().join("deploy/systemd").join(unit)).unwrap();
        assert!(text.contains(&format!("OnCalendar={times}\n")), "{unit}");
        let (output, said) = run(Command::new("systemd-analyze").args(["calendar", times]));
        assert!(output.status.success(), "{said}");
    }
}

/// The supervisor must not kill what still drains, and must start what exits with the code for a part that failed.
#[test]
fn a_stop_has_longer_than_a_drain() {
    let text = fs::read_to_string(repository().join("deploy/systemd/wordhoard.service")).unwrap();
    let setting =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap();
    let default =
        wordhoard::config::load(None, &wordhoard::config::Environment::default(), &Default::default());
    let drain_s = default.unwrap().drain_timeout.as_secs();
    assert!(setting("TimeoutStopSec").parse::<u64>().unwrap() >= drain_s + 10);
    assert_eq!((setting("Restart"), setting("RestartPreventExitStatus")), ("on-failure", "2"));
}

#[test]
fn the_user_of_the_service_is_made() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("etc/sysusers.d");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(repository().join("deploy/systemd/wordhoard.sysusers.conf"), folder.join("wordhoard.conf"))
        .unwrap();
    let mut command = Command::new("systemd-sysusers");
    let (output, said) = run(command.arg("--root").arg(root.path()).arg("wordhoard.conf"));
    assert!(output.status.success(), "{said}");
    let made = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    assert!(made.lines().any(|line| line.starts_with("wordhoard:")), "{made}");
}
