#!/bin/sh
# Runs each fuzz target for so many seconds: scripts/fuzz.sh 60
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
for target in $(cargo +nightly fuzz list); do
    echo "fuzzing $target for ${seconds}s"
    # The recordings of the tests are where it begins.
    corpus="fuzz/corpus/$target"
    mkdir -p "$corpus"
    recordings="crates/wordhoard-wire/tests/fixtures/$target"
    [ -d "$recordings" ] || recordings="$corpus"
    cargo +nightly fuzz run "$target" "$corpus" "$recordings" -- -max_total_time="$seconds" -rss_limit_mb=4096
done
