//! An object store of the S3 kind: `moto` as a child process, from the Python environment that
//! `scripts/install-test-deps.sh` makes.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::test_venv;

const SERVER: &str = include_str!("object_store/server.py");

/// A running store with one empty bucket. Ends when it is dropped, and with the test in whatever way that dies.
#[derive(Debug)]
pub struct ObjectStore {
    child: Child,
    endpoint: String,
    link: Mutex<Link>,
}

#[derive(Debug)]
struct Link {
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl ObjectStore {
    /// The name of the bucket.
    pub const BUCKET: &str = "wordhoard-backups";

    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// Where the environment of the tests lacks it, or it does not start.
    pub fn start() -> io::Result<Self> {
        let mut command = Command::new(test_venv()?.join("bin/python"));
        command.args(["-c", SERVER, Self::BUCKET]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (Some(ask), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        let mut link = Link { ask: Some(ask), answers: BufReader::new(answers) };
        let said = link.line()?;
        let endpoint =
            said.as_str().ok_or_else(|| io::Error::other("it did not say where it is"))?.to_owned();
        Ok(Self { child, endpoint, link: Mutex::new(link) })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Names of all objects.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub fn keys(&self) -> io::Result<Vec<String>> {
        let keys = self.ask(&json!({ "do": "keys" }))?;
        serde_json::from_value(keys).map_err(io::Error::other)
    }

    /// How many uploads in parts have begun and not ended.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub fn unfinished_uploads(&self) -> io::Result<u64> {
        self.ask(&json!({ "do": "uploads" }))?.as_u64().ok_or_else(|| io::Error::other("no number"))
    }

    /// Flips a bit of an object, as a failing disk of the store's would.
    ///
    /// # Errors
    /// Where there is no such object, or no such byte.
    pub fn flip(&self, key: &str, offset: u64) -> io::Result<()> {
        self.ask(&json!({ "do": "flip", "key": key, "offset": offset })).map(drop)
    }

    /// Cuts an object off.
    ///
    /// # Errors
    /// Where there is no such object.
    pub fn truncate(&self, key: &str, size_bytes: u64) -> io::Result<()> {
        self.ask(&json!({ "do": "truncate", "key": key, "size": size_bytes })).map(drop)
    }

    /// Puts an object there, as somebody else would.
    ///
    /// # Errors
    /// Where the store does not take it.
    pub fn put(&self, key: &str, text: &str) -> io::Result<()> {
        self.ask(&json!({ "do": "put", "key": key, "text": text })).map(drop)
    }

    /// Removes an object.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub fn delete(&self, key: &str) -> io::Result<()> {
        self.ask(&json!({ "do": "delete", "key": key })).map(drop)
    }

    /// Lets nobody in any more but with the key that is given: its id and the key.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub fn check_keys(&self) -> io::Result<(String, String)> {
        let key = self.ask(&json!({ "do": "check-keys" }))?;
        let text = |field: &str| key[field].as_str().unwrap_or_default().to_owned();
        Ok((text("id"), text("secret")))
    }

    fn ask(&self, what: &Value) -> io::Result<Value> {
        let mut link = self.link.lock().map_err(|_| io::Error::other("an earlier question failed"))?;
        let Some(ask) = &mut link.ask else { return Err(io::ErrorKind::BrokenPipe.into()) };
        writeln!(ask, "{what}")?;
        let answer = link.line()?;
        match answer.get("done") {
            Some(done) => Ok(done.clone()),
            None => Err(io::Error::other(answer.to_string())),
        }
    }
}

impl Link {
    fn line(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).map_err(|_| io::Error::other(format!("the object store said {line:?}")))
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
