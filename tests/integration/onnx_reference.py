"""onnx_reference.py - embed/onnx gives the vectors of all-MiniLM-L6-v2, and says what is wrong with a model that is broken.

The reference is a forward pass of BERT in numpy, written for this test alone, over the published weights, with Hugging
Face's tokenizer before it and mean pooling behind it; and the first numbers that the model's authors publish for their
example sentence. A vector may differ from the reference's by a cosine of 1e-3 at most; of int8, by 0.05.
"""
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile

import python_tools
from backplane_test import SHARED, check, check_equal, run_tests

python_tools.inside("onnx", "numpy==2.2.6", "onnx==1.19.1", "tokenizers==0.22.1")
import numpy as np  # pylint: disable=wrong-import-position
import onnx  # pylint: disable=wrong-import-position
from onnx import numpy_helper  # pylint: disable=wrong-import-position
from tokenizers import Tokenizer  # pylint: disable=wrong-import-position

PROGRAM, PLUGIN = sys.argv[1:3]
RUNTIME = python_tools.onnx_runtime()
MODEL = python_tools.sentence_model("all-MiniLM-L6-v2")
INT8 = python_tools.sentence_model("all-MiniLM-L6-v2-int8")
PUBLISHED = [6.76569268e-02, 6.34959787e-02, 4.87131029e-02]  # "This is an example sentence", on the model's page
TEXTS = ["This is an example sentence", "Each sentence is converted", "How is a cache warmed?", "a", "",
         "Der Bär, naïvely; 中文 text", "word " * 2000, "Retry-After is given in seconds. " * 12] + \
    [f"passage {i} is about {'vectors ' * (i % 40)}and {'words ' * (i % 7)}" for i in range(60)]


def embed(texts, *options, purpose="passage", batch=128, model=MODEL):
    """Vectors and the model's id; an AssertionError with what the plugin said when it fails."""
    given = b"".join(b"%d\n%s" % (len(text), text) for text in (t.encode() for t in texts))
    command = [PROGRAM, PLUGIN, purpose, str(batch), f"runtime={RUNTIME}", *([f"model={model}"] if model else []), *options]
    done = subprocess.run(command, input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    said = done.stderr.decode()
    check(done.returncode == 0, f"{done.returncode}: {said[-1500:]}")
    name, dimensions = said.split()[:2]
    return np.frombuffer(done.stdout, np.float32).reshape(len(texts), int(dimensions)), name


def refused(*options, model=MODEL):
    try:
        embed(["x"], *options, model=model)
    except AssertionError as problem:
        check(str(problem).startswith("1: "), f"it did not fail as it should: {problem}")
        return str(problem)
    raise AssertionError(f"{options} {model} was taken")


# ---- the reference ----

def read_weights():
    """Out of model.onnx: the constants have the names that the published file has."""
    graph = onnx.load(os.path.join(MODEL, "model.onnx")).graph
    return {one.name.replace(".weight.T", ".weight"): numpy_helper.to_array(one).T if one.name.endswith(".T")
            else numpy_helper.to_array(one) for one in graph.initializer}


def normed(x, weights, name):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12) * weights[name + ".weight"] + weights[name + ".bias"]


def forward(weights, ids):
    """The mean of the last layer's states, of length one. One text, no padding, float64."""
    def linear(x, name):
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    erf = np.vectorize(math.erf)
    at = "embeddings."
    x = weights[at + "word_embeddings.weight"][ids] + weights[at + "position_embeddings.weight"][:len(ids)]
    x = normed(x + weights[at + "token_type_embeddings.weight"][0], weights, at + "LayerNorm")
    for layer in range(6):
        at = f"encoder.layer.{layer}."
        q, k, v = (linear(x, f"{at}attention.self.{part}").reshape(len(ids), 12, 32).transpose(1, 0, 2)
                   for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(32)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(ids), 384)
        x = normed(linear(mixed, at + "attention.output.dense") + x, weights, at + "attention.output.LayerNorm")
        inner = linear(x, at + "intermediate.dense")
        inner = inner * (1 + erf(inner / math.sqrt(2))) / 2
        x = normed(linear(inner, at + "output.dense") + x, weights, at + "output.LayerNorm")
    return x


