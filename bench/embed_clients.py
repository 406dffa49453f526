"""embed_clients.py - questions that many clients at once get from embed/onnx, beside onnxruntime called the same way.

Rates are per CPU second, which holds on a machine that others use as well; a second of the clock in brackets.

Each client embeds one question of about 10 tokens after the other. Backplane: fibers of one server, through the plugin's
gate. Peer: Python threads that share one InferenceSession, one thread a run, as a web framework would have them. Started
by embed.sh; BENCH_BEFORE names the folder of another build's plugins to be measured beside this one's.
"""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "lib"))
PROGRAM, PLUGINS, APPS, RUNTIME, MODEL = sys.argv[1:6]
os.environ["BACKPLANE"], os.environ["BACKPLANE_PLUGINS"] = PROGRAM, PLUGINS

import backplane_test  # noqa: E402
from embed import Peer  # noqa: E402

CLIENTS, SECONDS, ROUNDS = (1, 4, 16), float(os.environ.get("SECONDS_EACH", "4")), 3
WORDS = "how does the retrieval server store passages of a document for queries when memory is short".split()
CHANCE = random.Random(5)
QUESTIONS = [" ".join(CHANCE.choices(WORDS, k=CHANCE.randrange(6, 11))) for _ in range(64)]


def backplane(plugins, clients):
    def made(folder):
        return backplane_test.conf(folder, embed={"main": {"use": "onnx", "model": MODEL, "runtime": RUNTIME, "deadline": "2m"}},
                                   server={"workers": 1}) | {"plugins": [APPS], "app": {"embeds": {"embed": "main"}}}
    os.environ["BACKPLANE_PLUGINS"] = backplane_test.PLUGINS = plugins
    with backplane_test.Server(made=made) as server:
        best = (0.0, 0.0)
        assert server.post("/embeds", {"clients": clients, "rounds": 4, "texts": QUESTIONS}).json["difference"] < 1e-5
        for _ in range(ROUNDS):
            before = server.cpu_seconds()
            answer = server.post("/embeds", {"clients": clients, "rounds": max(1, 800 // clients), "texts": QUESTIONS, "times": True}).json
            best = max(best, (answer["texts"] / (server.cpu_seconds() - before), answer["texts"] / answer["seconds"]))
        return best


def python(peer, clients):
    best = (0.0, 0.0)
    for _ in range(ROUNDS):
        cpu = time.process_time()
        done, end = [0] * clients, time.perf_counter() + SECONDS

        def ask(place, done=done, end=end):
            while time.perf_counter() < end:
                peer.embed([QUESTIONS[(place * 7 + done[place]) % len(QUESTIONS)]])
                done[place] += 1
        begun = time.perf_counter()
        threads = [threading.Thread(target=ask, args=(place,)) for place in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        best = max(best, (sum(done) / (time.process_time() - cpu), sum(done) / (time.perf_counter() - begun)))
    return best


def main():
    peer, before, worst = Peer(MODEL), os.environ.get("BENCH_BEFORE"), 9.0
    for clients in CLIENTS:
        ours, theirs = backplane(PLUGINS, clients), python(peer, clients)
        worst = min(worst, ours[0] / theirs[0])
        old = "before {:6.1f} ({:5.1f})  ".format(*backplane(before, clients)) if before else ""
        print(f"questions, {clients:2} clients at once   {old}backplane {ours[0]:6.1f} ({ours[1]:5.1f})  python {theirs[0]:6.1f} ({theirs[1]:5.1f})  "
              f"ratio {ours[0] / theirs[0]:.2f}", flush=True)
    sys.exit(0 if worst >= 0.8 else 1)


main()
