"""The edge beside nginx: requests per CPU second, memory of idle connections, start, memory at rest.

Both serve a few bytes from memory with one worker; wrk is pinned to another core. What counts is CPU time, as rates say
little on a machine that others use as well.
"""
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM, SECONDS = os.path.abspath(sys.argv[1]), float(sys.argv[2])
IDLE = 10000
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def family(pid):
    children = open("/proc/%d/task/%d/children" % (pid, pid)).read().split()
    return [pid] + [p for child in children for p in family(int(child))]


def cpu_seconds(pid):
    total = 0
    for p in family(pid):
        fields = open("/proc/%d/stat" % p).read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory_kib(pid, what):
    total = 0
    for p in family(pid):
        found = re.search(r"^%s:\s+(\d+)" % what, open("/proc/%d/smaps_rollup" % p).read(), re.M)
        total += int(found.group(1))
    return total


def wait_for(port, path=b"/"):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if s.recv(100).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        time.sleep(0.0005)
    raise SystemExit("nothing answers on port %d" % port)


def start_backplane(folder, sections=""):
    port = free_port()
    conf = os.path.join(folder, "conf.yaml")
    with open(conf, "w") as file:
        file.write("data_dir: %s/data\nlog: { level: warn }\nserver:\n  listen: [ \"127.0.0.1:%d\" ]\n  workers: 1\n"
                   "  access_log: \"off\"\n  host_rate_per_minute: 0\n  limits: { connections_per_address: 0 }\n%s" % (folder, port, sections))
    before = time.monotonic()
    process = subprocess.Popen(["taskset", "-c", "1", PROGRAM, "serve", "-c", conf])
    wait_for(port, b"/health/ready")
    return process, port, (time.monotonic() - before) * 1000


def start_nginx(folder):
    port = free_port()
    conf = os.path.join(folder, "nginx.conf")
    with open(conf, "w") as file:
        file.write("""daemon off; worker_processes 1; pid %(f)s/nginx.pid; error_log stderr crit;
events { worker_connections 16384; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 600;
  client_body_temp_path %(f)s/b; proxy_temp_path %(f)s/p; fastcgi_temp_path %(f)s/f; uwsgi_temp_path %(f)s/u;
  scgi_temp_path %(f)s/s;
  server { listen 127.0.0.1:%(p)d backlog=4096;
    location / { default_type application/json; return 200 '{"status":"alive"}'; } } }
""" % {"f": folder, "p": port})
    process = subprocess.Popen(["taskset", "-c", "1", "nginx", "-c", conf, "-p", folder])
    wait_for(port)
    return process, port


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def requests_per_cpu_second(pid, port, path):
    before = cpu_seconds(pid)
    out = subprocess.run(["taskset", "-c", "0", "wrk", "-t1", "-c32", "-d%ds" % SECONDS,
                          "http://127.0.0.1:%d%s" % (port, path)], capture_output=True, text=True, check=True).stdout
    used = cpu_seconds(pid) - before
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit("errors under load:\n" + out)
    return int(re.search(r"(\d+) requests in", out).group(1)) / used


def idle_bytes(pid, port, path):
    before = memory_kib(pid, "Anonymous")
    connections = []
    request = ("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path).encode()
    for _ in range(IDLE):
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(request)
        s.recv(4096)
        connections.append(s)
    time.sleep(1)
    used = (memory_kib(pid, "Anonymous") - before) * 1024 / IDLE
    for s in connections:
        s.close()
    return used


def say(**line):
    print(json.dumps(line), flush=True)


DEFAULT = """storage: { main: { use: sqlite, path: main.db } }
cache: { main: { use: memory } }
embed: { main: { use: hash } }
vector: { docs: { use: local, path: docs } }
llm: { none: { use: extractive } }
app: { retrieval: { storage: main, vector: docs, embed: main, llm: [none] } }
"""


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = tempfile.mkdtemp(prefix="backplane-bench-")
    os.chmod(folder, 0o755)
    nginx = ours = None
    try:
        nginx, nginx_port = start_nginx(folder)
        ours, port, _ = start_backplane(folder)
        rates = {"nginx": [], "backplane": []}
        for _ in range(3):
            rates["nginx"].append(requests_per_cpu_second(nginx.pid, nginx_port, "/"))
            rates["backplane"].append(requests_per_cpu_second(ours.pid, port, "/health/live"))
        best = {name: max(values) for name, values in rates.items()}
        say(bench="trivial_route", nginx_per_cpu_second=round(best["nginx"]),
            backplane_per_cpu_second=round(best["backplane"]), ratio=round(best["backplane"] / best["nginx"], 3),
            target=0.6)
        say(bench="idle_connection_bytes", connections=IDLE, nginx=round(idle_bytes(nginx.pid, nginx_port, "/")),
            backplane=round(idle_bytes(ours.pid, port, "/health/live")), target=4096)
        stop(ours)
        ours, _, first = start_backplane(folder, DEFAULT)  # makes the databases
        stop(ours)
        starts = []
        for _ in range(5):
            ours, _, milliseconds = start_backplane(folder, DEFAULT)
            starts.append(milliseconds)
            time.sleep(1)
            rest = memory_kib(ours.pid, "Rss")
            anonymous = memory_kib(ours.pid, "Anonymous")
            stop(ours)
        ours = None
        say(bench="start_to_ready_ms", best=round(min(starts), 1), median=round(sorted(starts)[2], 1),
            with_new_databases=round(first, 1), target=50)
        say(bench="memory_at_rest_mib", resident=round(rest / 1024, 1), anonymous=round(anonymous / 1024, 1), target=20)
    finally:
        for process in (nginx, ours):
            if process is not None and process.poll() is None:
                stop(process)
        shutil.rmtree(folder, ignore_errors=True)


main()
