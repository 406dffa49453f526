"""F38_names.py - a resolver that is dead, slow or knows no such name: the loop does not stall, other calls are served at once, and a
name is asked for once, not by every request; a name that moves to another address is found there.

The process is given a /etc/resolv.conf of its own by a mount namespace, which names a resolver of this test."""
import ctypes
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time

from backplane_test import SKIPPED, Server, check, check_equal, conf, run_fault, wait_until
from embedder_stub import EmbedderStub

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18
ADDRESS = "127.0.0.53"


class Resolver:
    """Answers A questions by the first label of the name: ok, slow (10 s), dead (never), many (a long answer), none (NXDOMAIN)."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ADDRESS, 53))
        self.asked, self.is_over = [], threading.Event()
        self.moving_to = 2  # 127.0.0.N
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        self.socket.settimeout(0.2)
        while not self.is_over.is_set():
            try:
                packet, peer = self.socket.recvfrom(4096)
            except OSError:
                continue
            at, labels = 12, []
            while packet[at]:
                labels.append(packet[at + 1:at + 1 + packet[at]].decode())
                at += 1 + packet[at]
            kind = struct.unpack(">H", packet[at + 1:at + 3])[0]
            self.asked.append((labels[0], kind))
            if labels[0] == "dead":
                continue
            if labels[0] == "slow":
                threading.Timer(10, self.answer, (packet, at + 5, labels[0], kind, peer)).start()
            else:
                self.answer(packet, at + 5, labels[0], kind, peer)

    def answer(self, packet, end, label, kind, peer):
        count = 0 if kind != 1 or label == "none" else 25 if label == "many" else 1
        flags = 0x8183 if label == "none" else 0x8180
        made = packet[:2] + struct.pack(">HHHHH", flags, 1, count, 0, 0) + packet[12:end]
        for i in range(count):
            made += struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + bytes([127, 0, 0, self.moving_to if label == "moving" else 1 if i == 0 else 2 + i])
        try:
            self.socket.sendto(made, peer)
        except OSError:
            pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()
        self.socket.close()


def own_files(folder):
    """What the child does before it becomes the server: its own resolv.conf, seen by nobody else."""
    for name, text in (("resolv.conf", f"nameserver {ADDRESS}\noptions timeout:5 attempts:2\n"), ("nsswitch.conf", "hosts: files dns\n")):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    libc = ctypes.CDLL(None, use_errno=True)

    def enter():
        if libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None):
            raise OSError(ctypes.get_errno(), "no mount namespace")
        for name in ("resolv.conf", "nsswitch.conf"):
            path = os.path.join("/etc", name)
            if os.path.exists(path) and libc.mount(os.path.join(folder, name).encode(), path.encode(), None, MS_BIND, None):
                raise OSError(ctypes.get_errno(), f"{path} cannot be another file")
    return enter


def backend(server):
    """A search whose embedder stands behind the name, and how long it took."""
    started = time.monotonic()
    answer = server.post("/api/v1/search", {"collection": "docs", "query": "words", "mode": "vector"}, seconds=60)
    return answer, time.monotonic() - started


def with_embedder(name, port, folder):
    def made(where):
        return conf(where, server={"access_log": "off", "workers": 2}, embed={"main": {
            "use": "openai", "url": f"http://{name}.test:{port}/v1", "model": "m", "dimensions": 8, "deadline": "3s", "retries": 0,
            "breaker_failures": 0, "critical": False}})
    return Server(made=made, before_exec=own_files(folder))


def a_name_that_moves(resolver, folder, numbers):
    """The embedder goes from 127.0.0.2 to 127.0.0.3: what is remembered of the name is forgotten after 5 s."""
    with EmbedderStub("127.0.0.2") as old:
        server = with_embedder("moving", old.port, folder).start()
        try:
            server.make_collection()
            before = len(resolver.asked)
            for _ in range(50):
                answer, _ = backend(server)
                check_equal(answer.status, 200, f"before: {answer.body[:300]!r}")
            questions = sum(label == "moving" for label, _ in resolver.asked[before:])
            old.go()
            with EmbedderStub("127.0.0.3", old.port):
                resolver.moving_to = 3
                moved = time.monotonic()
                wait_until(lambda: backend(server)[0].status == 200, 30, "the new address is not found")
                numbers["moving"] = {"found_after_s": round(time.monotonic() - moved, 2), "questions_for_50_searches": questions}
        finally:
            server.close()
    check(questions <= 4, f"50 searches asked {questions} times for the name")


def under_a_name(name, folder, numbers, parallel=20):
    """20 searches at once whose embedder has that name, while other routes are asked."""
    with with_embedder(name, 9, folder) as server:
        server.make_collection()
        answers, slowest_other = [], 0.0
        threads = [threading.Thread(target=lambda: answers.append(backend(server))) for _ in range(parallel)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            started = time.monotonic()
            check_equal(server.get("/health/live").status, 200, f"{name}: liveness")
            slowest_other = max(slowest_other, time.monotonic() - started)
            time.sleep(0.01)
        took = max(seconds for _, seconds in answers)
        statuses = sorted({answer.status for answer, _ in answers})
        message = answers[0][0].message if answers[0][0].status != 200 else ""
        numbers[name] = {"statuses": statuses, "slowest_s": round(took, 2), "live_slowest_ms": round(slowest_other * 1000, 1),
                         "said": message[:160]}
        check(slowest_other < 1, f"{name}: liveness took {slowest_other:.1f} s while names were looked up")
        check(took < 15, f"{name}: a search took {took:.1f} s")
        return statuses


def fault(numbers):
    try:
        resolver = Resolver()
    except OSError as problem:
        print(f"skipped: port 53 of {ADDRESS} cannot be used: {problem}")
        os._exit(SKIPPED)
    with resolver, tempfile.TemporaryDirectory() as folder:
        if not os.path.exists("/etc/resolv.conf"):
            print("skipped: this machine has no /etc/resolv.conf")
            os._exit(SKIPPED)
        try:
            subprocess.run(["true"], preexec_fn=own_files(folder), check=True)
        except subprocess.SubprocessError:
            print("skipped: this user may not have a mount namespace of its own")
            os._exit(SKIPPED)
        for name in ("ok", "none", "slow", "dead", "many"):
            before = len(resolver.asked)
            under_a_name(name, folder, numbers)
            numbers[name]["questions"] = sum(label == name for label, _ in resolver.asked[before:])
        check(numbers["ok"]["questions"] >= 1, "the resolver of the test was not asked")
        a_name_that_moves(resolver, folder, numbers)


run_fault("F38", fault)
