use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How often a line is written where nobody looks on.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Tells on standard error how far something is that takes long: on a terminal in one line that changes, else in a line
/// from time to time.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Option<(String, Instant)>>);

impl Progress {
    pub(super) fn tell(&self, text: &str) {
        let mut told = self.0.lock();
        let mut out = std::io::stderr();
        if out.is_terminal() {
            // Nobody misses a line that could not be written.
            drop(write!(out, "\r\x1b[K{text}"));
            drop(out.flush());
        } else if told.as_ref().is_none_or(|(_, at)| at.elapsed() >= LINE_INTERVAL) {
            drop(writeln!(out, "{text}"));
        } else {
            return;
        }
        *told = Some((text.to_owned(), Instant::now()));
    }

    /// The last line is over.
    pub(super) fn end(&self) {
        let mut out = std::io::stderr();
        if self.0.lock().take().is_some() && out.is_terminal() {
            drop(write!(out, "\r\x1b[K"));
            drop(out.flush());
        }
    }
}
