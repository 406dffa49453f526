"""qdrant.py - CPU of one request to Qdrant: vector/qdrant beside the official Python client, on the same stub.

What counts is the CPU time of the client's process: the server is a stub, whose own time says nothing. vector/qdrant is
measured as people use it, a search of the app over HTTP with the embedding of the question in it; searches with the
embedded store are subtracted, so that what is left is what the plugin costs. Started by qdrant.sh.
"""
import os
import random
import subprocess
import sys
import time

from backplane_test import SOURCE, Server, conf
from qdrant_client import QdrantClient, models

SEARCHES, DOCUMENTS, DIMENSIONS = 400, 120, 384
WORDS = "retrieval passage vector engine server cache storage latency request answer index model query document".split()


def documents():
    chance = random.Random(2)
    return [{"id": f"d{i}", "text": " ".join(chance.choices(WORDS, k=40))} for i in range(DOCUMENTS)]


def of_backplane(vector):
    with Server(made=lambda folder: conf(folder, server={"workers": 1}, vector={"docs": vector})) as server:
        server.make_collection("docs")
        server.put(*documents())
        connection = server.connect(60)
        best = 1e9
        for _ in range(3):
            before = server.cpu_seconds()
            for i in range(SEARCHES):
                answer = server.post("/api/v1/search", {"query": WORDS[i % len(WORDS)], "mode": "vector", "limit": 10,
                                                        "with_text": False}, connection=connection)
                assert answer.status == 200, answer.body
            best = min(best, (server.cpu_seconds() - before) / SEARCHES)
        return best


def of_client(url):
    client = QdrantClient(url=url, check_compatibility=False)
    chance = random.Random(4)
    client.create_collection("peer", vectors_config={"dense": models.VectorParams(size=DIMENSIONS,
                                                                                  distance=models.Distance.COSINE)})
    client.upsert("peer", [models.PointStruct(id=i + 1, vector={"dense": [chance.random() for _ in range(DIMENSIONS)]})
                           for i in range(DOCUMENTS)], wait=True)
    query, best = [chance.random() for _ in range(DIMENSIONS)], 1e9
    for _ in range(3):
        before = time.process_time()
        for _ in range(SEARCHES):
            client.query_points("peer", query=query, using="dense", limit=100)
        best = min(best, (time.process_time() - before) / SEARCHES)
    return best


def main():
    stub = subprocess.Popen([sys.executable, "-B", os.path.join(SOURCE, "tests", "lib", "qdrant_stub.py")],
                            stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{stub.stdout.readline().split()[1]}"
        embedded = of_backplane({"use": "local", "path": "docs"})
        whole = of_backplane({"use": "qdrant", "url": url})
        peer = of_client(url)
    finally:
        stub.terminate()
        stub.wait()
    ours = max(whole - embedded, 1e-6)
    print(f"a search over HTTP: embedded store {embedded * 1e6:.0f} us, Qdrant {whole * 1e6:.0f} us of CPU")
    print(f"a request to Qdrant: vector/qdrant {ours * 1e6:.0f} us, qdrant-client {peer * 1e6:.0f} us, ratio {peer / ours:.1f}")
    sys.exit(0 if peer / ours >= 0.8 else 1)


main()