def reference(texts):
    tokenizer = Tokenizer.from_file(os.path.join(MODEL, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    weights = {name: value.astype(np.float64) for name, value in read_weights().items()
               if np.issubdtype(value.dtype, np.floating)}
    return [forward(weights, tokenizer.encode(text).ids) for text in texts]


def unit(vector):
    return vector / np.linalg.norm(vector)


# ---- the tests ----

def vectors_are_those_of_the_reference():
    found, _ = embed(TEXTS)
    wanted = reference(TEXTS)
    worst = max(1 - float(one @ unit(states.mean(0))) for one, states in zip(found, wanted))
    print(f"{len(TEXTS)} texts, the worst differs by a cosine of {worst:.2e}")
    check(worst < 1e-5, f"cosine differs by {worst}")
    check(np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5), "vectors are not of length one")
    check(np.allclose(found[0][:3], PUBLISHED, atol=1e-4), f"{found[0][:3]} are not the published {PUBLISHED}")
    by_first, other_id = embed(TEXTS[:6], "pooling=cls")
    worst = max(1 - float(one @ unit(states[0])) for one, states in zip(by_first, wanted))
    check(worst < 1e-5, f"pooling by the first token: cosine differs by {worst}")
    check(other_id != embed(TEXTS[:1])[1], "another pooling is another model")
    raw, _ = embed(TEXTS[:6], "normalise=false")
    check(np.allclose(raw[0], wanted[0].mean(0), atol=1e-4), "not normalised, they are the mean")


def a_batch_gives_what_each_text_gives_alone():
    together, name = embed(TEXTS)
    for threads, batch in ((1, 1), (2, 7), (4, 68)):
        alone, same = embed(TEXTS, f"threads={threads}", batch=batch)
        check(np.abs(alone - together).max() < 1e-5, f"batches of {batch} differ by {np.abs(alone - together).max()}")
        check_equal(same, name, "the model's id")


def int8_is_near():
    found, name = embed(TEXTS, model=INT8)
    full, other = embed(TEXTS)
    worst = float((1 - (found * full).sum(1)).max())
    print(f"int8: the worst differs by a cosine of {worst:.3f}")
    check(worst < 0.05 and name != other, f"int8 differs by {worst}; {name}, {other}")


def prefixes_go_before_the_texts():
    options = ("query_prefix=query: ", "passage_prefix=passage: ")
    plain, name = embed(["query: one", "passage: one"])
    asked, other = embed(["one"], *options, purpose="query")
    kept, _ = embed(["one"], *options)
    check(np.allclose(asked[0], plain[0], atol=1e-6) and np.allclose(kept[0], plain[1], atol=1e-6), "prefixes")
    check(name != other, "a prefix makes it another model")


def any_text_has_a_vector():
    texts = ["", " ", "\u200b", "\ufffd", "[PAD]", "x" * 3_000_000, "\u0301" * 1000, "a b " * 1_000_000]
    path = os.path.join(SHARED, "corpora", "strings", "blns.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            texts += json.load(file)
    found, _ = embed(texts)
    check(np.isfinite(found).all() and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4), "vectors")


def vocab_txt_does_without_tokenizer_json():
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(MODEL, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("tokenizer.json"))
        found, _ = embed(TEXTS[:7], model=folder)
        check(np.allclose(found, embed(TEXTS[:7])[0], atol=1e-6), "vectors")
        check(len(embed(TEXTS[:1], "max_tokens=16", model=folder)[0]) == 1, "a shorter limit")


def a_model_that_is_broken_is_refused_with_a_sentence():
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(MODEL, folder, dirs_exist_ok=True)
        network = os.path.join(folder, "model.onnx")
        whole = open(network, "rb").read()
        for bad in (b"not a model", whole[:len(whole) // 2], b"\x08\x08" + bytes(1000)):
            with open(network, "wb") as file:
                file.write(bad)
            said = refused(model=folder)
            check("model.onnx cannot be loaded by ONNX Runtime 1." in said, said)
        graph = onnx.load(os.path.join(MODEL, "model.onnx"))
        for one in (*graph.graph.input, *graph.graph.node):
            if hasattr(one, "name") and one.name == "input_ids":
                one.name = "pixels"
            if hasattr(one, "input"):
                one.input[:] = ["pixels" if name == "input_ids" else name for name in one.input]
        onnx.save(graph, network)
        said = refused(model=folder)
        check('wants an input "pixels"' in said, said)


def inputs_that_a_model_lacks_are_not_given():
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(MODEL, folder, dirs_exist_ok=True)
        graph = onnx.load(os.path.join(MODEL, "model.onnx"))
        types = next(one for one in graph.graph.input if one.name == "token_type_ids")
        graph.graph.input.remove(types)
        zero = onnx.helper.make_node("Sub", ["input_ids", "input_ids"], ["token_type_ids"])
        graph.graph.node.insert(0, zero)
        onnx.save(graph, os.path.join(folder, "model.onnx"))
        found, name = embed(TEXTS[:6], model=folder)
        check(np.allclose(found, embed(TEXTS[:6])[0], atol=1e-5), "vectors")
        check(name != embed(TEXTS[:1])[1], "another file is another model")


run_tests([vectors_are_those_of_the_reference, a_batch_gives_what_each_text_gives_alone, int8_is_near,
           prefixes_go_before_the_texts, any_text_has_a_vector, vocab_txt_does_without_tokenizer_json,
           a_model_that_is_broken_is_refused_with_a_sentence, inputs_that_a_model_lacks_are_not_given])
