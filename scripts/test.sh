#!/usr/bin/env bash
# All that `make test` does, part after part; at the end, also of a failure, how many minutes each part took.
set -euo pipefail
cd "$(dirname "$0")/.."
CARGO=${CARGO:-cargo}

minutes=()
part() { # name, command…
  name=$1; shift
  began=$SECONDS
  printf '== %s\n' "$name"
  code=0; "$@" || code=$?
  minutes+=("$(awk -v s=$((SECONDS - began)) -v n="$name" 'BEGIN { printf "%6.1f  %s", s / 60, n }')")
  return "$code"
}
report() {
  printf '\nminutes\n'
  printf '%s\n' "${minutes[@]}"
  awk -v s=$SECONDS 'BEGIN { printf "%6.1f  in all\n", s / 60 }'
}
trap report EXIT

part "what the tests need" make --no-print-directory deps
part "format and lints" make --no-print-directory lint
part "build of the tests" "$CARGO" nextest run --locked --workspace --no-run
part "tests" "$CARGO" nextest run --locked --workspace
