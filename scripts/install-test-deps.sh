#!/bin/sh
# Installs what the tests need, each thing only where it is missing. Needs root for Debian packages.
set -eu
cd "$(dirname "$0")/.."

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

# What checks the shell scripts and the service files.
for tool in shellcheck systemd-analyze; do
    command -v "$tool" >/dev/null 2>&1 || {
        apt-get update -q
        apt-get install -y -q --no-install-recommends shellcheck systemd
    }
done

cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest --version "$NEXTEST_VERSION"

# Programs from PyPI that tests use as real counterparts (an object store, parsers), in a folder of their own.
scripts/python-venv.sh target/test-venv scripts/test-requirements.txt

# promtool checks alert rules and the page of figures. Only this one program is taken out of its package: installed
# whole, that would start a server.
TOOLS=target/test-tools
[ -x "$TOOLS/promtool" ] || {
    rm -rf "$TOOLS/package"
    mkdir -p "$TOOLS/package"
    apt-get update -q
    (cd "$TOOLS/package" && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb .)
    mv "$TOOLS/package/usr/bin/promtool" "$TOOLS/promtool"
    rm -r "$TOOLS/package"
}

# Programs from npm, in a folder of their own.
NODE=target/test-node
LOCK=scripts/test-node/package-lock.json
cmp -s "$LOCK" "$NODE/installed-lock.json" || {
    command -v npm >/dev/null 2>&1 || {
        echo "the tests need Node.js 20.15 or newer, with npm" >&2
        exit 1
    }
    mkdir -p "$NODE"
    cp scripts/test-node/package.json "$LOCK" "$NODE/"
    npm ci --silent --no-audit --no-fund --prefix "$NODE"
    cp "$LOCK" "$NODE/installed-lock.json"
}
