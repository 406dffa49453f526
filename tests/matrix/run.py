"""run.py ROW - the tests of the apps on one row of back ends: ROW is "storage,vector,cache".

Starts the servers that the row needs, once, and runs each test below as its own process with BP_BACKENDS set; see
tests/lib/backends.py. The row passes when every test does.
"""
import contextlib
import os
import subprocess
import sys
import time

from backplane_test import SOURCE, check

TESTS = ("test_retrieval_api", "test_retrieval_mcp", "test_sources", "test_tenants_and_keys", "test_journal", "test_knowledge",
         "test_questioning", "test_backends_ranking")


@contextlib.contextmanager
def servers(row):
    """Starts what the row names; the environment for its tests."""
    storage, vector, cache = row
    with contextlib.ExitStack() as stack:
        environment = {"BP_BACKENDS": ",".join(row)}
        if vector == "pgvector":
            from pgvector_server import PgvectorServer
            environment["BP_POSTGRES_URL"] = stack.enter_context(PgvectorServer(settings=["max_connections=300"])).url
        elif storage == "postgres":
            from postgres_server import PostgresServer
            environment["BP_POSTGRES_URL"] = stack.enter_context(PostgresServer(settings=["max_connections=300"])).url
        if "redis" in (vector, cache):
            from redis_server import RedisServer
            environment["BP_REDIS_URL"] = stack.enter_context(RedisServer(stack=vector == "redis")).url
        if vector == "qdrant":
            environment["BP_QDRANT_KEY"] = os.environ.get("QDRANT_API_KEY", "") if os.environ.get("QDRANT_URL") else "key-of-the-stub"
            environment["BP_QDRANT_URL"] = os.environ.get("QDRANT_URL") or stack.enter_context(stub(environment["BP_QDRANT_KEY"]))
        yield environment


@contextlib.contextmanager
def stub(key):
    process = subprocess.Popen([sys.executable, "-B", os.path.join(SOURCE, "tests", "lib", "qdrant_stub.py"), "--api-key", key],
                               stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline().split()[1])}"
    finally:
        process.terminate()
        process.wait()


def main(row):
    failed = []
    with servers(row) as environment:
        for name in TESTS:
            started = time.monotonic()
            done = subprocess.run([sys.executable, "-B", os.path.join(SOURCE, "tests", "integration", name + ".py")],
                                  env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            said = done.stdout.decode("utf-8", "replace")
            outcome = {0: "ok", 77: "skipped"}.get(done.returncode, "FAILED")
            print(f"{outcome:8} {name} ({time.monotonic() - started:.1f} s)")
            for line in said.split("\n"):
                if outcome == "FAILED" or line.startswith(("left out", "figures")):
                    print("    " + line)
            if outcome == "FAILED":
                failed.append(name)
    check(not failed, f"on {','.join(row)} these fail: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1].split(","))
