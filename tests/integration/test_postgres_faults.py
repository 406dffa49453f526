"""test_postgres_faults.py - the PostgreSQL storage while its server is killed, restarted, stopped and starved.

An app of the tests runs SQL over HTTP, so that every operation of a storage can be in the middle of something.
"""
import concurrent.futures
import http.client
import os
import signal
import threading
import time

from backplane_test import Server, check, check_equal, check_logged, run_tests, wait_until
from postgres_server import PostgresServer

FAULT_PLUGINS = os.environ.get("BACKPLANE_FAULT_PLUGINS", "build/release/tests/faults/plugins")
UNTIL = 40

postgres = PostgresServer(durable=True)
postgres.__enter__()


def made(folder, url=None, **storage):
    return {"data_dir": os.path.join(folder, "data"), "plugins": [FAULT_PLUGINS],
            "server": {"listen": ["127.0.0.1:0"], "workers": 2},
            "storage": {"main": {"use": "postgres", "url": url or postgres.url, "pool_max": 3, "pool_wait": "20s",
                                 "max_concurrent": 64, "queue": 1000, "deadline": "600s", "breaker_failures": 0, **storage}},
            "app": {"sql": {"storage": "main", "max_concurrent": 100}}}


server = Server(made=made).start()


def run(text, path="exec", seconds=90, to=None, **query):
    words = "&".join(f"{name}={value}" for name, value in query.items())
    return (to or server).post(f"/sql/{path}" + ("?" + words if words else ""), text.encode(), seconds=seconds)


def value(text):
    answer = run(text)
    check_equal(answer.status, 200, f"{text}: {answer.body!r}")
    return answer.json.get("value")


def in_use():
    return server.metric("backplane_postgres_connections", pool="primary", state="in_use")


def check_nothing_is_held():
    wait_until(lambda: in_use() == 0, UNTIL, "a connection is still in use")
    running = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'backplane' AND state <> 'idle'"
    wait_until(lambda: postgres.sql(running) == [["0"]], UNTIL, "the server still works for somebody")


