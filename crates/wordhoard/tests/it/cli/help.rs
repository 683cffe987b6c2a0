use super::{run, success, told};

#[test]
fn every_help_teaches_by_example() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        &[][..],
        &["serve"],
        &["ask"],
        &["health"],
        &["wal"],
        &["wal", "dump"],
        &["wal", "verify"],
        &["config"],
        &["config", "check"],
        &["config", "show"],
    ] {
        let help = success(&run(folder.path(), &[path, &["--help"]].concat()));
        let examples = help.split_once("\nExample").map(|(_, examples)| examples);
        let examples = examples.unwrap_or_else(|| panic!("{path:?} shows no example: {help}"));
        let start = ["wordhoard", &path.join(" ")].join(" ");
        assert!(examples.contains(start.trim_end()), "{path:?}: {help}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_2() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["srve"][..],
        &["--no-such"],
        &["ask"],
        &["wal"],
        &["wal", "dump", "--request", "x"],
        &["config", "check", "--port", "1"],
        &["health", "--timeout", "0"],
        &["ask", "x", "--local", "--server", "http://127.0.0.1:1"],
    ] {
        let (code, out, err) = told(&run(folder.path(), arguments));
        assert_eq!(code, Some(2), "{arguments:?}: {out}{err}");
        assert!(out.is_empty() && !err.is_empty(), "{arguments:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was made all the same");
}
