"""test_qdrant_stub.py - the stub of Qdrant is judged by the official JavaScript client and by the real engine.

@qdrant/js-client-rest makes every call that vector/qdrant makes. qdrant-edge-py is Qdrant's own engine in this process:
points, scores, order, filters, the contains-match that prefixes are made of, counts and facets are compared with it.
"""
import random
import tempfile
import threading

import node_tools
import python_tools
import qdrant_stub
from backplane_test import SOURCE, check, check_equal, run_tests

python_tools.inside("qdrant-edge", "qdrant-edge-py==0.9.0")
import qdrant_edge as edge  # pylint: disable=wrong-import-position

KEY = "k3y"
CHANCE = random.Random(5)
FILTERS = [
    {"must": [{"key": 'm."lang"', "match": {"any": ["en", "zz"]}}]},
    {"must": [{"key": 'm."a.b"', "match": {"any": ["x"]}}]},
    {"must": [{"key": 'm."tags"', "match": {"any": ["b"]}}]},
    {"must": [{"key": 'm."year"', "range": {"gte": 3, "lte": 3}}]},
    {"must": [{"key": 'm."year"', "range": {"gt": 3, "lt": 9}}]},
    {"must": [{"key": 'm."mixed"', "range": {"gte": -1.7976931348623157e308}}]},
    {"must": [{"key": 'm."year"', "match": {"value": 3}}]},
    {"must": [{"key": "k", "match": {"value": "lang"}}]},
    {"must": [{"key": 'p."lang"', "match": {"value": 7}}]},
    {"must": [{"has_id": [1, 5, 7, 999]}]},
    {"must": [{"has_id": []}]},
    {"must_not": [{"has_id": [0]}], "must": [{"must": []}]},
    {"should": [{"key": 'm."lang"', "match": {"value": "de"}}, {"key": 'm."year"', "range": {"lt": 4}}]},
    {"must_not": [{"key": 'm."lang"', "match": {"value": "de"}}]},
    {"must": [{"must_not": [{"key": 'm."nothing"', "match": {"value": "x"}}]}]},
    {"must": [{"key": 'w', "match": {"text": "train tea"}}]},
    {"must": [{"key": 'w', "match": {"text": "tra"}}]},
    {"must": [{"is_empty": {"key": 'm."tags"'}}]},
]


def points():
    made = [{"id": 0, "vector": {}, "payload": {"backplane": {"format": 1}}}]
    for i in range(1, 120):
        vector = {}
        if i % 5:
            vector["dense"] = [CHANCE.uniform(-1, 1) for _ in range(16)]
        if i % 4:
            indices = sorted(CHANCE.sample(range(1 << 32), 3) + CHANCE.sample(range(12), 4))
            vector["words"] = {"indices": indices, "values": [CHANCE.uniform(0.1, 2) for _ in indices]}
        payload = {"m": {"lang": ("en", "de", "eng")[i % 3], "year": i % 10 if i % 2 else float(i % 10)},
                   "k": ["lang", "year"], "n": i % 9, "t": [i % 3, i % 7], "p": {"lang": [i % 11, 7 if i % 2 else 8]},
                   "w": ("a train at night", "Tea, and a TRAIN", "trains")[i % 3]}
        if i % 6 == 0:
            payload["m"].update({"a.b": "x", "tags": ["a", "b"][:i % 4], "mixed": ["en", 3]})
        made.append({"id": i, "vector": vector, "payload": payload})
    return made


def engine_of(distance, modifier, folder):
    params = edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf) if modifier else edge.EdgeSparseVectorParams()
    shard = edge.EdgeShard.create(folder, edge.EdgeConfig(
        vectors={"dense": edge.EdgeVectorParams(size=16, distance=getattr(edge.Distance, distance))},
        sparse_vectors={"words": params}))
    shard.update(edge.UpdateOperation.upsert_points([edge.Point(
        one["id"], {name: vector if name == "dense" else edge.SparseVector(vector["indices"], vector["values"])
                    for name, vector in one["vector"].items()}, one["payload"]) for one in points_made]))
    shard.update(edge.UpdateOperation.create_field_index("n", edge.PayloadSchemaType.Integer))
    return shard


