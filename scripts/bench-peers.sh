#!/bin/sh
# Measures the server beside other gateways and writes docs/performance.md: scripts/bench-peers.sh [ROUNDS]
# Installs the peers once, below target/bench-peers. Takes about 8 minutes a round, and wants a quiet machine.
set -eu
cd "$(dirname "$0")/.."
rounds=${1:-3}
export PEERS="$PWD/target/bench-peers" ONLY="nginx vllm-router sglang-router wordhoard"
export BENCH_BIN="$PWD/target/bench-peers-bin/release" WH_BIN="$PWD/target/release/wordhoard"
mkdir -p "$PEERS"
cargo build --release --locked --bin wordhoard
CARGO_TARGET_DIR="$PWD/target/bench-peers-bin" cargo build --release --locked --manifest-path bench/peers/Cargo.toml
[ -e "$PEERS/installed" ] || {
    bench/peers/peers.sh install
    touch "$PEERS/installed"
}
trap 'bench/peers/peers.sh stop' EXIT
bench/peers/peers.sh start
bench/peers/peers.sh json >"$PEERS/peers.json"
rm -f "$PEERS/out.jsonl"
python3 bench/peers/run.py "$PEERS/peers.json" "$PEERS/out.jsonl" --rounds "$rounds" ${SCENARIOS:+--scenarios "$SCENARIOS"} --wait 20
python3 bench/peers/page.py "$PEERS/out.jsonl" "${PAGE:-docs/performance.md}"
