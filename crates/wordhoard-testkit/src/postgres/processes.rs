//! The processes of a cluster. Each of PostgreSQL's is a session and a group of its own and changes its parent when
//! the postmaster is killed; but all of them work in the data directory, and by that they are found.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(20);

/// Those that live, or are stopped, in `data_dir`; none that is only still to be reaped.
pub(super) fn of(data_dir: &Path) -> Vec<Pid> {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let pids = names.filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?));
    pids.filter(|pid| {
        // Of another user's processes the kernel does not tell; they are none of ours.
        let cwd = fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero()));
        cwd.is_ok_and(|cwd| cwd == data_dir) && !is_gone(*pid)
    })
    .collect()
}

/// Kills all of them, and returns when the last is gone or only to be reaped.
pub(super) fn kill_all(data_dir: &Path) -> io::Result<()> {
    let mut seen = Vec::new();
    settle("end", || {
        let alive = of(data_dir);
        send(&alive, Signal::KILL);
        let none = alive.is_empty();
        // One that ends loses its directory first and its sockets after, and so does each that follows its
        // postmaster by itself.
        seen.extend(alive);
        none && seen.iter().all(|pid| is_gone(*pid))
    })
}

/// Stops all of them: the postmaster first, so that it starts no more.
pub(super) fn freeze_all(data_dir: &Path, postmaster: Pid) -> io::Result<()> {
    send(&[postmaster], Signal::STOP);
    settle("stop", || is_stopped(postmaster))?;
    settle("stop", || {
        let alive = of(data_dir);
        send(&alive, Signal::STOP);
        alive.iter().all(|pid| is_stopped(*pid) || is_gone(*pid))
    })
}

/// Lets all of them go on.
pub(super) fn thaw_all(data_dir: &Path) {
    send(&of(data_dir), Signal::CONT);
}

fn settle(what: &str, mut settled: impl FnMut() -> bool) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !settled() {
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("its processes do not {what}")));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn send(pids: &[Pid], signal: Signal) {
    for pid in pids {
        // It may have ended since it was found.
        kill_process(*pid, signal).ok();
    }
}

fn is_gone(pid: Pid) -> bool {
    matches!(state(pid), None | Some('Z' | 'X'))
}

fn is_stopped(pid: Pid) -> bool {
    state(pid) == Some('T')
}

/// The letter of the state, which follows the name in brackets.
fn state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
