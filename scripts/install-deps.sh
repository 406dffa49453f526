#!/bin/bash
# Installs what building and running needs on Debian 12; with "test" also what the tests use. Does nothing twice.
set -euo pipefail

build=(build-essential ca-certificates cmake curl ninja-build pkg-config libuv1-dev libcurl4-openssl-dev libjansson-dev
       libltdl-dev libsqlite3-dev libyaml-dev libssl-dev libpcre2-dev libgit2-dev libpq-dev libhiredis-dev libutf8proc-dev)
tests=(clang clang-format clang-tidy cppcheck iwyu libclang-rt-14-dev libcmocka-dev node-llhttp valgrind gdb prometheus nginx-light wrk jq python3
       python3-jsonschema python3-venv git postgresql-15 pgbouncer redis-server redis-tools procps openssl haproxy)

wanted=("${build[@]}")
if [ "${1:-}" = test ]; then
  wanted+=("${tests[@]}")
fi
missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
  sudo=sudo
fi
echo "installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
