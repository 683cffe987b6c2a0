//! Programs of others that tests talk to, each as a process of its own.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// What a program writes before the URL at which it listens.
const LISTENING: &str = "listening on ";

/// A program that listens on a free port of loopback until it is dropped.
#[derive(Debug)]
pub(crate) struct Counterpart {
    child: Child,
    origin: String,
}

impl Counterpart {
    /// Starts it, and waits until it has said where it listens.
    ///
    /// # Errors
    /// Where it does not start, or ends before that.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut said =
            BufReader::new(child.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?).lines();
        let origin = loop {
            let line = said.next().ok_or_else(|| io::Error::other("it ended before it listened"))??;
            if let Some((_, origin)) = line.split_once(LISTENING) {
                break origin.trim().to_owned();
            }
        };
        // What it says later must not fill the pipe.
        std::thread::Builder::new().name("counterpart".to_owned()).spawn(move || said.for_each(drop))?;
        Ok(Self { child, origin })
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }
}

impl Drop for Counterpart {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
