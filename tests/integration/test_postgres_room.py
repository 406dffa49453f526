"""test_postgres_room.py - a PostgreSQL that gives fewer connections than the pools would like: all writes wait for those there are,
on all workers, the breaker stays closed; and a pooler before the server is noticed."""
import concurrent.futures
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time

from backplane_test import Server, check, check_equal, run_tests, skip, wait_until
from pgvector_server import PgvectorServer
from postgres_server import PASSWORD, PostgresServer, free_port
from relay import Relay

FAULT_PLUGINS = os.environ.get("BACKPLANE_FAULT_PLUGINS", "build/release/tests/faults/plugins")
WRITES = 2000


def made(url, **storage):
    def make(folder):
        options = {"use": "postgres", "url": url, "max_concurrent": 64, "queue": 4000, **storage}
        return {"data_dir": os.path.join(folder, "data"), "plugins": [FAULT_PLUGINS],
                "server": {"listen": ["127.0.0.1:0"], "workers": 2, "access_log": "off"},
                "storage": {"main": options},
                "app": {"sql": {"storage": "main", "max_concurrent": 400}}}
    return make


def run(server, text, path="exec", seconds=60):
    return server.post(f"/sql/{path}", text.encode(), seconds=seconds)


def writes_wait_for_the_connections_that_there_are():
    settings = ["max_connections=4", "superuser_reserved_connections=0", "max_wal_senders=0", "autovacuum=off"]
    with PostgresServer(settings=settings) as postgres, Server(made=made(postgres.url, pool_max=8)) as server:
        check_equal(run(server, "CREATE TABLE t(a BIGINT PRIMARY KEY)").status, 200, "creating a table")

        def write(number):
            return run(server, f"INSERT INTO t VALUES({number})").status

        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(100) as threads:
            statuses = list(threads.map(write, range(WRITES)))
        took = time.monotonic() - started
        refused = {status: statuses.count(status) for status in set(statuses) if status != 200}
        check_equal(refused, {}, f"writes not accepted of {WRITES} in {took:.1f} s")
        check_equal(run(server, "SELECT count(*) FROM t").json["value"], WRITES, "rows")
        check_equal(server.metric("backplane_plugin_breaker_open"), 0, "breakers open")
        print(f"{WRITES} writes over at most 4 connections in {took:.1f} s")


def storage_and_vectors_share_what_one_server_gives():
    """Two plugins on two workers, each with a pool of its own, and six connections in all; one of a pool is given up for another."""
    settings = ["max_connections=6", "superuser_reserved_connections=0", "max_wal_senders=0", "autovacuum=off"]
    with PgvectorServer(settings=settings) as postgres:
        options = {"url": postgres.url, "pool_max": 8, "max_concurrent": 64, "queue": 1000}
        with Server(storage={"main": {**options, "use": "postgres"}}, vector={"docs": {**options, "use": "pgvector"}}) as server:
            server.make_collection()

            def put(number):
                answer = server.put({"id": f"d{number}", "text": f"alpha word{number}"})
                found = server.post("/api/v1/search", {"collection": "docs", "query": f"word{number}"}, seconds=60)
                return [f"{a.status} {a.body[:300]!r}" for a in (answer, found) if a.status not in (200, 201, 202)]
            with concurrent.futures.ThreadPoolExecutor(24) as threads:
                failed = [said for said in threads.map(put, range(300)) if said]
            check_equal(failed[:2], [], f"{len(failed)} of 300 failed")
            check_equal(server.metric("backplane_plugin_breaker_open"), 0, "breakers open")
            wait_until(lambda: server.get("/api/v1/collections").json["collections"][0]["ready"] == 300, 30, "not all are ready")


@contextlib.contextmanager
def pooler(postgres):
    """PgBouncer in transaction mode, as Debian has it: three connections to the server for everybody."""
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not os.path.exists(program):
        skip("PgBouncer is not installed (scripts/install-deps.sh test)")
    with tempfile.TemporaryDirectory(prefix="backplane-bouncer-") as folder:
        port, conf = free_port(), os.path.join(folder, "pgbouncer.ini")
        with open(os.path.join(folder, "users"), "w") as file:
            file.write(f'"backplane" "{PASSWORD}"\n')
        with open(conf, "w") as file:
            file.write(f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                       f"listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {folder}/users\n"
                       f"pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 100\n")
        who = postgres.demote()
        if who:
            for path in (folder, conf, os.path.join(folder, "users")):
                os.chown(path, who["user"], who["group"])
        with open(os.path.join(folder, "log"), "wb") as log:
            process = subprocess.Popen([program, conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **who)
        try:
            def is_up():
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    return True
            wait_until(is_up, 20, "PgBouncer does not listen")
            yield port
        finally:
            process.terminate()
            process.wait()


def use_everything(server, table, count):
    """Statements of every kind, from many at once, so that each meets the server connections of others."""
    def one(number):
        answers = [run(server, f"INSERT INTO {table} VALUES({number}, 'a{number % 7}')"),
                   run(server, f"UPDATE {table} SET b = 'u' WHERE a = {number}"),
                   run(server, f"INSERT INTO {table} VALUES({number + 100000}, 'x')\nSELECT {number % 5}", "batch"),
                   run(server, f"INSERT INTO {table} VALUES({number + 200000}, 'y')", "transaction"),
                   run(server, f"SELECT count(*) FROM {table} WHERE a = {number}")]
        return [f"{a.status} {a.body[:200]!r}" for a in answers if a.status != 200]
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        failed = [said for said in threads.map(one, range(count)) if said]
    check_equal(failed[:3], [], f"{len(failed)} of {count} failed")
    check_equal(run(server, f"SELECT count(*) FROM {table}").json["value"], 3 * count, "rows")


def a_pooler_that_shares_connections_between_transactions_is_noticed():
    with PostgresServer() as postgres, pooler(postgres) as port:
        url = postgres.url.replace(f":{postgres.port}/", f":{port}/")
        with Server(made=made(url, breaker_failures=0)) as server:
            check_equal(run(server, "CREATE TABLE t(a BIGINT PRIMARY KEY, b TEXT)").status, 200, "creating a table")
            use_everything(server, "t", 100)
            check("is behind a pooler: statement_cache is off" in server.log_text(), "it is not said")


def a_pooler_that_comes_between_later_is_noticed_too():
    with PostgresServer() as postgres, pooler(postgres) as port, Relay(postgres.port) as relay:
        url = postgres.url.replace(f":{postgres.port}/", f":{relay.port}/")
        with Server(made=made(url, breaker_failures=0)) as server:
            check_equal(run(server, "CREATE TABLE t(a BIGINT PRIMARY KEY, b TEXT)").status, 200, "creating a table")
            check("a pooler" not in server.log_text(), "one is seen that is not there")
            relay.to_port = port
            relay.drop()
            relay.go_on()
            wait_until(lambda: run(server, "SELECT 1").status == 200, 20, "reads do not come back")
            use_everything(server, "t", 100)


if __name__ == "__main__":
    run_tests([writes_wait_for_the_connections_that_there_are, storage_and_vectors_share_what_one_server_gives,
               a_pooler_that_shares_connections_between_transactions_is_noticed,
               a_pooler_that_comes_between_later_is_noticed_too])
