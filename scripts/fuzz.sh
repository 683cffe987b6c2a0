#!/bin/sh
# Runs each fuzz target for so many seconds: scripts/fuzz.sh 60
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
for target in $(cargo +nightly fuzz list); do
    echo "fuzzing $target for ${seconds}s"
    # The recordings and seeds of the tests are where it begins; what it finds belongs into the seeds.
    corpus="fuzz/corpus/$target"
    mkdir -p "$corpus"
    set -- "$corpus"
    for begin in "crates/wordhoard-wire/tests/fixtures/$target" "crates/wordhoard-wire/tests/seeds/$target"; do
        [ ! -d "$begin" ] || set -- "$@" "$begin"
    done
    cargo +nightly fuzz run "$target" "$@" -- -max_total_time="$seconds" -rss_limit_mb=4096
done