def hang_up_after(seconds, path, text):
    """A client that does not wait for the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/sql/" + path, body=text.encode())
    time.sleep(seconds)
    connection.close()


def statements_run():
    check_equal(run("CREATE TABLE t(a BIGINT PRIMARY KEY, b TEXT)").status, 200, "creating a table")
    check_equal(run("INSERT INTO t VALUES(1, 'x')\nINSERT INTO t VALUES(2, 'y')", "batch").status, 200, "batch")
    check_equal(run("INSERT INTO t VALUES(3, 'z')", "transaction").status, 200, "transaction")
    check_equal(value("SELECT count(*) FROM t"), 3, "rows")
    check_equal(run("INSERT INTO t VALUES(3, 'z')").status, 409, "a key that is there")
    check_nothing_is_held()


def a_client_that_hangs_up_ends_its_statement_on_the_server():
    for path, text in (("exec", "SELECT pg_sleep(600)"), ("exec", "INSERT INTO t SELECT 10, 'q' FROM pg_sleep(600)"),
                       ("batch", "INSERT INTO t VALUES(11, 'q')\nSELECT pg_sleep(600)"),
                       ("transaction", "INSERT INTO t SELECT 12, 'q' FROM pg_sleep(600)"),
                       ("transaction?hold_ms=500000", "INSERT INTO t VALUES(13, 'q')")):
        hang_up_after(0.3, path, text)
        check_nothing_is_held()
    check_equal(value("SELECT count(*) FROM t"), 3, "rows, as nothing was done")


def many_clients_that_hang_up_leak_no_connection():
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda i: hang_up_after(0.05 * (i % 7), "exec", "SELECT pg_sleep(600)"), range(60)))
    check_nothing_is_held()
    check(postgres.connections() <= 6, f"{postgres.connections()} connections, 6 are allowed")
    check_equal(value("SELECT 5"), 5, "an answer afterwards")


def twenty_clients_share_few_connections():
    def work(i):
        for k in range(10):
            check_equal(run(f"INSERT INTO t VALUES({1000 + i * 100 + k}, 'w') RETURNING a").json["value"],
                        1000 + i * 100 + k, "a key")
        return True
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        check_equal(sum(pool.map(work, range(20))), 20, "clients that were served")
    check_equal(value("SELECT count(*) FROM t WHERE a >= 1000"), 200, "rows")
    check(postgres.connections() <= 6, f"{postgres.connections()} connections, 6 are allowed")


def who_waits_too_long_for_a_connection_is_told_so():
    with Server(made=lambda folder: made(folder, pool_max=1, pool_wait="300ms")) as small:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: run("SELECT pg_sleep(3)", to=small), range(8)))
        refused = [a for a in answers if a.status == 429]
        check(refused, "nobody was refused")
        check_logged(small, "raise pool_max")
        check(any(a.status == 200 for a in answers), "nobody was served")


def a_restarted_server_is_found_again():
    check_equal(value("SELECT 1"), 1, "before")
    postgres.restart()
    wait_until(lambda: run("SELECT 1").status == 200, UNTIL, "reads do not come back")
    check_equal(run("INSERT INTO t VALUES(20, 'after')").status, 200, "a write after the restart")
    check_nothing_is_held()


def while_it_is_down_the_sentence_says_what_to_check():
    postgres.stop()
    answer = run("SELECT 1")
    check_equal(answer.status, 503, "status")
    check_logged(server, f"127.0.0.1:{postgres.port}", "as backplane", "Connection refused", "attempt", "is the server running")
    check("s3cret" not in server.log_text() + answer.message, "the password is shown")
    postgres.start()
    wait_until(lambda: run("SELECT 1").status == 200, UNTIL, "reads do not come back")


def nothing_acknowledged_is_lost_when_the_server_is_killed_under_load():
    acknowledged, is_over, unknown = [], threading.Event(), []

    def write(i):
        k = 0
        while not is_over.is_set():
            key = 100000 + i * 10000 + k
            answer = run(f"INSERT INTO t VALUES({key}, 'k')")
            if answer.status == 200:
                acknowledged.append(key)
            elif "not known" in answer.message:
                unknown.append(key)
            k += 1
    threads = [threading.Thread(target=write, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            time.sleep(1)
            postgres.crash()
            postgres.start()
            before = len(acknowledged)
            wait_until(lambda: len(acknowledged) > before, UNTIL, "writes do not come back")
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    kept = {int(row[0]) for row in postgres.sql("SELECT a FROM t WHERE a >= 100000")}
    check_equal([key for key in acknowledged if key not in kept], [], "acknowledged and lost")
    check(len(acknowledged) > 20, f"only {len(acknowledged)} writes")
    check(len(kept) <= len(acknowledged) + len(unknown), "a write was kept that was said to have failed")
    check_nothing_is_held()


def a_server_that_stands_still_delays_nobody_beyond_the_deadline():
    with Server(made=lambda folder: made(folder, deadline="2s")) as patient:
        check_equal(run("SELECT 1", to=patient).status, 200, "before")
        postgres.send_signal(signal.SIGSTOP)
        try:
            started = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(24) as pool:
                answers = list(pool.map(lambda i: run("SELECT 1" if i % 2 else f"INSERT INTO t VALUES({50 + i}, 's')",
                                                      to=patient), range(24)))
            took = time.monotonic() - started
            check({a.status for a in answers} <= {503, 504}, str([a.status for a in answers]))
            check(took < 45, f"{took:.1f} s is no deadline")
            check_equal(patient.get("/health/live").status, 200, "the process lives")
        finally:
            postgres.send_signal(signal.SIGCONT)
        wait_until(lambda: run("SELECT 1", to=patient).status == 200, UNTIL, "reads do not come back")


def what_is_notified_in_one_process_is_heard_in_another_and_after_a_restart():
    with Server(made=made) as other:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=UNTIL)
        connection.request("POST", "/sql/listen", body=b"")
        answer = connection.getresponse()
        check_equal(answer.readline(), b"(gap)\n", "the first line")
        check_equal(run("hello", "notify", to=other).status, 200, "notify")
        check_equal(answer.readline(), b"hello\n", "what is heard")
        postgres.restart()
        check_equal(answer.readline(), b"(gap)\n", "that something may have been missed")
        check_equal(run("again", "notify", to=other).status, 200, "notify after the restart")
        check_equal(answer.readline(), b"again\n", "what is heard then")
        check_equal(run("stop", "notify", to=other).status, 200, "the end")
        check_equal(answer.read(), b"", "what follows")
        connection.close()


def a_wrong_password_is_named_and_never_shown():
    with Server(made=lambda folder: made(folder, postgres.url_of("backplane", "hunter2"))) as wrong:
        answer = run("SELECT 1", to=wrong)
        check_equal(answer.status, 503, "status")
        check_logged(wrong, "password authentication failed")
        check("hunter2" not in answer.message + wrong.log_text(), "the password is shown")


def connections_are_given_back_when_the_server_of_backplane_ends():
    with Server(made=lambda folder: made(folder, postgres.create_database("ended"), pool_min=2)) as other:
        check_equal(run("SELECT 1", to=other).status, 200, "an answer")
        wait_until(lambda: postgres.connections("ended") >= 4, UNTIL, "pool_min is not held")
    postgres.wait_for_connections(0, UNTIL, "ended")


try:
    run_tests([statements_run, a_client_that_hangs_up_ends_its_statement_on_the_server,
               many_clients_that_hang_up_leak_no_connection, twenty_clients_share_few_connections,
               who_waits_too_long_for_a_connection_is_told_so, a_restarted_server_is_found_again,
               while_it_is_down_the_sentence_says_what_to_check,
               nothing_acknowledged_is_lost_when_the_server_is_killed_under_load,
               a_server_that_stands_still_delays_nobody_beyond_the_deadline,
               what_is_notified_in_one_process_is_heard_in_another_and_after_a_restart,
               a_wrong_password_is_named_and_never_shown,
               connections_are_given_back_when_the_server_of_backplane_ends])
finally:
    server.close()
    postgres.close()
