#!/bin/bash
# Runs every benchmark of this folder, each load for a second (SECONDS_EACH), so that none of them rots: bench/all.sh [NAME ...]. Prints
# what each prints, and a table of which ran, which skipped for what it says, and which failed. What has a bound on a ratio and
# misses it fails too: a second is short, and the machine may have others to serve. Needs scripts/install-deps.sh test.
set -uo pipefail
cd "$(dirname "$0")/.."
export SECONDS_EACH=${SECONDS_EACH:-1}
names=("$@")
if [ $# -eq 0 ]; then
  for script in bench/*.sh; do
    name=$(basename "$script" .sh)
    [ "$name" = all ] || names+=("$name")
  done
fi
output=$(mktemp)
trap 'rm -f "$output"' EXIT
failed=0
rows=()
for name in "${names[@]}"; do
  words=()
  case $name in retrieval | rows) words=("${BP_SHARED_DIR:-../shared}/ir" cranfield) ;; esac # the smallest collection
  from=$SECONDS
  echo "== bench/$name.sh ${words[*]:-}"
  "bench/$name.sh" "${words[@]}" </dev/null 2>&1 | tee "$output"
  status=${PIPESTATUS[0]}
  case $status in
    0) result=ran ;;
    77) result="skipped: $(sed -n 's/^skipped: //p' "$output" | tail -1)" ;;
    *) result="failed with $status" failed=1 ;;
  esac
  rows+=("| $name | $result | $((SECONDS - from)) |")
done
printf '\n| benchmark | result | seconds |\n|---|---|---|\n'
printf '%s\n' "${rows[@]}"
echo "$(printf '%s\n' "${rows[@]}" | grep -c '| ran |' || true) of ${#names[@]} ran"
exit $failed
