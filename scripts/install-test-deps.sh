#!/bin/sh
# Installs what the tests need, each thing only where it is missing. Needs root for Debian packages.
set -eu

NEXTEST_VERSION=0.9.143

command -v cc >/dev/null 2>&1 || {
    apt-get update -q
    apt-get install -y -q --no-install-recommends build-essential
}

cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest --version "$NEXTEST_VERSION"
