"""test_scifact.py - whole collections go in over HTTP and are searched as well as they should be: SciFact, Cranfield."""
import json

from backplane_test import Server, check, check_equal, run, run_tests, shared

scifact, cranfield = shared("ir", "scifact"), shared("ir", "cranfield")
server = Server()


def load(folder, collection):
    server.make_collection(collection)
    with open(folder + "/docs.jsonl", "rb") as file:
        body = file.read()
    answer = server.post(f"/api/v1/collections/{collection}/documents", body, seconds=170,
                         headers={"Content-Type": "application/x-ndjson"})
    check_equal((answer.status, answer.json["refused"]), (200, 0), f"{answer.body[:500]}")
    check_equal(answer.json["stored"], body.count(b"\n"), "documents stored")


def measure(folder, collection, mode):
    done = run("eval", "--collection", collection, "--queries", folder + "/queries.jsonl", "--qrels",
               folder + "/qrels.tsv", "--json", "--mode", mode, "--url", f"http://127.0.0.1:{server.port}", seconds=170)
    check_equal(done.returncode, 0, done.stderr)
    found = json.loads(done.stdout)
    print(mode, done.stdout.strip())
    return found["ndcg_at_10"], found["recall_at_100"]


def scifact_is_found_by_words_and_vectors_together():
    load(scifact, "scifact")
    ndcg, recall = measure(scifact, "scifact", "hybrid")
    words, _ = measure(scifact, "scifact", "words")
    check(ndcg >= 0.68 and recall >= 0.92, f"hybrid: nDCG@10 {ndcg} of 0.68, recall@100 {recall} of 0.92")
    check(ndcg >= words - 0.005, f"hybrid {ndcg} is worse than words alone {words}")


def cranfield_is_found_as_well():
    load(cranfield, "cranfield")
    ndcg, recall = measure(cranfield, "cranfield", "hybrid")
    check(ndcg >= 0.35, f"nDCG@10 {ndcg} of 0.35")


with server:
    run_tests([scifact_is_found_by_words_and_vectors_together, cranfield_is_found_as_well])
