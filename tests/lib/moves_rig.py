"""moves_rig.py - a deployment in files for tests of `migrate`, and confs of targets; edit.py changes a database, vector.py a vector: FILE POINT FACTOR ELEMENT PART.

The source is filled once, and given ids and times that are always the same, so that its checksums are too.
"""
import json
import os
import sqlite3

from transcript import Stage, play

EDIT = """
import contextlib, sqlite3, sys
with contextlib.closing(sqlite3.connect(sys.argv[1])) as database, database:
    for statement in sys.argv[2:]:
        database.execute(statement)
"""

VECTOR = """
import contextlib, sqlite3, struct, sys
path, point, factor, element, more = sys.argv[1], *map(float, sys.argv[2:])
with contextlib.closing(sqlite3.connect(path)) as database, database:
    blob = database.execute("SELECT vector FROM vectors_1 WHERE id = ?", (point,)).fetchone()[0]
    values = [value * factor for value in struct.unpack(f"<{len(blob) // 4}f", blob)]
    values[int(element)] += more * max(map(abs, values))
    database.execute("UPDATE vectors_1 SET vector = ? WHERE id = ?", (struct.pack(f"<{len(values)}f", *values), point))
"""


def conf(name, **sections):
    return {"data_dir": name, "server": {"listen": ["127.0.0.1:0"], "auth": {"mode": "keys", "storage": "main"}},
            "storage": {"main": {"use": "sqlite", "path": "x.db"}}, "embed": {"main": {"use": "hash"}},
            "vector": {"docs": {"use": "local", "path": "d"}},
            "app": {"retrieval": {"storage": "main", "vector": "docs", "embed": "main"}, "knowledge": {"storage": "main"}}, **sections}


def write_conf(file, made):
    with open(os.path.join(stage.folder, file), "w") as out:
        json.dump(made, out)


def write_confs():
    for name in ("a", "b", "c", "e", "f", "g", "h", "old", "odd", "big"):
        write_conf(name + ".yaml", conf(name))
    write_conf("plain.yaml", conf("plain", vector={}, app={"knowledge": {"storage": "main"}}, server={}))
    write_conf("named.yaml", conf("named", storage={"second": {"use": "sqlite", "path": "y.db"}}, server={}, vector={}, embed={},
                                  app={"knowledge": {"storage": "second"}}))
    write_conf("cached.yaml", conf("a", cache={"main": {"use": "memory"}}))
    write_conf("cached-h.yaml", conf("h", cache={"main": {"use": "memory"}}))
    write_conf("redis.yaml", conf("a", cache={"main": {"use": "redis", "url": "redis://127.0.0.1:1"}}))
    with open(os.path.join(stage.folder, "edit.py"), "w") as out:
        out.write(EDIT)
    with open(os.path.join(stage.folder, "vector.py"), "w") as out:
        out.write(VECTOR)


def fill():
    """Two documents, a key, and rows of knowledge of every type and size."""
    with open(stage.folder + "/docs.jsonl", "w") as out:
        out.write('{"id":"1","title":"Moss","text":"Moss likes water.","metadata":{"year":1990,"share":1.5,"all":["x","y"],"yes":true}}\n'
                  '{"id":"2","title":"Ferns","text":"Ferns like shade.","metadata":{}}\n{"id":"3","title":"Herbs","text":"Herbs, and nothing else."}\n')
    said = stage.said("backplane ingest --collection docs -c a.yaml docs.jsonl 2>/dev/null")
    assert said == ["  3 stored, 0 unchanged, 0 refused, 0 skipped"], said
    database = sqlite3.connect(stage.folder + "/a/x.db")
    with database:
        database.execute("UPDATE retrieval_collections SET vector_name = 'c1', created_wall_ns = 7")
        database.execute("UPDATE retrieval_documents SET updated_wall_ns = 8")
        database.execute("UPDATE backplane_deployment SET id = 'deployment', made_wall_ns = 9")
        database.execute("INSERT INTO backplane_keys VALUES ('id', 'hash', 'name', 'default', '*', 1, 2, 0)")
        database.executemany("INSERT INTO knowledge_entities VALUES (?, 'default', ?, 'kind', 0)", [(n, f"entity {n}") for n in range(1, 1201)])
        items = [b"bytes", b"", b"\0\xff", b"x" * 300000, "text", "é", 17, 1.5, -2, 2.0]
        database.executemany("INSERT INTO knowledge_items VALUES (?, ?, 'default', 'ann', 'facts', ?, 0, 5, 0)",
                             [(number, f"item {number}", data) for number, data in enumerate(items, 1)])
        database.executemany("INSERT INTO retrieval_files VALUES (1, ?, 'notes', ?, 3)", [(f"path {n:03}", n) for n in range(500)])
        database.execute("INSERT INTO knowledge_versions VALUES ('default', 4)")
    database.close()
    vectors = sqlite3.connect(stage.folder + "/a/d/vectors.db")
    with vectors:
        vectors.execute("UPDATE collections SET name = 'c1', owner = 'deployment'")
    vectors.close()


stage = Stage((r"\d+/s\b", "N/s"), (r"copying_seconds\":[0-9.e+-]+", 'copying_seconds":N'))


def play_moves(test_file, then=None):
    """Plays the transcript beside the test; `then` is given the stage, as the transcript left it."""
    try:
        write_confs()
        fill()
        play(stage, os.path.splitext(os.path.abspath(test_file))[0] + ".said")
        if then:
            then(stage)
        print("ok")
    finally:
        stage.close()
