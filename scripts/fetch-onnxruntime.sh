#!/bin/bash
# Fetches ONNX Runtime's shared library, which embed/onnx opens, from the official Python package: scripts/fetch-onnxruntime.sh FOLDER
# Needs python3 with pip and nothing else; does nothing when it is there already. Then say in the conf: runtime: FOLDER
set -euo pipefail
version=1.23.2
declare -A sums=(
  [x86_64]=da44b99206e77734c5819aa2142c69e64f3b46edc3bd314f6a45a932defc0b3e
  [aarch64]=bbfd2fca76c855317568c1b36a885ddea2272c13cb0e395002c402f2360429a6
)
[ $# -eq 1 ] || { sed -n 2,3p "$0" >&2; exit 2; }
folder=$1
machine=$(uname -m)
[ -n "${sums[$machine]:-}" ] || { echo "no checksum is known for $machine: install ONNX Runtime $version by hand" >&2; exit 1; }
library=$folder/libonnxruntime.so.$version
[ -s "$library" ] && exit 0

mkdir -p "$folder"
work=$(mktemp -d "$folder/.fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
  --platform "manylinux_2_28_$machine" --platform "manylinux_2_27_$machine" --dest "$work" "onnxruntime==$version"
wheel=$(echo "$work"/onnxruntime-*.whl)
echo "${sums[$machine]}  $wheel" | sha256sum --check --quiet
python3 - "$wheel" "$version" "$work" <<'PYTHON'
import shutil, sys, zipfile
wheel, version, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for inside, outside in ((f"onnxruntime/capi/libonnxruntime.so.{version}", "library"), ("onnxruntime/LICENSE", "LICENSE")):
        with archive.open(inside) as source, open(f"{folder}/{outside}", "wb") as target:
            shutil.copyfileobj(source, target)
PYTHON
mv "$work/LICENSE" "$folder/LICENSE"
mv "$work/library" "$library"
echo "$library"
