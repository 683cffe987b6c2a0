//! The server as a child process on a data directory of the test's own.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::net::TcpSocket;

use crate::client::Client;
use crate::small_disk::SmallDisk;

const START_PATIENCE: Duration = Duration::from_secs(30);

/// Where a server lives over several lives of its process: its data directory and its configuration.
#[derive(Debug)]
pub struct ServerHome {
    /// Unmounted before the folder is removed.
    disk: Option<SmallDisk>,
    dir: tempfile::TempDir,
    exe: PathBuf,
    environment: Vec<(String, String)>,
    address: Option<SocketAddr>,
}

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    base_url: String,
    log: PathBuf,
    _reserved_port: Option<TcpSocket>,
}

impl ServerHome {
    /// A fresh home for the binary `exe` with this configuration, to which address, data directory and log format
    /// are added.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn new(exe: &str, config: &str) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let home = Self { disk: None, dir, exe: exe.into(), environment: Vec::new(), address: None };
        home.configure(config)?;
        Ok(home)
    }

    /// The same with a data directory on a disk of its own of that size.
    ///
    /// # Errors
    /// Where the right to mount is missing.
    pub fn on_small_disk(exe: &str, config: &str, size_bytes: u64) -> io::Result<Self> {
        let mut home = Self::new(exe, config)?;
        fs::create_dir(home.data_dir())?;
        home.disk = Some(SmallDisk::mount(&home.data_dir(), size_bytes)?);
        Ok(home)
    }

    /// The disk of [`ServerHome::on_small_disk`].
    pub fn disk(&self) -> Option<&SmallDisk> {
        self.disk.as_ref()
    }

    /// Another configuration, for the next start.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn configure(&self, config: &str) -> io::Result<()> {
        let data_dir = self.data_dir();
        let whole = format!(
            "listen = \"127.0.0.1:0\"\ndata_dir = {data_dir:?}\nlog = {{ format = \"json\", filter = \"info\" }}\n{config}\n"
        );
        fs::write(self.config_path(), whole)
    }

    /// Gives each later start an environment variable; without this there is none.
    pub fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Where each later start listens; without this each has a free port of its own.
    pub fn listen_on(&mut self, address: SocketAddr) {
        self.address = Some(address);
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.dir.path().join("wordhoard.toml")
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    /// Where it ends before, or takes too long; with what it logged.
    pub fn start(&self) -> io::Result<ServerProcess> {
        let log = self.dir.path().join("server.log");
        let mut command = self.command(&log)?;
        if let Some(address) = self.address {
            command.arg("--listen").arg(address.to_string());
        }
        let mut child = command.spawn()?;
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            if let Some(base_url) = ready_url(&log)? {
                return Ok(ServerProcess { child, base_url, log, _reserved_port: None });
            }
            let ended = child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                drop(child.kill());
                let said = fs::read_to_string(&log)?;
                return Err(io::Error::other(format!("the server did not start ({ended:?}): {said}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts the server and waits for nothing; it listens on a port that was free.
    ///
    /// # Errors
    /// Where the process cannot be started.
    pub fn spawn(&self) -> io::Result<ServerProcess> {
        // Bound until the server has it: the kernel gives it to nobody else who asks for any.
        let reserved = TcpSocket::new_v4()?;
        reserved.set_reuseaddr(true)?;
        reserved.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = reserved.local_addr()?;
        let log = self.dir.path().join("server.log");
        let child = self.command(&log)?.arg("--listen").arg(address.to_string()).spawn()?;
        Ok(ServerProcess {
            child,
            base_url: format!("http://{address}"),
            log,
            _reserved_port: Some(reserved),
        })
    }

    /// Runs another command of the binary on this home, to its end.
    ///
    /// # Errors
    /// Where the process cannot be started.
    pub fn run(&self, command: &[&str]) -> io::Result<Output> {
        let mut process = Command::new(&self.exe);
        process.args(command).arg("--config").arg(self.config_path());
        process.env_clear().stdin(Stdio::null()).output()
    }

    fn command(&self, log: &Path) -> io::Result<Command> {
        let mut command = Command::new(&self.exe);
        command.arg("serve").arg("--config").arg(self.config_path());
        // Keys of the developer's own must not make providers active.
        command.env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?);
        Ok(command)
    }
}

fn ready_url(log: &Path) -> io::Result<Option<String>> {
    let said = fs::read_to_string(log)?;
    let ready = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut ready = ready.filter(|line| line["message"] == "ready");
    Ok(ready.next().and_then(|line| line["url"].as_str().map(str::to_owned)))
}

impl ServerProcess {
    /// A client of this server.
    pub fn client(&self) -> Client {
        Client::new(&self.base_url)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// What it has logged, line by line.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn log(&self) -> io::Result<Vec<Value>> {
        let said = fs::read_to_string(&self.log)?;
        Ok(said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// All that it has said on standard error.
    ///
    /// # Errors
    /// Where that cannot be read.
    pub fn output(&self) -> io::Result<String> {
        fs::read_to_string(&self.log)
    }

    /// Kills it with signal 9, as a crash would, and waits until it is gone.
    ///
    /// # Errors
    /// Where it cannot be killed.
    pub fn kill_9(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop.
    ///
    /// # Errors
    /// Where the signal cannot be sent.
    pub fn terminate(&self) -> io::Result<()> {
        Ok(kill_process(self.pid()?, Signal::TERM)?)
    }

    /// Stops it where it stands, as a machine that hangs does.
    ///
    /// # Errors
    /// Where the signal cannot be sent.
    pub fn freeze(&self) -> io::Result<()> {
        Ok(kill_process(self.pid()?, Signal::STOP)?)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// Where the signal cannot be sent.
    pub fn thaw(&self) -> io::Result<()> {
        Ok(kill_process(self.pid()?, Signal::CONT)?)
    }

    /// Sends it SIGHUP, as a terminal that closes does.
    ///
    /// # Errors
    /// Where the signal cannot be sent.
    pub fn hang_up(&self) -> io::Result<()> {
        Ok(kill_process(self.pid()?, Signal::HUP)?)
    }

    /// Waits until it has ended, at most so long.
    ///
    /// # Errors
    /// Where it takes longer.
    pub fn wait(&mut self, patience: Duration) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the server did not end in time"))
    }

    /// Its resident memory, in bytes.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        self.memory_bytes("VmRSS:")
    }

    /// The most that its resident memory ever was, in bytes.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn peak_resident_bytes(&self) -> io::Result<u64> {
        self.memory_bytes("VmHWM:")
    }

    fn memory_bytes(&self, field: &str) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other(format!("no {field}")))
    }

    fn pid(&self) -> io::Result<Pid> {
        let raw = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        Pid::from_raw(raw).ok_or_else(|| io::Error::other("no pid"))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
