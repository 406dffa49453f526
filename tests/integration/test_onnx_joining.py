"""test_onnx_joining.py - calls that share a run of embed/onnx: an error of one text is its call's alone, those that give up leave
the others alone. With a stand-in for the runtime that fails for chosen texts (onnx_fake.c); integration.onnx has the real one.
"""
import json
import os

from backplane_test import PLUGINS, Server, check, check_equal, conf, run_tests
from mcp_test import FAULT_PLUGINS

FAKE = os.path.join(os.path.dirname(PLUGINS), "tests", "integration", "onnx_fake", "libonnxruntime.so")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "inf", "refused", "bad", "a", "b", "c"]
GOOD = ["good", "good a", "good a b", "good a b c", "a", "b c good", "c c c c c c c c"]


def with_fake(folder, **more):
    model = os.path.join(folder, "model")
    os.makedirs(model)
    with open(os.path.join(model, "model.onnx"), "wb") as file:
        file.write(b"what is in here, the stand-in does not ask")
    with open(os.path.join(model, "tokenizer.json"), "w") as file:
        json.dump({"model": {"type": "WordPiece", "vocab": {piece: i for i, piece in enumerate(VOCABULARY)}},
                   "normalizer": {"type": "BertNormalizer"},
                   "added_tokens": [{"id": i, "content": VOCABULARY[i]} for i in range(4)]}, file)
    return conf(folder, server={"workers": 1}, embed={"main": {
        "use": "onnx", "model": model, "runtime": FAKE, "normalise": False, "threads": 1, "breaker_failures": 0, "retries": 0,
        **more}}) | {"plugins": [FAULT_PLUGINS], "app": {"embeds": {"embed": "main"}}}


server = Server(made=with_fake)


def ask(texts, clients=16, rounds=12, **more):
    answer = server.post("/embeds", {"clients": clients, "rounds": rounds, "texts": texts, **more}, seconds=120)
    check_equal(answer.status, 200, f"{answer.body!r}")
    return answer.json


def calls_that_meet_share_a_run():
    before = server.metric("onnx_joined_texts_total")
    answer = ask(GOOD)
    check_equal((answer["texts"], answer["failed"], answer["difference"]), (192, 0, 0), "what came out")
    check(server.metric("onnx_joined_texts_total") - before > 50, "nothing was joined")


def an_infinite_vector_fails_for_its_own_call_alone():
    answer = ask(GOOD + ["bad inf"], rounds=16)
    check_equal(answer["failed"], 256 // 8, f"failed, of 256 with every eighth bad: {answer}")
    check_equal(answer["difference"], 0, "the others' vectors")


def a_run_that_fails_as_a_whole_fails_for_its_own_call_alone():
    answer = ask(GOOD + ["bad refused"], rounds=16)
    check_equal(answer["failed"], 256 // 8, f"failed, of 256 with every eighth bad: {answer}")
    check_equal(answer["difference"], 0, "the others' vectors")


def who_gives_up_leaves_the_others_alone():
    for _ in range(5):
        answer = ask(GOOD, rounds=40, cancels=True)
        check(answer["cancelled"] > 0 and answer["difference"] == 0, f"{answer}")
    check_equal(ask(GOOD, clients=1, rounds=7)["texts"], 7, "afterwards")


with server:
    run_tests([calls_that_meet_share_a_run, an_infinite_vector_fails_for_its_own_call_alone,
               a_run_that_fails_as_a_whole_fails_for_its_own_call_alone, who_gives_up_leaves_the_others_alone])
