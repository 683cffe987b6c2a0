use std::path::{Path, PathBuf};

use proptest::prelude::*;
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

/// What becomes of a piece of a stream: short cuts must not lead elsewhere, whatever a provider makes of its events.
fn altered(stream: &[u8], changes: &[(usize, usize)]) -> Vec<u8> {
    const IN_PLACE: [&[u8]; 14] = [
        b"\\u0041",
        b"\\n",
        b"\\",
        b"\"",
        b"\x07",
        b"null",
        b"7",
        b"[]",
        b"{}",
        b",",
        b"0",
        b" ",
        b"\"content\":\"twice\",",
        b"\"text\":\"twice\",",
    ];
    let mut stream = stream.to_vec();
    for (place, what) in changes {
        let lines: Vec<_> = stream.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let at = place % stream.len().max(1);
        match what % 20 {
            // An event twice, and at another place.
            kind @ 0..4 => {
                let (from, mut lines) = (at % lines.len(), lines);
                let to = if kind % 2 == 0 { from } else { (at * 7) % lines.len() };
                let event: Vec<_> = lines[from..].iter().take(3).cloned().collect();
                lines.splice(to..to, event);
                stream = lines.join(&b'\n');
            }
            4 => drop(stream.drain(at..(at + 3).min(stream.len()))),
            // Between two strings more often than anywhere else.
            kind => {
                let quote = stream[at..].iter().position(|byte| *byte == b'"').map_or(at, |quote| at + quote);
                let new = IN_PLACE[(kind - 5) % IN_PLACE.len()];
                stream.splice(quote..quote, new.iter().copied());
            }
        }
    }
    stream
}

proptest! {
    #[test]
    fn short_cuts_lead_to_what_the_tolerant_parser_reads(
        dialect in 0..FOLDERS.len(),
        file in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<usize>(), any::<usize>()), 0..6),
    ) {
        let (dialect, folder) = FOLDERS[dialect];
        let files = files_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder));
        let stream = std::fs::read(file.get(&files)).unwrap();
        any_bytes::check_short_cuts(dialect, &altered(&stream, &changes));
    }
}
