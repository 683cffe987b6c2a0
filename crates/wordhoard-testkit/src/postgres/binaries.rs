use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with `initdb`, `postgres`, `psql` and the rest: of all that are found, that of the newest version.
pub(super) fn folder() -> io::Result<PathBuf> {
    let found = candidates().into_iter().filter_map(|folder| Some((version(&folder)?, folder)));
    found.max().map(|(_, folder)| folder).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "there is no /usr/lib/postgresql/*/bin/initdb, none where `pg_config --bindir` says, and none on the \
             PATH; scripts/install-test-deps.sh installs PostgreSQL",
        )
    })
}

fn candidates() -> Vec<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    folders.extend(output("pg_config", &["--bindir"]).map(PathBuf::from));
    // What is on the PATH may be a link to a single program: its neighbours are where it leads.
    let on_path = output("sh", &["-c", "command -v initdb"]).and_then(|path| fs::canonicalize(path).ok());
    folders.extend(on_path.and_then(|path| Some(path.parent()?.to_path_buf())));
    folders.retain(|folder| folder.join("initdb").exists());
    folders
}

/// Major and minor version, from `postgres (PostgreSQL) 15.18 (Debian …)`.
fn version(folder: &Path) -> Option<(u32, u32)> {
    let said = output(folder.join("postgres").to_str()?, &["--version"])?;
    let number = said.split_whitespace().nth(2)?;
    let mut parts = number.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    Some((parts.next()?, parts.next().unwrap_or(0)))
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}
