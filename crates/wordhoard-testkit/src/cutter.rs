//! A TCP proxy on 127.0.0.1 that breaks what goes through it, between a server and its database above all.

mod commits;
mod connection;
mod messages;
mod register;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use commits::Commits;
use register::Register;

pub use commits::CommitCut;

/// What the cutter does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Hands everything on, unchanged.
    Pass,
    /// Resets new connections at once. Those that are open go on: see [`Cutter::cut_all`].
    Refuse,
    /// Accepts, and hands nothing on in either direction, on open connections too, as behind a cable that was pulled.
    /// Nothing is lost: what came in between goes on its way when the mode is [`Mode::Pass`] again.
    Silent,
}

/// The proxy, running on a thread and a runtime of its own until it is dropped; what is open then is closed.
#[derive(Debug)]
pub struct Cutter {
    port: u16,
    target_port: u16,
    mode: watch::Sender<Mode>,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the connections and the test share.
#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    register: Register,
    /// Connections are numbered 1, 2, …; all up to this one are to end.
    cut_through: watch::Sender<u64>,
    commits: Commits,
}

impl Cutter {
    /// Starts it on a free port, in front of `target_port` of 127.0.0.1, in [`Mode::Pass`].
    ///
    /// # Errors
    /// Where no port or no thread can be had.
    pub async fn start(target_port: u16) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (mode, modes) = watch::channel(Mode::Pass);
        let shared = Arc::new(Shared {
            target: SocketAddr::from(([127, 0, 0, 1], target_port)),
            register: Register::default(),
            cut_through: watch::Sender::new(0),
            commits: Commits::default(),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("cutter".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // Either the cutter was dropped, or nothing can be accepted any more.
                    _ = stopped => {}
                    _ = serve(listener, modes, of_thread) => {}
                }
            });
        })?;
        Ok(Self { port, target_port, mode, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the target, led through the cutter.
    pub fn url(&self, target_url: &str) -> String {
        target_url.replace(&format!(":{}", self.target_port), &format!(":{}", self.port))
    }

    /// From now on.
    pub fn set_mode(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Resets all connections that are open now, both sides of them; returns when it is done. New ones are treated as
    /// the mode says.
    ///
    /// # Errors
    /// Where they do not end.
    pub fn cut_all(&self) -> io::Result<()> {
        let through = self.shared.register.accepted();
        self.shared.cut_through.send_replace(through);
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.shared.register.has_open_through(through) {
            if Instant::now() > deadline {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "connections through the cutter stay open",
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Cuts the connection on which the `n`-th `COMMIT` from now (1: the next) goes by, over all connections. Another
    /// call replaces it.
    pub fn cut_at_commit(&self, n: u64, cut: CommitCut) {
        self.shared.commits.cut_at(n, cut);
    }

    /// How many connections were accepted so far, those refused among them.
    pub fn connections(&self) -> u64 {
        self.shared.register.accepted()
    }

    /// How many `COMMIT`s came so far, those cut among them.
    pub fn commits_seen(&self) -> u64 {
        self.shared.commits.seen()
    }

    /// How many of them were cut. Counted before the client can notice.
    pub fn commits_cut(&self) -> u64 {
        self.shared.commits.cut()
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic on that thread has already been printed; the test fails by what it did not get.
            thread.join().ok();
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    modes: watch::Receiver<Mode>,
    shared: Arc<Shared>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    let number = shared.register.open();
                    connections.spawn(connection::serve(number, client, modes.clone(), Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
