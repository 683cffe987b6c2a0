use std::path::{Path, PathBuf};

use wordhoard_wire::{Dialect, any_bytes};

const FOLDERS: [(Dialect, &str); 5] = [
    (Dialect::OpenAiChat, "openai_chat"),
    (Dialect::OpenAiResponses, "openai_responses"),
    (Dialect::Anthropic, "anthropic"),
    (Dialect::Gemini, "gemini"),
    (Dialect::Cohere, "cohere"),
];

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder:?} is empty");
    files
}

/// The seeds of the fuzz targets: recordings, and the streams and requests of public bug reports. What a fuzzer found
/// joins them. Each is read by all dialects, for a provider may be called by the wrong one.
#[test]
fn every_seed_keeps_what_any_bytes_keep_in_every_dialect() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for folder in ["fixtures", "seeds"] {
        for (_, of_dialect) in FOLDERS {
            for file in files_of(&tests.join(folder).join(of_dialect)) {
                let bytes = std::fs::read(&file).unwrap();
                for (dialect, _) in FOLDERS {
                    any_bytes::check(dialect, &bytes);
                }
            }
        }
    }
}

/// Cut anywhere, as by a connection that broke, a seed is still read without a panic.
#[test]
fn every_beginning_of_a_seed_keeps_it_too() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds");
    for (dialect, folder) in FOLDERS {
        for file in files_of(&tests.join(folder)) {
            let bytes = std::fs::read(&file).unwrap();
            for end in (0..bytes.len()).step_by(5) {
                any_bytes::check(dialect, &bytes[..end]);
            }
        }
    }
}
