#!/usr/bin/env python3
"""qdrant_stub.py - a stand-in for a Qdrant server, written from its OpenAPI description: as much of it as a client needs.

    qdrant_stub.py [--port N] [--file STATE.json] [--api-key KEY]      prints "listening PORT"

Collections with named dense and sparse vectors (with the idf modifier), points, filters, exact search, scroll, count,
facets, payload indexes, snapshots. With --file everything survives a restart. Search is exact; nothing is approximate.
What the real server does that this one does not: graphs, quantisation, shards, replicas (their settings are kept and
shown). PUT /_stub/faults {"status": 503, "retry_after": 1, "times": 2, "path": "/points"} makes the next answers fail;
other faults are "truncate", "reset" and "slow" (seconds). GET /_stub/requests says how many there were, by path.
"""
import argparse
import gzip
import json
import math
import operator
import os
import re
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class Refused(Exception):
    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


def single(number):
    """As a float32 holds it."""
    return struct.unpack("<f", struct.pack("<f", number))[0]


# ---- payload: paths and conditions ----

def path_of(key):
    """a.b[].c and a."b.c" as a list; [] stands for each member."""
    parts = re.findall(r'"([^"]*)"|(\[\])|([^.\[\]"]+)', key)
    return [("[]",) if each else (quoted or plain) for quoted, each, plain in parts]


def values_at(payload, key):
    """What a condition on the key looks at: the value there, or each member when it is an array. None: nothing there."""
    found = [payload]
    for part in path_of(key):
        after = []
        for value in found:
            if part == ("[]",):
                after += value if isinstance(value, list) else []
            elif isinstance(value, dict) and part in value:
                after.append(value[part])
        found = after
    flat = []
    for value in found:
        flat += value if isinstance(value, list) else [value]
    return flat if found else None


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(value, wanted):
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(wanted, str):
        return isinstance(value, str) and value == wanted
    return isinstance(value, int) and value == wanted  # a float matches no integer, as there


def words_of(text):
    return re.findall(r"\w+", text.lower())


def matches_value(value, match):
    if "value" in match:
        return same(value, match["value"])
    if "any" in match:
        return any(same(value, one) for one in match["any"])
    if "except" in match:
        return not any(same(value, one) for one in match["except"])
    if "text" in match:  # without a text index: every word of it is there
        return isinstance(value, str) and set(words_of(match["text"])) <= set(words_of(value)) != set()
    raise Refused(400, "match: value, any, except or text is expected")


RANGES = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}


def matches_condition(point_id, payload, condition):
    if any(name in condition for name in ("must", "should", "must_not", "min_should")):
        return matches(point_id, payload, condition)
    if "has_id" in condition:
        return point_id in condition["has_id"]
    if "is_empty" in condition:
        return not values_at(payload, condition["is_empty"]["key"]) or \
            all(value is None for value in values_at(payload, condition["is_empty"]["key"]))
    if "is_null" in condition:
        found = values_at(payload, condition["is_null"]["key"])
        return found is not None and any(value is None for value in found)
    if "key" not in condition:
        raise Refused(400, f"unknown condition {sorted(condition)}")
    found = values_at(payload, condition["key"]) or []
    if "match" in condition:
        return any(matches_value(value, condition["match"]) for value in found)
    if "range" in condition:
        bounds = [(RANGES[name], bound) for name, bound in condition["range"].items() if bound is not None]
        return any(is_number(value) and all(compare(value, bound) for compare, bound in bounds) for value in found)
    raise Refused(400, f"unknown condition {sorted(condition)}")


def as_list(conditions):
    return conditions if isinstance(conditions, list) else [conditions] if conditions else []


def matches(point_id, payload, wanted):
    if not wanted:
        return True
    unknown = set(wanted) - {"must", "should", "must_not", "min_should"}
    if unknown:
        raise Refused(400, f"unknown field {sorted(unknown)} in a filter")
    for condition in as_list(wanted.get("must")):
        if not matches_condition(point_id, payload, condition):
            return False
    for condition in as_list(wanted.get("must_not")):
        if matches_condition(point_id, payload, condition):
            return False
    should = as_list(wanted.get("should"))
    return not should or any(matches_condition(point_id, payload, condition) for condition in should)


# ---- collections ----

def unit(vector):
    length = math.sqrt(sum(map(operator.mul, vector, vector)))
    return [single(number / length) for number in vector] if length > 0 else vector


