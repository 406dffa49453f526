"""embedder_stub.py - the embeddings of OpenAI's API on an address of one's choice, gone and back at will.

Vectors count the letters a to h of a text. A text with the word "poison" is refused with 400, as a server refuses what it
cannot read; one with the stub's `unwilling` word is answered with 503 for as long as that is set."""
import http.server
import json
import socket
import threading


class Embedder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes, and the second would wait 40 ms
    stub = None

    def do_POST(self):
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        if any("poison" in text for text in texts):
            self.answer({"error": {"message": "that text cannot be read"}}, 400)
        elif self.stub.unwilling and any(self.stub.unwilling in text for text in texts):
            self.answer({"error": {"message": "not now"}}, 503)
        else:
            self.answer({"model": "m", "data": [{"index": i, "embedding": [text.count(letter) + 0.1 for letter in "abcdefgh"]}
                                                for i, text in enumerate(texts)], "usage": {"prompt_tokens": 1, "total_tokens": 1}})

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class EmbedderStub:
    """with EmbedderStub() as stub: stub.port; its connections end with it, and go() takes it away before the end."""

    def __init__(self, address="127.0.0.1", port=0):
        self.address, self.port, self.server, self.unwilling = address, port, None, ""
        self.come()

    def come(self):
        handler = type("StubEmbedder", (Embedder,), {"stub": self})
        self.server = http.server.ThreadingHTTPServer((self.address, self.port), handler)
        self.server.daemon_threads = True
        self.port, self.connections, accept = self.server.server_address[1], [], self.server.get_request

        def get_request():
            accepted = accept()
            self.connections.append(accepted[0])
            return accepted
        self.server.get_request = get_request
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def go(self):
        if not self.server:
            return
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its client had left already
        self.server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go()
