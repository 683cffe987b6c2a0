//! The command line: what it prints, what it answers, and with which exit code.

mod ask;
mod config;
mod health;
mod help;
mod prices;
mod wal;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::EXE;

/// The command in that folder, without any of the developer's own environment.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(EXE);
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

/// Exit code, standard output, standard error.
fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// What a command says that succeeds and complains about nothing.
fn success(output: &Output) -> String {
    let (code, out, err) = told(output);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    out
}

/// What a command says that fails with that code, in one line or several, and prints nothing else.
fn failure(output: &Output, expected: i32) -> String {
    let (code, out, err) = told(output);
    assert_eq!(code, Some(expected), "{out}{err}");
    assert!(err.starts_with("wordhoard: ") && !err.contains("panicked"), "{err}");
    err
}
