"""answering.py - a server that answers 200 to everything, and embeds texts for who has the right key."""
import contextlib
import http.server
import json
import threading

from embedder_stub import Embedder


class Answering(Embedder):
    """200 to everything; the embeddings of OpenAI's API, made of the letters of a text."""
    def do_GET(self):
        self.answer({"status": "ok", "object": "list", "data": [{"id": "letters"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/embeddings"):
            if self.headers.get("Authorization") != "Bearer right-key-for-tests":
                self.answer({"error": {"message": "that key is not known"}}, 401)
                return
            data = [{"index": i, "embedding": self.letters(text)} for i, text in enumerate(body["input"])]
            self.answer({"model": "letters", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}})
        else:
            self.answer({})

    @staticmethod
    def letters(text):
        counts = [text.count(letter) + 0.01 for letter in "abcdefghijklmnop"]
        length = sum(count * count for count in counts) ** 0.5
        return [count / length for count in counts]


@contextlib.contextmanager
def answering():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
