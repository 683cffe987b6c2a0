use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::account::Account;

/// The postmaster as our child, or none while the cluster is down.
#[derive(Debug, Default)]
pub(super) struct Postmaster(Mutex<Option<Child>>);

impl Postmaster {
    /// Starts it; what it says goes to the end of the log.
    pub(super) fn spawn(&self, account: Account, exe: &Path, data_dir: &Path, log: &Path) -> io::Result<()> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = account.command(exe);
        command.arg("-D").arg(data_dir).process_group(0).stdout(log.try_clone()?).stderr(log);
        *self.child() = Some(spawn_for_life(command)?);
        Ok(())
    }

    /// Its id, while it runs.
    pub(super) fn pid(&self) -> Option<Pid> {
        let raw = self.child().as_ref()?.id();
        Pid::from_raw(i32::try_from(raw).ok()?)
    }

    /// Sends it a signal, where it runs.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // It may have ended already, of its own.
            kill_process(pid, signal).ok();
        }
    }

    /// How it ended, if it has; then it is reaped.
    pub(super) fn ended(&self) -> io::Result<Option<ExitStatus>> {
        let mut child = self.child();
        let ended = child.as_mut().map(Child::try_wait).transpose()?.flatten();
        if ended.is_some() {
            *child = None;
        }
        Ok(ended)
    }

    /// Kills it, where it still runs, and reaps it. By itself that lets its children live on for a moment.
    pub(super) fn kill(&self) -> io::Result<()> {
        if let Some(mut child) = self.child().take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Spawns from a thread that lives as long as the process. The kernel ends a child of [`Account::command`] with the
/// *thread* that spawned it, and that of a test may be over while its cluster is still in use.
fn spawn_for_life(command: Command) -> io::Result<Child> {
    static ORDERS: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (orders, received) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in received {
                answer.send(command.spawn()).ok();
            }
        });
        orders
    });
    let (answer, answered) = mpsc::channel();
    orders.send((command, answer)).map_err(io::Error::other)?;
    answered.recv().map_err(io::Error::other)?
}
