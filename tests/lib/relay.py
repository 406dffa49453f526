"""relay.py - a TCP relay between a client and a server that can be told to lose everything, as a cut cable does.

    with Relay(server_port) as relay:   # clients connect to relay.port
        relay.drop()                    # what is open stays open and nothing arrives; new connections are accepted and silent
        relay.refuse()                  # what is open is reset, new connections are refused
        relay.go_on()                   # as at first; what was dropped is reset, as its bytes are lost
"""
import contextlib
import select
import socket
import struct
import threading
import time


def _reset(connection):
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Relay:
    def __init__(self, to_port):
        self.to_port, self.lock, self.pairs = to_port, threading.Lock(), {}
        self.listener, self.is_dropping, self.is_over, self.accepted = None, False, False, []
        self._listen(0)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _listen(self, port):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(256)
        listener.setblocking(False)
        self.listener = listener

    def _accept(self):
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        self.accepted.append(time.monotonic())
        if self.is_dropping:
            self.pairs[client] = None
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.to_port), timeout=5)
        except OSError:
            _reset(client)
            return
        self.pairs[client], self.pairs[server] = server, client

    def _end(self, connection):
        other = self.pairs.pop(connection, None)
        _reset(connection)
        if other:
            self.pairs.pop(other, None)
            _reset(other)

    def _move(self, connection):
        try:
            piece = connection.recv(65536)
            if piece and self.pairs.get(connection):
                self.pairs[connection].sendall(piece)
        except OSError:
            piece = b""
        if not piece:
            self._end(connection)

    def _run(self):
        while not self.is_over:
            with self.lock:
                waiting = [] if self.is_dropping else list(self.pairs)
                waiting += [self.listener] if self.listener else []
                ready = select.select(waiting, [], [], 0)[0] if waiting else []
                for one in ready:
                    if one is self.listener:
                        self._accept()
                    elif one in self.pairs:
                        self._move(one)
            if not ready:
                with contextlib.suppress(OSError, ValueError):
                    select.select(waiting, [], [], 0.01)

    def _end_all(self):
        for connection in list(self.pairs):
            if connection in self.pairs:
                self._end(connection)

    def drop(self):
        with self.lock:
            self.is_dropping = True

    def refuse(self):
        with self.lock:
            self.is_dropping = False
            if self.listener:
                self.listener.close()
                self.listener = None
            self._end_all()

    def go_on(self):
        with self.lock:
            if self.is_dropping:
                self._end_all()
            self.is_dropping = False
            if not self.listener:
                self._listen(self.port)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        self._end_all()
        if self.listener:
            self.listener.close()
