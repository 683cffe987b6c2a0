use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::counterpart::Counterpart;

const PROGRAM: &str = "../../target/test-node/node_modules/@copilotkit/aimock/dist/cli.js";

/// A mock of several providers that others wrote: <https://aimock.copilotkit.dev>. What our own misbehaving provider and
/// our codecs got wrong in the same way, it does not.
#[derive(Debug)]
pub struct Aimock {
    process: Counterpart,
    _folder: TempDir,
}

impl Aimock {
    /// Starts it with these fixtures.
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
        Ok(Self { process: Counterpart::start(&mut command)?, _folder: folder })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> &str {
        self.process.origin()
    }
}
