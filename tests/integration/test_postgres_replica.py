"""test_postgres_replica.py - reads on a streaming replica, who may see what there, and TLS with its certificates."""
import os

from backplane_test import Server, check, check_equal, check_logged, run_tests, wait_until
from postgres_server import PostgresServer

FAULT_PLUGINS = os.environ.get("BACKPLANE_FAULT_PLUGINS", "build/release/tests/faults/plugins")
UNTIL = 60


def made(folder, **storage):
    return {"data_dir": os.path.join(folder, "data"), "plugins": [FAULT_PLUGINS],
            "server": {"listen": ["127.0.0.1:0"], "workers": 2},
            "storage": {"main": {"use": "postgres", "breaker_failures": 0, **storage}},
            "app": {"sql": {"storage": "main"}}}


def run(server, text):
    return server.post("/sql/exec", text.encode(), seconds=90)


def reads_go_to_the_replica_and_who_wrote_reads_his_own():
    with PostgresServer() as primary, PostgresServer(primary=primary) as replica:
        with Server(made=lambda folder: made(folder, url=primary.url, replica=replica.url, replica_lag="3s")) as server:
            where = "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END"

            def asked():
                answer = run(server, where)
                check_equal(answer.status, 200, f"{answer.body!r}")
                return answer.json["value"]
            check_equal(run(server, "CREATE TABLE t(a BIGINT)").status, 200, "creating a table")
            wait_until(lambda: asked() == "replica", UNTIL, "no read goes to the replica")
            for i in range(50):  # whatever the lag is, a writer sees what he wrote
                check_equal(run(server, f"INSERT INTO t VALUES({i})").status, 200, "a write")
                check_equal(run(server, "SELECT count(*) FROM t").json["value"], i + 1, "what the writer reads")
            wait_until(lambda: asked() == "replica", UNTIL, "reads do not return to the replica")
            check_equal(run(server, "SELECT count(*) FROM t").json["value"], 50, "rows on the replica")
            check(server.metric("backplane_postgres_reads_total", pool="replica") > 0, "the metric of reads")

            primary.sql("CREATE FUNCTION keep(a BIGINT) RETURNS BIGINT LANGUAGE sql AS 'INSERT INTO t VALUES(a) RETURNING a'")
            wait_until(lambda: replica.sql("SELECT count(*) FROM pg_proc WHERE proname = 'keep'")[0][0] == "1", UNTIL, "replicated")
            wait_until(lambda: asked() == "replica", UNTIL, "reads do not return to the replica")
            answer = run(server, "SELECT keep(1000)")  # a replica refuses it, the primary does it
            check_equal((answer.status, answer.json.get("value")), (200, 1000), f"a SELECT that writes: {answer.body!r}")
            check_equal(primary.sql("SELECT count(*) FROM t WHERE a = 1000")[0][0], "1", "written once")

            replica.sql("SELECT pg_wal_replay_pause()")  # it falls behind
            wait_until(lambda: asked() == "primary", UNTIL, "reads stay on a replica that is behind")
            wait_until(lambda: server.metric("backplane_postgres_replica_lag_seconds") > 2, UNTIL, "the metric of the lag")
            replica.sql("SELECT pg_wal_replay_resume()")
            wait_until(lambda: asked() == "replica", UNTIL, "reads do not return to the replica")

            replica.crash()
            for _ in range(20):
                check_equal(run(server, "SELECT count(*) FROM t").json["value"], 51, "reads without the replica")
            replica.start()
            wait_until(lambda: asked() == "replica", UNTIL, "reads do not return to the replica")


def tls_is_checked_as_far_as_the_conf_says():
    with PostgresServer(tls=True) as postgres, PostgresServer(tls=True) as stranger:
        ssl = "SELECT CAST(ssl AS integer) FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        localhost = postgres.url.replace("127.0.0.1", "localhost")
        for options, expected in (({"url": postgres.url, "tls": "disable"}, 0), ({"url": postgres.url}, 1),
                                  ({"url": postgres.url + "?sslmode=require"}, 1),
                                  ({"url": localhost, "tls": "verify-full", "tls_ca": postgres.ca}, 1)):
            with Server(made=lambda folder, o=options: made(folder, **o)) as server:
                answer = run(server, ssl)
                check_equal(answer.status, 200, f"{options}: {answer.body!r}")
                check_equal(answer.json["value"], expected, f"{options}: whether TLS is used")
        with Server(made=lambda folder: made(folder, url=postgres.url, tls="verify-full", tls_ca=stranger.ca)) as server:
            answer = run(server, ssl)
            check_equal(answer.status, 503, f"a certificate of somebody else: {answer.body!r}")
            check_logged(server, "tls_ca", "certificate")
    with PostgresServer() as plain:
        with Server(made=lambda folder: made(folder, url=plain.url, tls="require")) as server:
            answer = run(server, ssl)
            check_equal(answer.status, 503, "a server without TLS")
            check_logged(server, "tls: disable")


run_tests([reads_go_to_the_replica_and_who_wrote_reads_his_own, tls_is_checked_as_far_as_the_conf_says])
