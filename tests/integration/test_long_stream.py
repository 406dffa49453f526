"""test_long_stream.py - an answer of 300,000 chunks passes through in memory that does not grow with it."""
import http.server
import json
import threading

from backplane_test import PROGRAM, Server, check, check_equal, conf, run_tests

CHUNKS, ANSWER_MAX = 300_000, 1 << 20
GROWTH_MAX = 8 << 20  # without a sanitizer, which keeps what is freed for a while; of the whole process, pools of connections and the answer's own text included


class Provider(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        chunk = b"data: " + json.dumps({"id": "x", "model": "stub", "object": "chat.completion.chunk", "choices": [
            {"index": 0, "delta": {"content": "a "}, "finish_reason": None}]}).encode() + b"\n\n"
        for _ in range(CHUNKS // 1000):
            self.wfile.write(chunk * 1000)
        self.wfile.write(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')

    def log_message(self, *_):
        pass


def a_long_answer_needs_no_more_memory_than_a_short_one():
    stub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=stub.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{stub.server_address[1]}/v1"
    try:
        with Server(made=lambda folder: conf(folder, server={"workers": 1, "request_deadline": "100s"}, app={"llm": ["model"]}, llm={
                "model": {"use": "openai", "url": url, "model": "stub", "deadline": "100s"}})) as server:
            server.make_collection()
            check(server.put({"id": "a", "text": "alpha beta"}).status in (200, 201), "a document")
            before, most, pieces, ends, tail = server.anonymous_bytes(), 0, 0, 0, b""
            connection = server.connect(100)
            connection.request("POST", "/api/v1/answer", json.dumps({"collection": "docs", "question": "alpha?", "stream": True}))
            answer = connection.getresponse()
            check_equal(answer.status, 200, "the answer")
            while True:
                piece = answer.read1(1 << 20)
                if not piece:
                    break
                text = tail[-11:] + piece
                pieces, ends = pieces + text.count(b"event: delta"), ends + text.count(b"event: done")
                tail = text
                most = max(most, server.anonymous_bytes() - before)
            check_equal(ends, 1, f"how it ended: {tail[-300:]!r}")
            check_equal(pieces, CHUNKS, "chunks")
            with open(PROGRAM, "rb") as file:
                is_sanitized = b"__asan_init" in file.read()
            check(most < GROWTH_MAX or is_sanitized, f"the server grew by {most >> 20} MiB")
            print(f"grew by {most >> 10} KiB")
    finally:
        stub.shutdown()
        stub.server_close()


if __name__ == "__main__":
    run_tests([a_long_answer_needs_no_more_memory_than_a_short_one])
