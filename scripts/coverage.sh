#!/bin/bash
# Builds for coverage, runs the unit tests, and prints which share of lines and branches they reach. `--help` says more.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 -B scripts/coverage.py "$@"
