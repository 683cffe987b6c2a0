#!/bin/sh
# Installs what the tests need, each thing only where it is missing. Needs root for Debian packages.
set -eu

NEXTEST_VERSION=0.9.143

command -v cc >/dev/null 2>&1 || {
    apt-get update -q
    apt-get install -y -q --no-install-recommends build-essential
}

# The tests make their own clusters of its programs. Debian's, which would start by itself, is not wanted; the line that
# says so has to come between the two packages, since the first asks about a file that is there before it.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || {
    apt-get update -q
    apt-get install -y -q --no-install-recommends postgresql-common
    echo "create_main_cluster = false" >>/etc/postgresql-common/createcluster.conf
    apt-get install -y -q --no-install-recommends postgresql
}

cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest --version "$NEXTEST_VERSION"
