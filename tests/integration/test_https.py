"""test_https.py - servers behind https:// whose certificate a CA of one's own has signed: trusted with `ca`, refused without."""
import contextlib
import http.server
import json
import os
import ssl
import tempfile
import threading

import qdrant_stub
from backplane_test import Server, check, check_equal, check_logged, conf, run_tests
from redis_server import make_certificates

folder = tempfile.TemporaryDirectory()
CA, CERTIFICATE, KEY = make_certificates(folder.name)


@contextlib.contextmanager
def behind_tls(server):
    """Serves it in TLS; its https URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Embeddings(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        data = [{"index": i, "embedding": [1.0, len(text), 1.0, 0.5]} for i, text in enumerate(body["input"])]
        answer = json.dumps({"model": "tiny", "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that does not trust us hangs up."""


def made(url, embed_url, **trust):
    def make(where):
        return conf(where, server={"workers": 1}, vector={"docs": {"use": "qdrant", "url": url, **trust}},
                    embed={"main": {"use": "openai", "url": embed_url + "/v1", "model": "tiny", "dimensions": 4, **trust}})
    return make


def with_their_ca_they_are_trusted():
    with behind_tls(qdrant_stub.make()) as url, behind_tls(Quiet(("127.0.0.1", 0), Embeddings)) as embed_url, \
            Server(made=made(url, embed_url, ca=CA)) as server:
        server.make_collection("docs")
        check_equal(server.put({"id": "a", "text": "a passage about trust"}).json["stored"], 1, "documents stored")
        check_equal([hit["document"] for hit in server.search("trust")], ["a"], "found")


def without_it_they_are_refused_and_the_certificate_is_named():
    with behind_tls(qdrant_stub.make()) as url, behind_tls(Quiet(("127.0.0.1", 0), Embeddings)) as embed_url, \
            Server(made=made(url, embed_url)) as server:
        answer = server.post("/api/v1/collections/docs", {})
        check_equal(answer.status, 503, f"{answer.body}")
        check_logged(server, "certificate")
        check("certificate" not in answer.message, answer.message)


def a_file_that_is_not_there_is_named():
    with behind_tls(qdrant_stub.make()) as url, behind_tls(Quiet(("127.0.0.1", 0), Embeddings)) as embed_url, \
            Server(made=made(url, embed_url, ca=os.path.join(folder.name, "none.pem"))) as server:
        answer = server.post("/api/v1/collections/docs", {})
        check_equal(answer.status, 503, f"{answer.body}")
        check_logged(server, "none.pem")
        check("none.pem" not in answer.message, answer.message)


run_tests([with_their_ca_they_are_trusted, without_it_they_are_refused_and_the_certificate_is_named,
           a_file_that_is_not_there_is_named])
