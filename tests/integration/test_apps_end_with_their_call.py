"""test_apps_end_with_their_call.py - work that a request made long ends when nobody waits for it: the client hangs up, its time is
over, or the input of a server on a pipe ends. With one thread for the work, whoever comes next is served soon.
"""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

from backplane_test import PROGRAM, Server, check, check_equal, run_tests

FOLDER = tempfile.mkdtemp(prefix="backplane-test-")
ROOT = os.path.join(FOLDER, "root")
os.mkdir(ROOT)
for number in range(200):
    with open(os.path.join(ROOT, "a" * 240 + f"{number:03}"), "w") as file:
        file.write("x\n")
# Minutes of work: 300 patterns, each of 512 alternatives with thousands of braces that nothing closes.
HEAVY = ["{a*,b*}" * 9 + "{" * 3800] * 300


def served():
    made = {"data_dir": os.path.join(FOLDER, "data"), "server": {"listen": ["127.0.0.1:0"]},
            "storage": {"main": {"use": "sqlite", "path": "backplane.db"}}, "cache": {"main": {"use": "memory"}},
            "app": {"filesystem": {"roots": [ROOT], "threads": 1}}}
    return Server(folder=FOLDER, made=made)


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def request_of(body):
    text = json.dumps(body).encode()
    return (f"POST /search_files HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n").encode() + text


def a_client_that_hangs_up_leaves_no_work_behind():
    with served() as server:
        started = cpu_s(server.process.pid)
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(request_of({"pattern": "**", "excludePatterns": HEAVY}))
            deadline = time.monotonic() + 20
            while cpu_s(server.process.pid) - started < 0.3 and time.monotonic() < deadline:
                time.sleep(0.02)  # until the work has begun
        answer = server.post("/read_file", {"path": "a" * 240 + "000"})
        check_equal(answer.status, 200, "the next one")
        spent = cpu_s(server.process.pid)
        time.sleep(0.5)
        check(cpu_s(server.process.pid) - spent < 0.2, "the thread is idle again")


def the_end_of_input_ends_work():
    process = subprocess.Popen([PROGRAM, "mcp", "--app", "filesystem", ROOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        for message in ({"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                                                                      "clientInfo": {"name": "test", "version": "1"}}},
                        {"method": "notifications/initialized"},
                        {"id": 2, "method": "tools/call", "params": {"name": "search_files", "arguments": {
                            "path": ROOT, "pattern": "**", "excludePatterns": HEAVY}}}):
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        deadline = time.monotonic() + 20
        while cpu_s(process.pid) < 0.5 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.stdin.close()
        process.wait(30)  # what is asked for at the end of the input may be answered first, for a while
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


try:
    run_tests([a_client_that_hangs_up_leaves_no_work_behind, the_end_of_input_ends_work])
finally:
    shutil.rmtree(FOLDER, ignore_errors=True)
