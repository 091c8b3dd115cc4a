#!/usr/bin/env bash
# Re-makes requirements/*.txt from pyproject.toml: pinned, hashed, for every platform and Python >= 3.11.
# uv comes from a throw-away virtual environment, so that nothing is installed on the machine.
# Usage: scripts/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uv

# One resolution for what goes into one environment: the development set is made first and binds the others.
common=(--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
    # An older pip takes a pin without its extra ("coverage" for "coverage[toml]") for no pin once a newer release is out.
    --no-strip-extras)
"$work/venv/bin/uv" pip compile "${common[@]}" "$@" --group pyproject.toml:dev \
    --output-file requirements/dev.txt pyproject.toml
"$work/venv/bin/uv" pip compile "${common[@]}" --constraint requirements/dev.txt \
    --output-file requirements/runtime.txt pyproject.toml
"$work/venv/bin/uv" pip compile "${common[@]}" --constraint requirements/dev.txt \
    --group pyproject.toml:build --output-file requirements/build.txt
"$work/venv/bin/uv" pip compile "${common[@]}" --group pyproject.toml:node --output-file requirements/node.txt
wc -l requirements/*.txt
