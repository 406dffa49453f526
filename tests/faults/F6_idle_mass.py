"""F6_idle_mass.py - thousands of idle keep-alive connections: little memory each, no CPU, and new requests stay quick."""
import resource
import subprocess
import sys
import time

from backplane_test import IS_LONG, Server, check, check_equal, run_fault

CONNECTIONS, SECONDS = 10000, 600 if IS_LONG else 10
HOLDER = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
port, count, held = int(sys.argv[1]), int(sys.argv[2]), []
for i in range(count):
    one = socket.socket()
    one.bind(("127.0.0.%d" % (2 + i % 4), 0))
    one.connect(("127.0.0.1", port))
    one.sendall(b"GET /health/live HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    one.recv(4096)
    held.append(one)
print("held", flush=True)
sys.stdin.read()
"""


def fault(numbers):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    check(hard == resource.RLIM_INFINITY or hard > CONNECTIONS + 300, f"only {hard} descriptors are allowed here")
    limits = {"connections_per_address": 20000, "keep_alive_timeout": "1h"}
    with Server(server={"limits": limits, "access_log": "off"}) as server:
        for _ in range(50):
            server.get("/health/live")
        before = server.anonymous_bytes()
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(server.port), str(CONNECTIONS)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        try:
            check_equal(holder.stdout.readline(), "held\n", "the process that holds the connections")
            time.sleep(1)
            each = (server.anonymous_bytes() - before) / CONNECTIONS
            cpu, started = server.cpu_seconds(), time.monotonic()
            time.sleep(SECONDS)
            share = (server.cpu_seconds() - cpu) / (time.monotonic() - started)
            times = []
            for _ in range(300):
                started = time.monotonic()
                check_equal(server.get("/health/live").status, 200, "a new request")
                times.append((time.monotonic() - started) * 1000)
            p99 = sorted(times)[296]
            numbers.update(connections=CONNECTIONS, bytes_each=int(each), idle_cpu_share=round(share, 4), p99_ms=round(p99, 2))
            check_equal(int(server.metric("backplane_http_connections")) >= CONNECTIONS, True, "all are open")
            check(each <= 4096, f"{each:.0f} bytes of memory for each")
            check(share <= 0.01, f"idle CPU {share:.3f}")
            check(p99 <= 10, f"p99 {p99:.1f} ms")
        finally:
            holder.stdin.close()
            holder.wait(30)


run_fault("F6", fault)
