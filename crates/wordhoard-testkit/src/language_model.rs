use std::io;
use std::path::Path;
use std::process::Command;

use crate::counterpart::Counterpart;

const PYTHON: &str = "../../target/acceptance-venv/bin/python";

/// A real language model: llama.cpp's server with SmolLM2-135M. It speaks OpenAI's chat and responses and Anthropic's
/// messages. What it says is nonsense, how it says it is real.
#[derive(Debug)]
pub struct LanguageModel {
    process: Counterpart,
}

impl LanguageModel {
    /// Starts it; it takes a second to load.
    ///
    /// # Errors
    /// Where it is not installed, or does not start.
    pub fn start() -> io::Result<Self> {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(PYTHON);
        if !python.exists() {
            let problem = format!("{} is missing; run scripts/install-acceptance-model.sh", python.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, problem));
        }
        let mut command = Command::new(python);
        command.args(["-c", include_str!("language_model.py")]);
        Ok(Self { process: Counterpart::start(&mut command)? })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> &str {
        self.process.origin()
    }
}
