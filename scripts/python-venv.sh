#!/bin/sh
# Makes a Python environment in a folder of its own, unless it is there as it should be:
# scripts/python-venv.sh FOLDER REQUIREMENTS [OPTIONS OF PIP…]
set -eu
cd "$(dirname "$0")/.."

venv=$1
requirements=$2
shift 2
cmp -s "$requirements" "$venv/installed-requirements.txt" && exit
python3 -m venv "$venv" 2>/dev/null || {
    apt-get update -q
    apt-get install -y -q --no-install-recommends python3-venv
    python3 -m venv "$venv"
}
"$venv/bin/pip" install -q "$@" -r "$requirements"
cp "$requirements" "$venv/installed-requirements.txt"
