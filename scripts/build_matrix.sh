#!/bin/bash
# Builds with many compilers: scripts/build_matrix.sh [--all] [--install] [COMPILER/LEVEL ...]
#
# Without arguments a sample of two that takes a few minutes, with --all each gcc-N and clang-N that is installed at -O0 to -O3
# and with LTO; or the named pairs (gcc-11/O3 clang-16/lto). --install gets the compilers and linkers of Debian first.
# Each is built without -Werror below build/matrix/ and writes the schema of the conf, for which the new program loads every new
# plugin. Prints a table; ends with 1 when a build fails or warns.
set -euo pipefail
cd "$(dirname "$0")/.."

install() { # every gcc and clang that Debian offers here; the LTO of clang wants its own linker and its own ar
  apt-get update -qq
  for compiler in $(apt-cache search --names-only '^(gcc|clang)-[0-9]+$' | cut -d' ' -f1); do
    version=${compiler#*-}
    packages=("$compiler")
    case $compiler in clang-*) packages+=("lld-$version" "llvm-$version") ;; esac
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  done
}

levels=(O0 O1 O2 O3 lto)
pairs=()
all=false
for word in "$@"; do
  case $word in
    --all) all=true ;;
    --install) install ;;
    */*) pairs+=("$word") ;;
    *) sed -n 2,7p "$0" >&2; exit 2 ;;
  esac
done
compilers=()
for path in $(compgen -c | grep -E '^(gcc|clang)-[0-9]+$' | sort -uV); do
  compilers+=("$path")
done
if [ ${#compilers[@]} -eq 0 ]; then
  echo "no gcc-N and no clang-N is installed; scripts/build_matrix.sh --install gets them" >&2
  exit 1
fi
if $all; then
  for compiler in "${compilers[@]}"; do
    for level in "${levels[@]}"; do
      pairs+=("$compiler/$level")
    done
  done
elif [ ${#pairs[@]} -eq 0 ]; then # what sees most: the flow of values at -O3, and another front end
  gcc=$(printf '%s\n' "${compilers[@]}" | grep gcc | tail -1 || true)
  clang=$(printf '%s\n' "${compilers[@]}" | grep clang | tail -1 || true)
  pairs=(${gcc:+"$gcc/O3"} ${clang:+"$clang/O1"})
fi

flags_of() { # COMPILER LEVEL: what CMake is told
  case $2 in
    lto)
      printf '%s\n' "-DCMAKE_C_FLAGS_RELEASE=-O2 -DNDEBUG $([[ $1 = gcc* ]] && echo -flto=auto || echo -flto)"
      case $1 in # archives of an LTO build hold what only the compiler's own ar can index
        gcc-*) printf '%s\n' "-DCMAKE_AR=$(command -v "gcc-ar-${1#gcc-}")" "-DCMAKE_RANLIB=$(command -v "gcc-ranlib-${1#gcc-}")" ;;
        clang-*) printf '%s\n' "-DCMAKE_AR=$(command -v "llvm-ar-${1#clang-}")" \
                   "-DCMAKE_RANLIB=$(command -v "llvm-ranlib-${1#clang-}")" \
                   -DCMAKE_{EXE,MODULE,SHARED}_LINKER_FLAGS=-fuse-ld=lld ;;
      esac ;;
    *) printf '%s\n' "-DCMAKE_C_FLAGS_RELEASE=-$2 -DNDEBUG" ;;
  esac
}

failed=0
rows=()
for pair in "${pairs[@]}"; do
  compiler=${pair%/*} level=${pair#*/}
  folder=build/matrix/$compiler-$level
  log=$folder/log
  mkdir -p "$folder"
  mapfile -t flags < <(flags_of "$compiler" "$level")
  from=$SECONDS
  result=ok
  cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$compiler" -DBP_WERROR=OFF \
    -DBUILD_TESTING=OFF "${flags[@]}" >"$log" 2>&1 || result="does not configure"
  if [ "$result" = ok ]; then
    cmake --build "$folder" --clean-first >>"$log" 2>&1 || result="does not build"
  fi
  warnings=$(grep -cE 'warning[: ]' "$log" || true)
  [ "$result" = ok ] && [ "$warnings" -gt 0 ] && result=warns
  rows+=("$(printf '| %s | %s | %s | %d | %d |' "$compiler" "$level" "$result" "$warnings" $((SECONDS - from)))")
  if [ "$result" = ok ]; then
    rm -rf "$folder" # a build is some hundred megabytes
  else
    failed=1
    { echo "== $pair $result; $log ends with:"; grep -E 'warning|error' "$log" | head -20 || true; tail -5 "$log"; } >&2
  fi
done
echo "| compiler | level | result | warnings | seconds |"
echo "|---|---|---|---|---|"
printf '%s\n' "${rows[@]}"
echo "$(printf '%s\n' "${rows[@]}" | grep -c '| ok |' || true) of ${#pairs[@]} build without a warning"
exit $failed
