//! A mock of several providers that others wrote: <https://aimock.copilotkit.dev>. What our own misbehaving provider and
//! our codecs got wrong in the same way, it does not.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = "../../target/test-node/node_modules/@copilotkit/aimock/dist/cli.js";

/// It, as a process of its own until it is dropped.
#[derive(Debug)]
pub struct Aimock {
    child: Child,
    origin: String,
    _folder: TempDir,
}

impl Aimock {
    /// Starts it on a free port of loopback with these fixtures.
    ///
    /// # Errors
    /// Where it is not installed, or does not start.
    pub fn start(fixtures: &Value) -> io::Result<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(PROGRAM);
        if !program.exists() {
            let problem = format!("{} is missing; run scripts/install-test-deps.sh", program.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, problem));
        }
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("fixtures.json");
        std::fs::write(&file, fixtures.to_string())?;
        let mut command = Command::new("node");
        command.arg(program).args(["--port", "0", "--fixtures"]).arg(file);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut said =
            BufReader::new(child.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?).lines();
        let origin = loop {
            let line = said.next().ok_or_else(|| io::Error::other("it ended before it listened"))??;
            if let Some((_, origin)) = line.split_once("listening on ") {
                break origin.trim().to_owned();
            }
        };
        // What it says later must not fill the pipe.
        std::thread::Builder::new().name("aimock".to_owned()).spawn(move || said.for_each(drop))?;
        Ok(Self { child, origin, _folder: folder })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl Drop for Aimock {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
