"""hostile_peer.py - a server that answers as a test says, and a look at how Backplane takes it.

    with HostilePeer(serve) as peer:      # serve(connection) on a thread for each connection; peer.port
        with Server(made=...) as server, Watch(server) as watch:
            ...                           # whatever makes the server talk to the peer
        # Watch checks: the process lives, /health/live always answered within a second, memory stayed within bounds
"""
import contextlib
import os
import socket
import threading
import time

from backplane_test import check

FAULT_PLUGINS = os.environ.get("BACKPLANE_FAULT_PLUGINS", "build/release/tests/faults/plugins")

BUILD = os.path.dirname(os.environ.get("BACKPLANE_PLUGINS", "build/release/plugins"))


class HostilePeer:
    def __init__(self, serve):
        self.serve, self.open, self.is_over = serve, set(), False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.add(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        with contextlib.suppress(OSError, ValueError, IndexError):
            self.serve(connection)
        self.open.discard(connection)
        connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def flood(connection, piece, seconds=3.0):
    """Sends it again and again, without waiting for anything."""
    block, end = piece * max(1, 65536 // len(piece)), time.monotonic() + seconds
    while time.monotonic() < end:
        connection.sendall(block)


class Watch:
    """What must hold whatever the peer does."""

    def __init__(self, server, more_bytes=300 << 20, seconds=3.0):
        # What is freed is kept for a while there. A frozen loop is silent for longer than a busy machine.
        is_slow = "asan" in BUILD or "tsan" in BUILD
        self.server, self.more_bytes, self.seconds = server, more_bytes * (3 if is_slow else 1), seconds * (3 if is_slow else 1)
        self.is_over, self.problems, self.most_bytes = threading.Event(), [], 0

    def _look(self):
        while not self.is_over.wait(0.05):
            started = time.monotonic()
            try:
                status = self.server.get("/health/live", seconds=10).status
            except OSError as problem:
                status = str(problem)
            took = time.monotonic() - started
            if status != 200 or took > self.seconds:
                self.problems.append(f"/health/live answered {status} after {took:.2f} s")
            with contextlib.suppress(OSError, StopIteration):
                self.most_bytes = max(self.most_bytes, self.server.anonymous_bytes())

    def __enter__(self):
        self.began_bytes = self.server.anonymous_bytes()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.is_over.set()
        self.thread.join()
        if kind:
            return
        check(self.server.process.poll() is None, f"the server ended: {self.server.log_text()[-3000:]}")
        check(not self.problems, f"{len(self.problems)} times: {self.problems[:3]}")
        grown = self.most_bytes - self.began_bytes
        check(grown <= self.more_bytes, f"{grown >> 20} MiB more are used")
