"""test_pglite.py - vector/pgvector on PGlite, which is PostgreSQL and pgvector compiled to WebAssembly: it ranks as the embedded
store does, and its graph is built and used. tests/conform runs the contract on it."""
import json
import os
import random
import subprocess
import sys
import tempfile

import backends
from backplane_test import SOURCE, Server, check, check_equal, conf, run_tests, skip, wait_until
from pglite_server import PgliteServer

if not backends.is_embedded():
    skip("it has back ends of its own")
GRAPH_AFTER, POINTS = 200, 260
WORDS = "pressure wing flow speed boundary layer shock wave heat transfer body plate nose cone jet lift drag mach".split()




def it_ranks_as_the_embedded_store_does():
    with PgliteServer() as pglite:
        row = {"BP_BACKENDS": "sqlite,pgvector,memory", "BP_POSTGRES_SETTINGS": json.dumps({**pglite.settings, "graph_after": 0})}
        done = subprocess.run([sys.executable, "-B", os.path.join(SOURCE, "tests", "integration", "test_backends_ranking.py")],
                              env={**os.environ, **row}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
    print("    " + done.stdout.strip().replace("\n", "\n    "))
    check_equal(done.returncode, 0, "the ranking test on PGlite")


def nearest(server, documents):
    return [server.search(document["text"], collection="graph", mode="vector", limit=5) for document in documents[:30]]


def a_graph_is_built_and_used():
    """While it is built it has a connection of its own in the same session, so nothing is asked until the log says it is done."""
    chance = random.Random(11)
    documents = [{"id": f"g{n}", "text": " ".join(chance.choices(WORDS, k=12))} for n in range(POINTS)]
    with PgliteServer() as pglite, tempfile.TemporaryDirectory() as folder:
        def server(graph_after):
            vector = {"use": "pgvector", **pglite.settings, "graph_after": graph_after}
            return Server(folder=folder, made=conf(folder, server={"workers": 1}, vector={"docs": vector}))

        with server(0) as first:
            first.make_collection("graph")
            answer = first.put(*documents, collection="graph", seconds=120)
            check_equal((answer.status, answer.json["stored"]), (200, POINTS), f"{answer.body[:300]!r}")
            exact = nearest(first, documents)
        with server(GRAPH_AFTER) as second:
            nearest(second, documents[:1])  # it knows the database from now on, and looks after it every five seconds
            wait_until(lambda: "the graph of its vectors is built" in second.log_text(), 120, "the graph is not built")
            found = nearest(second, documents)
    same = sum(len({hit["document"] for hit in one} & {hit["document"] for hit in other}) for one, other in zip(exact, found))
    check(same >= 0.9 * sum(map(len, exact)), f"the graph finds {same} of {sum(map(len, exact))}")


run_tests([it_ranks_as_the_embedded_store_does, a_graph_is_built_and_used])
