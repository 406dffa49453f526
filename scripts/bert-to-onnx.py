#!/usr/bin/env python3
"""bert-to-onnx.py - writes a BERT sentence model as model.onnx from its published weights (model.safetensors).

    bert-to-onnx.py FOLDER        reads FOLDER/config.json and FOLDER/model.safetensors, writes FOLDER/model.onnx

For models that are published as weights only. The graph is the encoder of "Attention Is All You Need" as BERT has it:
embeddings (word + position + type, normalised), then layers of self-attention and a feed-forward network, each with a
residual path and a normalisation behind it. Inputs are input_ids, attention_mask and token_type_ids (batch, sequence);
output is last_hidden_state (batch, sequence, width). Needs the packages numpy and onnx.
"""
import json
import math
import os
import struct
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8
MASKED = -3.4e38  # added to the score of a padding token: it takes no attention


def read_safetensors(path):
    """Length of the header (8 bytes), the header (JSON), the numbers."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        body = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in ("F32", "F16", "I64"):
            sys.exit(f"{path}: {name} has numbers of type {entry['dtype']}; only F32 and F16 are read")
        begin, end = entry["data_offsets"]
        kind = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}[entry["dtype"]]
        tensors[name.removeprefix("bert.")] = np.frombuffer(body[begin:end], kind).reshape(entry["shape"])
    return tensors


class Graph:
    """Nodes and constants in the order in which they were made."""

    def __init__(self):
        self.nodes, self.constants, self.count = [], {}, 0

    def constant(self, name, value):
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def numbers(self, *values):
        return self.constant("numbers_" + "_".join(str(v).replace("-", "m") for v in values), np.array(values, np.int64))

    def add(self, operation, *inputs, output=None, **attributes):
        self.count += 1
        output = output or f"{operation.lower()}_{self.count}"
        self.nodes.append(helper.make_node(operation, list(inputs), [output], **attributes))
        return output


def encoder(config, weights):
    graph = Graph()
    width, heads = config["hidden_size"], config["num_attention_heads"]
    head_width = width // heads

    def weight(name):
        return graph.constant(name, weights[name].astype(np.float32))

    def norm(value, name, **more):
        return graph.add("LayerNormalization", value, weight(name + ".weight"), weight(name + ".bias"), axis=-1,
                         epsilon=config["layer_norm_eps"], **more)

    def linear(value, name):
        matrix = graph.constant(name + ".weight.T", weights[name + ".weight"].astype(np.float32).T)
        return graph.add("Add", graph.add("MatMul", value, matrix), weight(name + ".bias"))

    def split_heads(value, order):
        shaped = graph.add("Reshape", value, graph.numbers(0, 0, heads, head_width))
        return graph.add("Transpose", shaped, perm=order)

    def gelu(value):
        half = graph.constant("half", np.float32(0.5))
        one = graph.constant("one", np.float32(1))
        root = graph.constant("root_two", np.float32(math.sqrt(2)))
        erf = graph.add("Add", graph.add("Erf", graph.add("Div", value, root)), one)
        return graph.add("Mul", graph.add("Mul", value, erf), half)

    sequence = graph.add("Slice", graph.add("Shape", "input_ids"), graph.numbers(1), graph.numbers(2), graph.numbers(0))
    positions = graph.add("Slice", weight("embeddings.position_embeddings.weight"), graph.numbers(0), sequence,
                          graph.numbers(0))
    words = graph.add("Gather", weight("embeddings.word_embeddings.weight"), "input_ids")
    types = graph.add("Gather", weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    hidden = norm(graph.add("Add", graph.add("Add", words, types), positions), "embeddings.LayerNorm")

    seen = graph.add("Unsqueeze", graph.add("Cast", "attention_mask", to=TensorProto.FLOAT), graph.numbers(1, 2))
    mask = graph.add("Mul", graph.add("Sub", graph.constant("one", np.float32(1)), seen),
                     graph.constant("masked", np.float32(MASKED)))
    scale = graph.constant("scale", np.float32(1 / math.sqrt(head_width)))
    layers = config["num_hidden_layers"]
    for i in range(layers):
        at = f"encoder.layer.{i}."
        query = split_heads(linear(hidden, at + "attention.self.query"), [0, 2, 1, 3])
        key = split_heads(linear(hidden, at + "attention.self.key"), [0, 2, 3, 1])
        value = split_heads(linear(hidden, at + "attention.self.value"), [0, 2, 1, 3])
        scores = graph.add("Add", graph.add("Mul", graph.add("MatMul", query, key), scale), mask)
        mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
        joined = graph.add("Reshape", graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), graph.numbers(0, 0, width))
        hidden = norm(graph.add("Add", linear(joined, at + "attention.output.dense"), hidden),
                      at + "attention.output.LayerNorm")
        inner = gelu(linear(hidden, at + "intermediate.dense"))
        last = {"output": "last_hidden_state"} if i == layers - 1 else {}
        hidden = norm(graph.add("Add", linear(inner, at + "output.dense"), hidden), at + "output.LayerNorm", **last)
    return graph


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu" or \
            config.get("position_embedding_type", "absolute") != "absolute":
        sys.exit(f"{folder}/config.json: only BERT encoders with gelu and absolute positions are converted")
    graph = encoder(config, read_safetensors(os.path.join(folder, "model.safetensors")))
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
           for name in ("input_ids", "attention_mask", "token_type_ids")]
    out = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT,
                                        ["batch", "sequence", config["hidden_size"]])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "encoder", ids, [out], list(graph.constants.values())),
        opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="bert-to-onnx")
    onnx.checker.check_model(model)
    path = os.path.join(folder, "model.onnx")
    onnx.save(model, path + ".part")
    os.replace(path + ".part", path)
    print(f"{path}: {config['num_hidden_layers']} layers, {config['hidden_size']} wide, {os.path.getsize(path)} bytes")


main()
