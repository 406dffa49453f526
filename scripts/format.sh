#!/bin/bash
# Formats the C files that git knows, or those that are named, with the one style of .clang-format.
# --check changes nothing and fails, naming each line that would change.
set -euo pipefail
cd "$(dirname "$0")/.."

how=(-i)
if [ "${1:-}" = --check ]; then
  how=(--dry-run -Werror)
  shift
fi
if [ $# -gt 0 ]; then
  exec clang-format "${how[@]}" "$@"
fi
git ls-files -z '*.c' '*.h' '*.cpp' '*.hpp' | xargs -0 clang-format "${how[@]}"
