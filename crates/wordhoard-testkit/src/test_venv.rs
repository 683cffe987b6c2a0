use std::io;
use std::path::{Path, PathBuf};

/// The folder of the Python environment of the tests.
///
/// # Errors
/// Where it has not been made.
pub fn test_venv() -> io::Result<PathBuf> {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-venv");
    let missing = |error| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("{}: {error}; run scripts/install-test-deps.sh", venv.display()),
        )
    };
    venv.canonicalize().map_err(missing)
}
