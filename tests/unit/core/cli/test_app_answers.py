"""test_app_answers.py - commands of apps that a server has: the request of each, and the output for each answer.

The server is a fake one, which answers with what the file `answer` holds and writes down what it was sent, in `sent`. The first
line of `answer` is the status; `table` is its table of commands.
"""
import http.server
import os
import threading

from transcript import Stage, play


class Fake(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass

    def say(self, status, body):
        self.send_response(status)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def note(self, body=b""):
        kept = [f"{name}: {self.headers[name]}" for name in ("Authorization", "Content-Type", "Transfer-Encoding", "Expect") if name in self.headers]
        with open(stage.folder + "/sent", "ab") as file:
            file.write("\n".join([f"{self.command} {self.path}", *kept, ""]).encode() + body)

    def do_GET(self):
        self.note()
        with open(stage.folder + "/table", "rb") as file:
            status, body = file.read().split(b"\n", 1)
        self.say(int(status), body)

    def do_POST(self):
        body = b""
        while size := int(self.rfile.readline() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.note(body)
        with open(stage.folder + "/answer", "rb") as file:
            status, body = file.read().split(b"\n", 1)
        self.say(int(status), body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fake)
url = f"http://127.0.0.1:{server.server_port}"
stage = Stage((url, "$URL"), (r"\d+/s\b", "N/s"), (r"Could(n't| not) connect", "Couldn't connect"), URL=url)
threading.Thread(target=server.serve_forever, daemon=True).start()
try:
    play(stage, os.path.splitext(os.path.abspath(__file__))[0] + ".said")
    print("ok")
finally:
    server.shutdown()
    stage.close()
