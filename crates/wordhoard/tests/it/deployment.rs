//! The files that deploy the server. What cannot be built here is judged by the tools that judge it elsewhere, and the
//! scripts in it are run.

mod compose;
mod container;
mod units;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Runs a tool; what it said. One that is missing fails the test, and says how to get it.
fn run(command: &mut Command) -> (Output, String) {
    let output = command.output();
    let output =
        output.unwrap_or_else(|error| panic!("{command:?}: {error}; run scripts/install-test-deps.sh"));
    let said = String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap();
    (output, said)
}
