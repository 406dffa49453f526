"""retrieval.py - how well search finds: nDCG@10 and recall@100 of judged collections, by leg, fusion and weight of words.

Loads each collection into a server of its own and asks every question in every way. Started by retrieval.sh.
"""
import json
import math
import os
import sys
import time

from backplane_test import Server, conf

FOLDER, NAMES = sys.argv[1], sys.argv[2:]
WAYS = [("words", {"mode": "words"}), ("vector", {"mode": "vector"})] + \
    [(f"minmax {weight}", {"words_weight": weight}) for weight in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)] + \
    [(f"rrf {weight}", {"fusion": "rrf", "words_weight": weight}) for weight in (0.3, 0.5, 0.7)]
if os.environ.get("RETRIEVAL_WAYS") == "default":  # for rows.sh
    WAYS = [("words", {"mode": "words"}), ("vector", {"mode": "vector"}), ("hybrid", {})]


def embedder():
    model = os.environ.get("EMBED_MODEL")
    return {"use": "onnx", "model": model, "runtime": os.environ["ONNXRUNTIME"], "deadline": "10m"} if model else {"use": "hash"}


def judged(name):
    grades = {}
    with open(os.path.join(FOLDER, name, "qrels.tsv"), encoding="utf-8") as file:
        for line in file:
            fields = line.split()
            if len(fields) >= 3 and fields[-1].isdigit() and int(fields[-1]) > 0:
                grades.setdefault(fields[0], {})[fields[1]] = int(fields[-1])
    with open(os.path.join(FOLDER, name, "queries.jsonl"), encoding="utf-8") as file:
        texts = {one["id"]: one["text"] for one in map(json.loads, file)}
    return [(texts[query], grade) for query, grade in grades.items()]


def gain(grades):
    return sum(grade / math.log2(place + 2) for place, grade in enumerate(grades[:10]))


def load(server, name):
    begun = time.monotonic()
    server.make_collection(name)
    with open(os.path.join(FOLDER, name, "docs.jsonl"), "rb") as file:
        lines = file.read().splitlines(True)
    for at in range(0, len(lines), 100):
        answer = server.post(f"/api/v1/collections/{name}/documents", b"".join(lines[at:at + 100]), seconds=590,
                             headers={"Content-Type": "application/x-ndjson"})
        assert answer.status == 200 and answer.json["refused"] == 0, answer.body[:500]
    print(f"{name}: {len(lines)} documents in {time.monotonic() - begun:.0f} s", flush=True)


def measure(server, name, questions, how):
    gained = recalled = 0.0
    for text, grades in questions:
        hits = server.search(text, name, limit=100, group_by="document", with_text=False, **how)
        found = [hit["document"] for hit in hits]
        gained += gain([grades.get(one, 0) for one in found]) / gain(sorted(grades.values(), reverse=True))
        recalled += sum(one in grades for one in found) / len(grades)
    return gained / len(questions), recalled / len(questions)


def main():
    with Server(made=lambda folder: conf(folder, embed={"main": embedder()}, server={"request_deadline": "10m"})) as server:
        for name in NAMES:
            load(server, name)
            questions = judged(name)
            for way, how in WAYS:
                ndcg, recall = measure(server, name, questions, how)
                print(f"{name:10} {way:12} nDCG@10 {ndcg:.4f}  recall@100 {recall:.4f}", flush=True)


main()