class Collection:
    def __init__(self, settings):
        vectors = settings.get("vectors") or {}
        if "size" in vectors:
            vectors = {"": vectors}
        for one in vectors.values():
            if one.get("distance") not in ("Cosine", "Dot", "Euclid", "Manhattan"):
                raise Refused(400, f"unknown distance {one.get('distance')!r}")
            if not 1 <= one.get("size", 0) <= 65536:
                raise Refused(422, "vectors.size: from 1 to 65536")
        self.settings, self.vectors = settings, vectors
        self.sparse = settings.get("sparse_vectors") or {}
        self.points, self.indexes = {}, {}

    def state(self):
        return {"settings": self.settings, "indexes": self.indexes, "points": list(self.points.items())}

    @staticmethod
    def of_state(state):
        made = Collection(state["settings"])
        made.indexes = state["indexes"]
        made.points = {point_id: (vectors, payload) for point_id, (vectors, payload) in state["points"]}
        return made

    def check_vector(self, name, vector):
        if name in self.sparse:
            indices, values = vector.get("indices"), vector.get("values")
            if not isinstance(indices, list) or len(indices) != len(values or []):
                raise Refused(400, f"sparse vector {name}: as many values as indices are expected")
            if len(set(indices)) != len(indices):
                raise Refused(422, f"sparse vector {name}: must be unique indices")
            if any(not 0 <= index < 1 << 32 for index in indices):
                raise Refused(400, f"sparse vector {name}: indices are u32")
            return {"indices": indices, "values": [single(value) for value in values]}
        if name not in self.vectors:
            raise Refused(400, f"Wrong input: Not existing vector name error: {name}")
        if not isinstance(vector, list) or len(vector) != self.vectors[name]["size"]:
            raise Refused(400, f"Wrong input: Vector dimension error: expected dim: {self.vectors[name]['size']}, got "
                               f"{len(vector)}")
        vector = [single(number) for number in vector]
        return unit(vector) if self.vectors[name]["distance"] == "Cosine" else vector

    def upsert(self, points):
        made = {}
        for point in points:
            point_id = point.get("id")
            if not isinstance(point_id, str) and not (isinstance(point_id, int) and 0 <= point_id < 1 << 64):
                raise Refused(400, f"value {point_id!r} is not a valid point ID")
            vectors = point.get("vector") or {}
            if isinstance(vectors, list):
                vectors = {"": vectors}
            made[point_id] = ({name: self.check_vector(name, vector) for name, vector in vectors.items()},
                              point.get("payload") or {})
        self.points.update(made)

    def selected(self, wanted):
        return [point_id for point_id, (_, payload) in self.points.items() if matches(point_id, payload, wanted)]

    def score_dense(self, name, query):
        if name not in self.vectors:
            raise Refused(400, f"Wrong input: Not existing vector name error: {name}")
        distance = self.vectors[name]["distance"]
        query = self.check_vector(name, query)
        if distance == "Euclid":
            return lambda vector: math.dist(query, vector)
        if distance == "Manhattan":
            return lambda vector: sum(abs(a - b) for a, b in zip(query, vector))
        return lambda vector: sum(map(operator.mul, query, vector))

    def score_sparse(self, name, query):
        weights = dict(zip(query["indices"], query["values"]))
        if self.sparse[name].get("modifier") == "idf":
            having = [set(vectors[name]["indices"]) for vectors, _ in self.points.values() if name in vectors]
            for index in weights:
                count = sum(index in one for one in having)
                weights[index] *= math.log((len(having) - count + 0.5) / (count + 0.5) + 1)
        return lambda vector: sum(weights[index] * value for index, value in zip(vector["indices"], vector["values"])
                                  if index in weights)

    def query(self, wanted):
        query, name = wanted.get("query"), wanted.get("using") or ""
        if isinstance(query, dict) and "nearest" in query:
            query = query["nearest"]
        is_sparse = isinstance(query, dict)
        if is_sparse and name not in self.sparse:
            raise Refused(400, f"Wrong input: Not existing vector name error: {name}")
        score = self.score_sparse(name, query) if is_sparse else self.score_dense(name, query)
        found = []
        for point_id in self.selected(wanted.get("filter")):
            vectors, _ = self.points[point_id]
            if name not in vectors:
                continue
            if is_sparse and not set(query["indices"]) & set(vectors[name]["indices"]):
                continue
            found.append((point_id, score(vectors[name])))
        is_nearer_less = not is_sparse and self.vectors[name]["distance"] in ("Euclid", "Manhattan")
        found.sort(key=lambda one: one[1], reverse=not is_nearer_less)
        found = found[wanted.get("offset") or 0:][:wanted.get("limit") or 10]
        return [{**self.record(point_id, wanted, False), "version": 0, "score": value} for point_id, value in found]

    def record(self, point_id, wanted, payload_default):
        vectors, payload = self.points[point_id]
        made = {"id": point_id}
        with_payload = wanted.get("with_payload", payload_default)
        if isinstance(with_payload, dict):
            with_payload = with_payload.get("include") or True
        if isinstance(with_payload, list):
            made["payload"] = {key: payload[key] for key in with_payload if key in payload}
        elif with_payload:
            made["payload"] = payload
        with_vector = wanted.get("with_vector", wanted.get("with_vectors"))
        if with_vector:
            names = with_vector if isinstance(with_vector, list) else list(vectors)
            made["vector"] = {name: vectors[name] for name in names if name in vectors}
            if list(self.vectors) == [""] and not self.sparse:
                made["vector"] = vectors.get("")
        return made

    def scroll(self, wanted):
        ids = sorted(self.selected(wanted.get("filter")), key=lambda one: (isinstance(one, str), one))
        if wanted.get("offset") is not None:
            ids = [one for one in ids if (isinstance(one, str), one) >= (isinstance(wanted["offset"], str), wanted["offset"])]
        limit = wanted.get("limit") or 10
        return {"points": [self.record(one, wanted, True) for one in ids[:limit]],
                "next_page_offset": ids[limit] if len(ids) > limit else None}

    def facet(self, wanted):
        if wanted["key"] not in self.indexes:
            raise Refused(400, f"Bad request: Index required but not found for \"{wanted['key']}\" of one of the following "
                               "types: [keyword, integer]. Help: Create an index for this key or use a different filter.")
        counts = {}
        for point_id in self.selected(wanted.get("filter")):
            for value in set(values_at(self.points[point_id][1], wanted["key"]) or []):
                counts[value] = counts.get(value, 0) + 1
        found = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:wanted.get("limit") or 10]
        return {"hits": [{"value": value, "count": count} for value, count in found]}

    def delete(self, wanted):
        ids = wanted["points"] if "points" in wanted else self.selected(wanted.get("filter"))
        for point_id in ids:
            self.points.pop(point_id, None)

    def info(self):
        params = {"vectors": self.settings.get("vectors") or {}, "sparse_vectors": self.sparse,
                  "shard_number": self.settings.get("shard_number", 1),
                  "replication_factor": self.settings.get("replication_factor", 1),
                  "write_consistency_factor": self.settings.get("write_consistency_factor", 1),
                  "on_disk_payload": self.settings.get("on_disk_payload", True)}
        return {"status": "green", "optimizer_status": "ok", "segments_count": 1, "points_count": len(self.points),
                "indexed_vectors_count": 0,
                "config": {"params": params, "hnsw_config": self.settings.get("hnsw_config") or {}, "optimizer_config": {},
                           "quantization_config": self.settings.get("quantization_config")},
                "payload_schema": {field: {"data_type": kind, "points": len(self.points)}
                                   for field, kind in self.indexes.items()}}


