#!/bin/bash
# Static analysis: scripts/analysis.sh BUILD [FILE...], or cmake --build BUILD --target analysis. Takes minutes for all files.
#
# clang-tidy with the checks of .clang-tidy, cppcheck and include-what-you-use read core, plugins and sdk with the flags of the build.
# What they found before and what is no fault stands in scripts/analysis-known.txt with the reason; ends with 1 when there is anything
# else. A tool that is not installed is left out, and said to be.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n 2,6p "$0" >&2; exit 2; }
build=$1
shift
files=("$@") # none: all
if [ ! -f "$build/compile_commands.json" ]; then
  echo "$build/compile_commands.json is not there: configure the build first (cmake --preset debug)" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
jobs=$(nproc)
tools=0

# What is written where: FILE:LINE: text [check], once each, though a header and shared code are read many times.
shorten() { sed -E "s/\x1b\[[0-9;]*m//g; s#$PWD/##g; s#[^ ]*/sdk-stage/#sdk/#" | grep -E '^(core|plugins|sdk)/[^:]*:[0-9]+:.*\[[A-Za-z0-9.,-]+\]$' | sort -u || true; }

tidy=$(command -v run-clang-tidy || compgen -c run-clang-tidy- | grep -E '[0-9]$' | sort -V | tail -1 || true)
if [ -n "$tidy" ]; then
  tools=$((tools + 1))
  places=("^$PWD/(core|plugins|sdk)/")
  if [ ${#files[@]} -gt 0 ]; then
    places=("${files[@]/#/^$PWD/}")
  fi
  # A clang that is older or newer than the compiler of the build does not know all its warnings.
  "$tidy" -p "$build" -quiet -j "$jobs" -extra-arg=-Wno-unknown-warning-option "${places[@]}" >"$work/raw" 2>/dev/null || true
  shorten <"$work/raw" | grep -E ': (warning|error): ' >>"$work/found" || true
else
  echo "clang-tidy is left out: it is not installed (apt-get install clang-tidy)"
fi

if command -v cppcheck >/dev/null; then
  tools=$((tools + 1))
  mkdir -p "$build/cppcheck"
  # The SDK stands behind -isystem, which cppcheck does not follow. autoVariables: a call and what waits for it are kept on the stack of
  # the fiber that waits, so lists lead through stack frames on purpose.
  only=()
  for file in "${files[@]}"; do
    only+=("--file-filter=*/$file")
  done
  cppcheck "${only[@]}" --project="$build/compile_commands.json" -itests -ibench -I sdk/include -D__x86_64__ -D__linux__ -D__GNUC__ --cppcheck-build-dir="$build/cppcheck" -j "$jobs" \
    --enable=warning,portability --suppress=autoVariables --suppress=missingInclude --inline-suppr --quiet \
    --template='{file}:{line}: {severity}: {message} [{id}]' >"$work/raw" 2>&1 || true
  shorten <"$work/raw" >>"$work/found"
else
  echo "cppcheck is left out: it is not installed (apt-get install cppcheck)"
fi
# Of include-what-you-use, what a C file includes and does not use. What it would add is what our headers promise to bring, and in
# headers it does not see that a name of the SDK is declared twice on purpose.
if command -v iwyu_tool >/dev/null; then
  tools=$((tools + 1))
  sources=(core plugins sdk)
  if [ ${#files[@]} -gt 0 ]; then
    sources=("${files[@]}")
  fi
  iwyu_tool -p "$build" -j "$jobs" "${sources[@]}" -- -Xiwyu --no_fwd_decls >"$work/raw" 2>/dev/null || true
  sed -nE '/\.c should remove these lines:$/ { s/ should.*//; h }
           /^- #include/ { G; s/^- #include ([^ ]+) .*lines ([0-9]+)-.*\n(.*)/\3:\2: warning: \1 is included and not used [include]/p }
           /^$/ { s/.*//; x }' "$work/raw" | { grep -vE '^:|<backplane/base\.h>' || true; } | shorten >>"$work/found"
else
  echo "include-what-you-use is left out: it is not installed (apt-get install iwyu)"
fi
if [ $tools -eq 0 ]; then
  exit 0
fi

touch "$work/found"
while read -r file check _; do
  case $file in '' | \#*) continue ;; esac
  grep -vE "^$file:.*\[(.*,)?$check(,.*)?\]\$" "$work/found" >"$work/rest" || true
  if cmp -s "$work/found" "$work/rest"; then
    echo "$file $check: is not found any more by the tools that are here; take its line out of scripts/analysis-known.txt" >>"$work/gone"
  fi
  mv "$work/rest" "$work/found"
done <scripts/analysis-known.txt
if [ $tools -eq 3 ] && [ ${#files[@]} -eq 0 ] && [ -f "$work/gone" ]; then
  cat "$work/gone"
fi
cat "$work/found"
count=$(wc -l <"$work/found")
echo "$tools tools, $count findings that are not known"
[ "$count" -eq 0 ]
