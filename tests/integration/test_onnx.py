"""test_onnx.py - a server with a sentence model finds by meaning, many at once, and ends what nobody waits for."""
import json
import os
import socket
import threading

import python_tools
from mcp_test import FAULT_PLUGINS
from backplane_test import Server, check, check_equal, conf, run_tests, wait_until

RUNTIME = python_tools.onnx_runtime()
MODEL = python_tools.sentence_model("all-MiniLM-L6-v2")
PASSAGES = [
    {"id": "cat", "text": "A kitten sleeps on the warm windowsill all afternoon."},
    {"id": "bank", "text": "The central bank raised interest rates to fight inflation."},
    {"id": "bread", "text": "Knead the dough, let it rise and bake the loaf for forty minutes."},
    {"id": "rocket", "text": "The launch vehicle reached orbit nine minutes after liftoff."},
]
MEANT = {"pets that nap in the sun": "cat", "monetary policy and rising prices": "bank", "baking at home": "bread",
         "spacecraft travel": "rocket"}


def with_model(folder, **more):
    return conf(folder, embed={"main": {"use": "onnx", "model": MODEL, "runtime": RUNTIME, "deadline": "2m", **more}})


server = Server(made=with_model)


def passages_are_found_by_what_they_mean():
    server.make_collection("docs")
    check_equal(server.put(*PASSAGES).json["stored"], 4, "stored")
    for question, wanted in MEANT.items():
        check_equal(server.search(question, mode="vector")[0]["document"], wanted, question)


def many_ask_at_once_and_each_gets_its_own_answer():
    wrong = []

    def some(turn):
        for i in range(12):
            question, wanted = list(MEANT.items())[(turn + i) % 4]
            found = server.search(question, mode="vector", limit=1)
            if [hit["document"] for hit in found] != [wanted]:
                wrong.append((question, found))
    threads = [threading.Thread(target=some, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_equal(wrong, [], "answers")


def calls_that_wait_together_are_run_together_and_each_gets_what_it_would_alone():
    """One thread and many clients: their texts share runs, of lengths that differ, and no number of a vector does."""
    texts = [" ".join(PASSAGES[i % 4]["text"].split()[:1 + i % 9]) + f" {i}" * (i % 5) for i in range(22)]
    texts += ["word " * 300, ""]

    def crowd(folder):
        return with_model(folder, threads=1) | {"plugins": [FAULT_PLUGINS], "app": {"embeds": {"embed": "main"}}}
    with Server(made=crowd) as one_thread:
        answer = one_thread.post("/embeds", {"clients": 16, "rounds": 6, "texts": texts}, seconds=200).json
        check_equal(answer["texts"], 96, f"texts: {answer}")
        check(answer["difference"] < 1e-5, f"vectors differ from those of the texts alone: {answer}")
        joined = one_thread.metric("onnx_joined_texts_total")
        check(joined > 30, f"only {joined} of 96 texts shared a run")
        answer = one_thread.post("/embeds", {"clients": 16, "rounds": 8, "texts": texts, "cancels": True}, seconds=200).json
        check(answer["difference"] < 1e-5 and answer["cancelled"] > 0, f"with clients that give up: {answer}")
        answer = one_thread.post("/embeds", {"clients": 1, "rounds": 5, "texts": texts[:5]}, seconds=200).json
        check_equal(answer["texts"], 5, "afterwards")


def its_memory_and_its_work_are_shown():
    check_equal(server.metric("onnx_model_file_bytes"), float(os.path.getsize(os.path.join(MODEL, "model.onnx"))), "file")
    check(server.metric("onnx_model_resident_bytes") > 20e6, "resident")
    check(server.metric("onnx_tokens_total") > 500, "tokens")


def what_nobody_waits_for_ends_between_two_batches():
    text = "\n\n".join(f"Paragraph {i} tells of winds, ships and harbours. " * 12 for i in range(1500))
    body = json.dumps({"documents": [{"id": "long", "text": text}]}).encode()
    before = server.metric("onnx_tokens_total")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"POST /api/v1/collections/docs/documents HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                           b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: server.metric("onnx_tokens_total") > before, 60, "the embedding does not begin")
    wait_until(is_quiet, 60, "it goes on")
    check(len(server.search("pets that nap in the sun", mode="vector", limit=1)) == 1, "the next question")


def is_quiet():
    before = server.cpu_seconds()
    threading.Event().wait(1)
    return server.cpu_seconds() - before < 0.3


def a_missing_model_stops_the_start_with_a_sentence():
    broken = Server(made=lambda folder: with_model(folder, model="/nowhere"))
    try:
        broken.start()
    except AssertionError as problem:
        check("there is neither tokenizer.json nor vocab.txt in /nowhere" in str(problem), str(problem))
    else:
        raise AssertionError("it started without a model")
    finally:
        broken.close()


with server:
    run_tests([passages_are_found_by_what_they_mean, many_ask_at_once_and_each_gets_its_own_answer,
               calls_that_wait_together_are_run_together_and_each_gets_what_it_would_alone,
               its_memory_and_its_work_are_shown, what_nobody_waits_for_ends_between_two_batches,
               a_missing_model_stops_the_start_with_a_sentence])