# ---- the server ----

class Store:
    def __init__(self, path):
        self.path, self.lock = path, threading.RLock()
        self.collections, self.snapshots, self.faults, self.requests = {}, {}, [], {}
        if path and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.collections = {name: Collection.of_state(state) for name, state in json.load(file).items()}

    def save(self):
        if self.path:
            with open(self.path + ".part", "w", encoding="utf-8") as file:
                json.dump({name: one.state() for name, one in self.collections.items()}, file)
            os.replace(self.path + ".part", self.path)

    def named(self, name):
        if name not in self.collections:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return self.collections[name]

    def take_fault(self, path):
        for fault in self.faults:
            if fault.get("path", "") in path and fault["times"] > 0:
                fault["times"] -= 1
                return fault
        return {}


def done(number=0):
    return {"operation_id": number, "status": "completed"}


def on_collection(store, method, name, body):
    if method == "GET":
        return store.named(name).info()
    if method == "PUT":
        if name in store.collections:
            raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
        store.collections[name] = Collection(body or {})
    elif method == "DELETE":
        return store.collections.pop(name, None) is not None
    return True


def on_points(store, method, name, rest, body):
    collection = store.named(name)
    if not rest and method == "PUT":
        if "batch" in body:
            raise Refused(400, "batch is not known to the stub")
        collection.upsert(body["points"])
        return done()
    if not rest and method == "POST":
        return [collection.record(one, body, True) for one in body["ids"] if one in collection.points]
    if rest[0] == "delete":
        collection.delete(body)
        return done()
    if rest[0] == "count":
        return {"count": len(collection.selected(body.get("filter")))}
    if rest[0] == "scroll":
        return collection.scroll(body)
    if rest == ["query"]:
        return {"points": collection.query(body)}
    if rest == ["query", "batch"]:
        return [{"points": collection.query(one)} for one in body["searches"]]
    if method == "GET" and len(rest) == 1:
        point_id = int(rest[0]) if rest[0].isdigit() else rest[0]
        if point_id not in collection.points:
            raise Refused(404, f"Not found: Point with id {point_id} does not exists!")
        return collection.record(point_id, {"with_payload": True, "with_vector": True}, True)
    raise Refused(404, "")


