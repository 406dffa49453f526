#!/bin/bash
# Changes one token at a time in a copy of the sources and looks whether the unit tests notice. `--help` says more.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 -B scripts/mutate.py "$@"
