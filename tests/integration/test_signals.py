"""test_signals.py - SIGTERM: readiness fails first, requests under way are finished, then the process ends with 0."""
import http.client
import json
import signal
import socket
import threading
import time

from backplane_test import Server, check, check_equal, read_all, run_tests, wait_until

server = Server(server={"drain": {"delay": "1s", "timeout": "10s"}})


def begin_slow_request():
    """A body of JSON lines of which the second half comes later."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    line = json.dumps({"id": "slow-1", "text": "The tortoise arrives."}) + "\n"
    rest = json.dumps({"id": "slow-2", "text": "The snail arrives later."}) + "\n"
    connection.sendall(b"POST /api/v1/collections/docs/documents HTTP/1.1\r\nHost: localhost\r\n"
                       b"Content-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n" % len(line + rest)
                       + line.encode())
    return connection, rest.encode()


def a_drain_finishes_what_is_under_way_and_ends_with_0():
    server.make_collection()
    idle = server.connect()
    idle.request("GET", "/health")
    idle.getresponse().read()
    slow, rest = begin_slow_request()
    time.sleep(0.2)
    check_equal(server.get("/health/ready").status, 200, "ready before")
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: server.get("/health/ready").status == 503, 0.9, "readiness goes on during the delay")
    check_equal(server.get("/health/live").status, 200, "liveness while stopping")
    check_equal(server.search("tortoise", limit=1), [], "requests are still served during the delay")
    time.sleep(1.5)
    check(server.process.poll() is None, "the process ended with a request under way")
    slow.sendall(rest)
    answer = read_all(slow)
    check(b'"stored":2' in answer, f"the slow request got {answer!r}")
    started = time.monotonic()
    check_equal(server.process.wait(10), 0, "exit status")
    check(time.monotonic() - started < 3, "it took long to end after the last request")
    check_equal([line["event"] for line in server.log_lines() if line.get("event") in ("stopping", "stopped")],
                ["stopping", "stopped"], "the log")


def what_was_finished_in_the_drain_is_there_after_it():
    server.start()
    check_equal(server.search("snail", mode="words")[0]["document"], "slow-2", "the document")


def a_request_that_never_ends_is_cut_off_at_the_timeout():
    server.stop()
    server.conf["server"]["drain"] = {"delay": "0s", "timeout": "1s"}
    with open(server.conf_path, "w") as file:
        json.dump(server.conf, file)
    server.start()
    slow, _ = begin_slow_request()
    time.sleep(0.2)
    started = time.monotonic()
    check_equal(server.stop(8), 0, "exit status")
    check(0.8 <= time.monotonic() - started <= 6, f"it took {time.monotonic() - started:.1f} s")
    slow.close()


def a_streamed_answer_is_sent_to_its_end():
    server.start()
    server.put(*({"id": f"d{i}", "text": f"Cats number {i} sleep all day. Dogs number {i} bark."} for i in range(50)))
    answers = []

    def ask():
        try:
            answers.append(server.post("/api/v1/answer", {"question": "Who sleeps all day?", "stream": True}).events()[-1][0])
        except (OSError, http.client.HTTPException) as problem:
            answers.append(repr(problem) if connected.is_set() else "not begun")
    connected = threading.Event()
    askers = [threading.Thread(target=ask) for _ in range(20)]
    for asker in askers:
        asker.start()
    wait_until(lambda: answers, 5, "no answer at all")
    check_equal(server.stop(10), 0, "exit status")
    for asker in askers:
        asker.join()
    check(set(answers) <= {"done", "not begun"} and "done" in answers, f"ends of streams: {answers}")


def sigusr1_and_sighup_do_not_end_it():
    server.start()
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.find_event("reload_ignored"), 3, "SIGHUP is not answered in the log")
    server.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: server.find_event("log_reopened"), 3, "SIGUSR1 is not answered in the log")
    check_equal(server.get("/health").status, 200, "it lives")
    server.process.send_signal(signal.SIGINT)
    check_equal(server.process.wait(10), 0, "SIGINT ends it as SIGTERM does")


with server:
    run_tests([
        a_drain_finishes_what_is_under_way_and_ends_with_0,
        what_was_finished_in_the_drain_is_there_after_it,
        a_request_that_never_ends_is_cut_off_at_the_timeout,
        a_streamed_answer_is_sent_to_its_end,
        sigusr1_and_sighup_do_not_end_it,
    ])
