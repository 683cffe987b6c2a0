use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
pub(super) enum Told {
    /// To stop; with its name.
    Stop(&'static str),
    /// To read the configuration again.
    Reload,
}

/// The signals that the server listens to.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Held so that a write past a file size limit is an error of that write, not the end of the process.
    _file_too_large: Signal,
}

impl Signals {
    pub(super) fn install() -> std::io::Result<Self> {
        let file_too_large = rustix::process::Signal::XFSZ.as_raw();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _file_too_large: signal(SignalKind::from_raw(file_too_large))?,
        })
    }

    /// The next signal that ends the server, by its name.
    pub(super) async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// The next signal of those that a running server reacts to.
    pub(super) async fn next(&mut self) -> Told {
        let Self { terminate, interrupt, hangup, .. } = self;
        tokio::select! {
            _ = terminate.recv() => Told::Stop("SIGTERM"),
            _ = interrupt.recv() => Told::Stop("SIGINT"),
            _ = hangup.recv() => Told::Reload,
        }
    }
}
