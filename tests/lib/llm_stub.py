"""llm_stub.py - a server that speaks enough of OpenAI's chat API for a test to say what the model answers.

    with LlmStub() as model:
        model.answers = ["first answer", 500, HANG, b"not even JSON"]   # then `otherwise`
        model.requests                                                  # the bodies that came
"""
import http.server
import json
import sys
import threading

HANG = object()


class LlmStub:
    def __init__(self, otherwise="", hang_seconds=3):
        self.answers, self.requests, self.otherwise, self.hang_seconds = [], [], otherwise, hang_seconds
        self.lock, self.is_over = threading.Lock(), threading.Event()
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with stub.lock:
                    stub.requests.append(body)
                    answer = stub.answers.pop(0) if stub.answers else stub.otherwise
                if answer is HANG:
                    stub.is_over.wait(stub.hang_seconds)
                    self.close_connection = True
                elif isinstance(answer, int):
                    self.reply(answer, "application/json", json.dumps({"error": {"message": "the stub was told to fail"}}).encode())
                elif isinstance(answer, bytes):
                    self.reply(200, "application/json", answer)
                elif body.get("stream"):
                    self.reply(200, "text/event-stream", stub.events(answer))
                else:
                    message = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
                    self.reply(200, "application/json", json.dumps({"id": "1", "model": "stub", "choices": [message]}).encode())

            def do_GET(self):
                self.reply(200, "application/json", b'{"object":"list","data":[{"id":"stub","object":"model"}]}')

            def reply(self, status, content_type, body):
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        class QuietServer(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                """A client that is killed cuts its connections; anything else is worth reading."""
                if not isinstance(sys.exc_info()[1], OSError):
                    super().handle_error(request, client_address)

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    @staticmethod
    def events(text):
        pieces = [text[i:i + 40] for i in range(0, len(text), 40)]
        made = [{"choices": [{"index": 0, "delta": {"content": piece}}], "model": "stub"} for piece in pieces]
        made.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "model": "stub"})
        made.append({"choices": [], "model": "stub", "usage": {"prompt_tokens": 11, "completion_tokens": 5}})
        return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in made) + b"data: [DONE]\n\n"

    def script(self, *answers):
        with self.lock:
            self.answers, self.requests = list(answers), []

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.server.shutdown()
        self.server.server_close()
