//! The process, by the names that all Prometheus clients have for it.

use std::fs;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use wordhoard_model::Timestamp;

use super::family::Family;

pub(super) fn families(started_at: Timestamp) -> Vec<Family> {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let mut build = Family::gauge("wordhoard_build_info", "Always 1; its labels say what runs.");
    build.add(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    vec![
        build,
        Family::gauge("process_start_time_seconds", "When the process started, in seconds since 1970.")
            .number(started_at.as_millis() as f64 / 1e3),
        Family::counter("process_cpu_seconds_total", "Processor time that was used, in seconds.")
            .number(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9),
        Family::gauge("process_resident_memory_bytes", "Resident memory.").known(resident_bytes()),
        Family::gauge("process_open_fds", "Open file descriptors.").known(open_files()),
        Family::gauge("process_max_fds", "File descriptors that may be open.")
            .known(getrlimit(Resource::Nofile).current.map(|limit| limit as f64)),
    ]
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1024.0)
}

fn open_files() -> Option<f64> {
    // Reading the folder opens it, and that one is counted too.
    Some((fs::read_dir("/proc/self/fd").ok()?.count() as f64 - 1.0).max(0.0))
}
