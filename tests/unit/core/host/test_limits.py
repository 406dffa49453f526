"""test_limits.py - each limit of the conf reaches the listeners: just within it a request is answered, just beyond it refused."""
import socket
import time

from backplane_test import Server, check, check_equal, run_tests, wait_until


def conf(folder, **limits):
    return {"data_dir": folder + "/data", "app": {"filesystem": {"roots": [folder]}},
            "server": {"listen": ["127.0.0.1:0", f"unix:{folder}/socket"], "workers": 2, "access_log": "off", "host_rate_per_minute": 0,
                       "drain": {"delay": "0s", "timeout": "300ms"}, "limits": limits}}


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None


def ask(server, request, **more):
    return status_of(server.raw(request, **more))


def get(target="/health/live", *lines):
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: 127.0.0.1", *lines, "Connection: close", "", ""]).encode()


def sizes_of_a_request():
    with Server(made=lambda folder: conf(folder, request_line="300", header_line="300", header_block="2KiB", header_count=8, body="1KiB")) as server:
        line = len("GET /health/live?x= HTTP/1.1")
        for request, wanted in ((get("/health/live?x=" + "a" * (300 - line)), 200), (get("/health/live?x=" + "a" * (400 - line)), 414),
                                (get("/health/live", "X: " + "a" * 290), 200), (get("/health/live", "X: " + "a" * 400), 431),
                                (get("/health/live", *["X: 1"] * 6), 200), (get("/health/live", *["X: 1"] * 7), 431)):
            check_equal(ask(server, request), wanted, f"{request[:60]}... of {len(request)} bytes")
        for size, wanted in ((1024, (200, 403, 404, 422, 400)), (1025, (413,))):
            answer = server.post("/read_file", b'{"path":"' + b"x" * (size - 11) + b'"}')
            check(answer.status in wanted, f"a body of {size} bytes: {answer.status}")
    with Server(made=lambda folder: conf(folder, header_line="1KiB", header_block="1KiB")) as server:
        check_equal(ask(server, get("/health/live", *["X: " + "a" * 200] * 3)), 200, "a small block")
        check_equal(ask(server, get("/health/live", *["X: " + "a" * 200] * 6)), 431, "a large block")


def connections():
    with Server(made=lambda folder: conf(folder, connections_per_address=3, keep_alive_requests=2)) as server:
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
        for one in held:
            one.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            check_equal(status_of(one.recv(4096)), 200, "one of three")
        check(ask(server, get()) in (429, 503, None), "the fourth of one address")
        held[0].sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        said = held[0].recv(4096)
        check(status_of(said) == 200 and b"connection: close" in said.lower(), f"the last one of a connection: {said}")
        check_equal(held[0].recv(100), b"", "and it is closed")
        for one in held:
            one.close()
        wait_until(lambda: ask(server, get()) == 200, 10, "room again")
    with Server(made=lambda folder: conf(folder, connections=2, connections_per_address=0)) as server:
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
        for one in held:
            one.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            check_equal(status_of(one.recv(4096)), 200, "one of two")
        check(ask(server, get()) in (503, None), "the third of all")
        for one in held:
            one.close()


def times():
    """Each slow client is cut off after the limit for its slowness, long before those of the defaults."""
    slow = dict(header_timeout="200ms", body_idle_timeout="300ms", keep_alive_timeout="400ms")
    with Server(made=lambda folder: conf(folder, **slow)) as server:
        for sent, wanted in ((b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n", 408),
                             (b"POST /read_file HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{", 408),
                             (b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200)):
            started = time.monotonic()
            said = server.raw(sent, seconds=8)  # until the server closes
            check_equal(status_of(said), wanted, f"{sent}: {said}")
            check(time.monotonic() - started < 7, f"{sent} is cut off after {time.monotonic() - started:.1f} s")
    with Server(made=lambda folder: conf(folder, body_rate="100KiB", body_rate_grace="100ms")) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as one:
            one.sendall(b"POST /read_file HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n")
            one.settimeout(0.05)
            said, ended = b"", time.monotonic() + 20
            while not said and time.monotonic() < ended:
                try:
                    one.sendall(b"x")
                    said = one.recv(4096)
                except socket.timeout:
                    continue
            check_equal(status_of(said), 408, f"a body that comes too slowly: {said}")


def the_socket_of_the_conf_answers_too():
    with Server(made=conf) as server:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(server.folder + "/socket")
            one.sendall(get())
            check_equal(status_of(one.recv(4096)), 200, "by the socket")


def metrics_have_a_listener_of_their_own():
    made = lambda folder: {**conf(folder), "server": {**conf(folder)["server"], "metrics_listen": f"unix:{folder}/metrics"}}
    with Server(made=made) as server:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(server.folder + "/metrics")
            one.sendall(get("/metrics"))
            check_equal(status_of(one.recv(4096)), 200, "at its own")
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(server.folder + "/metrics")
            one.sendall(get("/health/live"))
            check_equal(status_of(one.recv(4096)), 200, "a probe there")
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(server.folder + "/metrics")
            one.sendall(get("/openapi.json"))
            check_equal(status_of(one.recv(4096)), 404, "others there")


def running_requests_are_waited_for_and_cut_off_at_their_time():
    """A body that never comes holds its request; the drain waits for its timeout, and then ends all."""
    with Server(made=conf) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as one:
            one.sendall(b"POST /read_file HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
            wait_until(lambda: server.metric("http_requests_in_flight") >= 2, 10, "the request runs")
            check_equal(server.stop(), 0, "exit status")
            check(one.recv(4096)[:12] in (b"HTTP/1.1 503", b""), "what it gets")


run_tests([sizes_of_a_request, connections, times, the_socket_of_the_conf_answers_too, metrics_have_a_listener_of_their_own,
           running_requests_are_waited_for_and_cut_off_at_their_time])