def on_snapshots(store, method, name, rest):
    collection = store.named(name)
    if not rest and method == "POST":
        made = f"{name}-{time.time_ns()}.snapshot"
        store.snapshots[(name, made)] = gzip.compress(json.dumps(collection.state()).encode())
        return {"name": made, "creation_time": None, "size": len(store.snapshots[(name, made)])}
    if not rest:
        return [{"name": made, "size": len(bytes_)} for (of, made), bytes_ in store.snapshots.items() if of == name]
    if (name, rest[0]) not in store.snapshots:
        raise Refused(404, f"Not found: Snapshot {rest[0]} not found")
    if method == "DELETE":
        del store.snapshots[(name, rest[0])]
        return True
    return store.snapshots[(name, rest[0])]


def answer_of(store, method, parts, body):
    if parts == ["collections"]:
        return {"collections": [{"name": name} for name in store.collections]}
    if len(parts) == 2 and parts[0] == "collections":
        return on_collection(store, method, parts[1], body)
    if len(parts) == 3 and parts[2] == "exists":
        return {"exists": parts[1] in store.collections}
    if len(parts) > 2 and parts[0] == "collections":
        name, what, rest = parts[1], parts[2], parts[3:]
        if what == "points":
            return on_points(store, method, name, rest, body or {})
        if what == "facet":
            return store.named(name).facet(body)
        if what == "index" and method == "PUT":
            store.named(name).indexes[body["field_name"]] = body.get("field_schema")
            return done()
        if what == "index" and method == "DELETE":
            store.named(name).indexes.pop(rest[0], None)
            return done()
        if what == "snapshots":
            return on_snapshots(store, method, name, rest)
    raise Refused(404, "")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    store, api_key = None, ""

    def log_message(self, *_):
        pass

    def send(self, status, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_json(self, status, value, headers=()):
        self.send(status, json.dumps(value).encode(), [("Content-Type", "application/json"), *headers])

    def on_stub(self, method, parts, body):
        if parts == ["_stub", "faults"] and method == "PUT":
            self.store.faults = [{"times": 1, **fault} for fault in (body if isinstance(body, list) else [body])]
        self.send_json(200, self.store.requests if parts[-1] == "requests" else self.store.faults)

    def fails(self, fault):
        """Whether the fault was the whole answer."""
        time.sleep(fault.get("slow", 0))
        if fault.get("reset"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return True
        if fault.get("status"):
            headers = [("Retry-After", str(fault["retry_after"]))] if "retry_after" in fault else []
            self.send_json(fault["status"], {"status": {"error": fault.get("error", "the stub was told to fail")},
                                             "time": 0.0}, headers)
            return True
        return False

    def handle_one(self, method):
        begun, url = time.monotonic(), urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = [unquote(part) for part in url.path.split("/") if part]
        if parts and parts[0] == "_stub":
            self.on_stub(method, parts, json.loads(raw) if raw else None)
            return
        fault = self.store.take_fault(url.path)
        if fault and self.fails(fault):
            return
        if self.api_key and self.headers.get("api-key") != self.api_key:
            self.send(401, b"Must provide an API key or an Authorization bearer token", [("Content-Type", "text/plain")])
            return
        if not parts or parts in (["healthz"], ["readyz"], ["livez"]):
            self.send_json(200, {"title": "qdrant - vector search engine", "version": "1.15.0", "commit": None})
            return
        try:
            with self.store.lock:
                self.store.requests[method + " " + url.path] = self.store.requests.get(method + " " + url.path, 0) + 1
                result = answer_of(self.store, method, parts, json.loads(raw) if raw else None)
                if method in ("PUT", "DELETE") or parts[-1:] == ["delete"]:
                    self.store.save()
        except Refused as problem:
            self.send_json(problem.status, {"status": {"error": str(problem)}, "time": time.monotonic() - begun})
            return
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            self.send_json(400, {"status": {"error": f"Format error in JSON body: {problem!r}"}, "time": 0.0})
            return
        if isinstance(result, bytes):
            self.send(200, result, [("Content-Type", "application/octet-stream")])
            return
        body = json.dumps({"result": result, "status": "ok", "time": time.monotonic() - begun}).encode()
        if fault.get("truncate"):
            self.send(200, body[:len(body) // 2], [("Content-Type", "application/json")])
            return
        self.send(200, body, [("Content-Type", "application/json")])

    def do_GET(self):
        self.handle_one("GET")

    def do_PUT(self):
        self.handle_one("PUT")

    def do_POST(self):
        self.handle_one("POST")

    def do_DELETE(self):
        self.handle_one("DELETE")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that is killed cuts its connections; anything else is worth reading."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def make(port=0, path=None, api_key=""):
    handler = type("StubHandler", (Handler,), {"store": Store(path), "api_key": api_key})
    return Server(("127.0.0.1", port), handler)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--file")
    parser.add_argument("--api-key", default="")
    given = parser.parse_args()
    server = make(given.port, given.file, given.api_key)
    print("listening", server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