def stub_of(distance, modifier):
    made = qdrant_stub.Collection({"vectors": {"dense": {"size": 16, "distance": distance}},
                                   "sparse_vectors": {"words": {"modifier": "idf"} if modifier else {}}})
    made.upsert(points_made)
    made.indexes["n"] = "integer"
    return made


def condition(wanted):
    if "has_id" in wanted:
        return edge.HasIdCondition(set(wanted["has_id"]))
    if "is_empty" in wanted:
        return edge.IsEmptyCondition(wanted["is_empty"]["key"])
    if "key" not in wanted:
        return filter_of(wanted)
    if "range" in wanted:
        return edge.FieldCondition(wanted["key"], range=edge.RangeFloat(**wanted["range"]))
    kind, value = next(iter(wanted["match"].items()))
    return edge.FieldCondition(wanted["key"], match={"any": edge.MatchAny, "value": edge.MatchValue,
                                                     "text": edge.MatchText}[kind](value))


def filter_of(wanted):
    return edge.Filter(**{name: [condition(one) for one in conditions] for name, conditions in wanted.items()})


def check_hits(ours, theirs, what):
    check_equal([one["id"] for one in ours], [one.id for one in theirs], f"order, {what}")
    for one, other in zip(ours, theirs):
        check(abs(one["score"] - other.score) < 1e-5 * max(1, abs(other.score)), f"{what}: {one}, {other}")


def the_official_client_is_content():
    folder = node_tools.packages("qdrant-client", "@qdrant/js-client-rest@1.15.1")
    server = qdrant_stub.make(api_key=KEY)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(SOURCE + "/tests/integration/qdrant_stub_js.mjs", encoding="utf-8") as source, \
            open(folder + "/stub.mjs", "w", encoding="utf-8") as target:
        target.write(source.read())
    done = node_tools.node(folder, "stub.mjs", f"http://127.0.0.1:{server.server_port}", KEY)
    server.shutdown()
    server.server_close()
    check(done.returncode == 0, done.stderr[-2000:])


def scores_and_order_are_those_of_the_real_engine():
    for distance in ("Cosine", "Dot", "Euclid"):
        for modifier in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                engine, ours = engine_of(distance, modifier, folder), stub_of(distance, modifier)
                for turn in range(5):
                    query = [CHANCE.uniform(-1, 1) for _ in range(16)]
                    theirs = engine.query(edge.QueryRequest(20, query=edge.Query.Nearest(query, using="dense")))
                    check_hits(ours.query({"query": query, "using": "dense", "limit": 20}), theirs, f"{distance} {turn}")
                    sparse = {"indices": CHANCE.sample(range(12), 3), "values": [0.3, 1.7, 2.2]}
                    theirs = engine.query(edge.QueryRequest(20, query=edge.Query.Nearest(
                        edge.SparseVector(sparse["indices"], sparse["values"]), using="words")))
                    check_hits(ours.query({"query": sparse, "using": "words", "limit": 20}), theirs, f"sparse {modifier}")
                engine.close()


def filters_counts_facets_and_pages_are_those_of_the_real_engine():
    with tempfile.TemporaryDirectory() as folder:
        engine, ours = engine_of("Cosine", False, folder), stub_of("Cosine", False)
        for wanted in FILTERS:
            theirs, _ = engine.scroll(edge.ScrollRequest(limit=1000, filter=filter_of(wanted)))
            check_equal(sorted(ours.selected(wanted)), [one.id for one in theirs], f"{wanted}")
            check_equal(engine.count(edge.CountRequest(filter=filter_of(wanted))), len(theirs), f"count of {wanted}")
        theirs = engine.facet(edge.FacetRequest("n", limit=100, exact=True))
        check_equal({one["value"]: one["count"] for one in ours.facet({"key": "n", "limit": 100})["hits"]},
                    {one.value: one.count for one in theirs.hits}, "facet")
        page, after = engine.scroll(edge.ScrollRequest(offset=7, limit=10))
        mine = ours.scroll({"offset": 7, "limit": 10})
        check_equal(([one["id"] for one in mine["points"]], mine["next_page_offset"]), ([one.id for one in page], after),
                    "a page")
        engine.close()


points_made = points()
run_tests([the_official_client_is_content, scores_and_order_are_those_of_the_real_engine,
           filters_counts_facets_and_pages_are_those_of_the_real_engine])
