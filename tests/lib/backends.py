"""backends.py - lets the tests of the apps run on other back ends than the embedded ones, without knowing it.

BP_BACKENDS=storage,vector,cache names a row of the matrix ("postgres,qdrant,redis"); without it the row is that of the
embedded defaults. Server puts each conf through apply(): an instance that is sqlite, local or memory becomes one of the
row, with a database or prefix of its own for each folder, so that servers of one folder share it and no others do. The
servers themselves run in tests/matrix/run.py, which says where they are in BP_POSTGRES_URL, BP_REDIS_URL, BP_QDRANT_URL.

BP_POSTGRES_SETTINGS, an object of options, is for a server that is one session with one database, as PGlite is: the
instance gets these, and the server one worker, so that there is one connection.
"""
import contextlib
import hashlib
import json
import os
import re
import sqlite3
import subprocess

EMBEDDED = ("sqlite", "local", "memory")
STORAGE, VECTOR, CACHE = os.environ.get("BP_BACKENDS", ",".join(EMBEDDED)).split(",")
POSTGRES, REDIS, QDRANT = (os.environ.get(name, "") for name in ("BP_POSTGRES_URL", "BP_REDIS_URL", "BP_QDRANT_URL"))
SINGLE_SESSION = json.loads(os.environ.get("BP_POSTGRES_SETTINGS", "null"))
MINE = {"path", "size", "synchronous", "readers", "busy_timeout", "cache", "use"}  # options of the embedded back ends

# What the runbooks' SQL expects of SQLite, for the same statements on PostgreSQL.
SQLITE_FUNCTIONS = """
CREATE OR REPLACE FUNCTION datetime(VARIADIC words text[]) RETURNS text LANGUAGE plpgsql AS $f$
DECLARE at timestamp := CASE WHEN words[1] = 'now' THEN timezone('utc', clock_timestamp()) ELSE words[1]::timestamp END;
BEGIN
  FOR i IN 2 .. coalesce(array_length(words, 1), 1) LOOP at := at + words[i]::interval; END LOOP;
  RETURN to_char(at, 'YYYY-MM-DD HH24:MI:SS');
END $f$;
CREATE OR REPLACE FUNCTION julianday(t text) RETURNS double precision LANGUAGE sql AS $f$
  SELECT extract(epoch FROM CASE WHEN t = 'now' THEN timezone('utc', clock_timestamp()) ELSE t::timestamp END)::double precision
         / 86400.0 + 2440587.5 $f$;
"""


def is_embedded():
    return (STORAGE, VECTOR, CACHE) == EMBEDDED


def _name_of(*parts):
    return "t_" + hashlib.md5("/".join(parts).encode()).hexdigest()[:16]


def _psql(url, text):
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", text],
                          capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"psql: {done.stderr}")
    return done.stdout


def _database(name):
    """The URL of a database of that name, which is made when it is not there."""
    url = re.sub(r"/[^/?]*($|\?)", f"/{name}\\1", POSTGRES)
    if not _psql(POSTGRES, f"SELECT 1 FROM pg_database WHERE datname = '{name}'").strip():
        _psql(POSTGRES, f"CREATE DATABASE {name}")
        _psql(url, SQLITE_FUNCTIONS)
    return url


def _instead(kind, use, folder, instance):
    name = _name_of(folder, instance.get("path", ""))
    rest = {key: value for key, value in instance.items() if key not in MINE}
    if use == "pgvector" and SINGLE_SESSION:
        return {**rest, "use": use, **SINGLE_SESSION}
    if use in ("postgres", "pgvector"):
        return {**rest, "use": use, "url": _database(_name_of(folder))}
    if use == "redis":
        # An index that compares every vector: rankings are compared, and a graph may miss one. The contract has the graph.
        exact = {"index": "flat"} if kind == "vector" else {}
        return {**rest, **exact, "use": use, "url": REDIS, "prefix": f"{kind}:{name}:"}
    return {**rest, "use": use, "url": QDRANT, "api_key": os.environ.get("BP_QDRANT_KEY", ""), "prefix": name + "-"}


def apply(conf, folder):
    """The conf with the back ends of this row; the same folder means the same data."""
    for kind, mine, use in zip(("storage", "vector", "cache"), EMBEDDED, (STORAGE, VECTOR, CACHE)):
        for name, instance in conf.get(kind, {}).items():
            if mine != use and instance.get("use") == mine:
                conf[kind][name] = _instead(kind, use, folder, instance)
                if SINGLE_SESSION:
                    conf["server"]["workers"] = 1
    return conf


def only_with(*names):
    """For a test of what only these back ends have: elsewhere run_tests() leaves it out, and says so."""
    def mark(test):
        test.only_with = names
        return test
    return mark


def is_left_out(test):
    return not set(getattr(test, "only_with", (STORAGE,))) & {STORAGE, VECTOR, CACHE}


def sql(server, statement, instance="main"):
    """What the statement gives in the server's storage, as the operator would run it: rows of integers and texts."""
    if STORAGE == "sqlite":
        path = os.path.join(server.data, server.conf["storage"][instance]["path"])
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as database, database:
            return database.execute(statement).fetchall()
    lines = [line for line in _psql(server.conf["storage"][instance]["url"], statement).split("\n") if line]
    return [tuple(int(cell) if re.fullmatch(r"-?\d+", cell) else cell for cell in line.split("\x1f")) for line in lines]
