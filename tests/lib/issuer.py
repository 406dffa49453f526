"""issuer.py - an authorization server for tests: metadata and keys on loopback, and tokens signed by the openssl command."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

from backplane_test import skip


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, given=None):
    if not shutil.which("openssl"):
        skip("the command openssl is not on this machine")
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


class Key:
    """A key pair. `kind`: "RSA", "P-256" or "Ed25519"."""
    MAKE = {"RSA": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "P-256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "Ed25519": ["-algorithm", "ED25519"]}

    def __init__(self, folder, kid, kind):
        self.kid, self.kind, self.path = kid, kind, os.path.join(folder, kid.replace("/", "_") + ".pem")
        openssl("genpkey", *self.MAKE[kind], "-out", self.path)

    def public(self):
        der = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")
        more = {"kid": self.kid, "use": "sig"} if self.kid else {"use": "sig"}
        if self.kind == "RSA":
            modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().split("=")[1]
            return {"kty": "RSA", "n": b64(bytes.fromhex(modulus)), "e": "AQAB", **more}
        if self.kind == "P-256":
            return {"kty": "EC", "crv": "P-256", "x": b64(der[-64:-32]), "y": b64(der[-32:]), **more}
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(der[-32:]), **more}

    def pem(self):
        return openssl("pkey", "-in", self.path, "-pubout")

    def sign(self, alg, text):
        if alg == "EdDSA":
            with tempfile.NamedTemporaryFile() as file:
                file.write(text)
                file.flush()
                return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", file.name)
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"] if alg.startswith("PS") else []
        made = openssl("dgst", "-sha" + alg[2:], "-sign", self.path, *pss, given=text)
        return ecdsa_raw(made) if alg.startswith("ES") else made


def ecdsa_raw(der):
    """r and s side by side, out of a short ASN.1 sequence of two integers."""
    numbers, at = [], 2
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + length], "big"))
        at += 2 + length
    return b"".join(number.to_bytes(32, "big") for number in numbers)


class Issuer:
    """with Issuer(audience) as issuer: issuer.token(scope="...")"""

    def __init__(self, audience, path=""):
        self.audience, self.path, self.folder = audience, path, tempfile.mkdtemp(prefix="issuer-")
        self.keys = {kind: Key(self.folder, "key-" + kind, kind) for kind in Key.MAKE}
        self.published = list(self.keys.values())
        self.asked, self.server, self.port, self.metadata, self.delay, self.last_fetch = [], None, 0, {}, 0, 0.0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append((self.path, dict(self.headers)))
                time.sleep(issuer.delay)
                body = None
                if self.path == "/.well-known/oauth-authorization-server" + issuer.path:
                    body = {"issuer": issuer.url, "jwks_uri": f"http://127.0.0.1:{issuer.port}/keys", **issuer.metadata}
                elif self.path == "/keys":
                    issuer.last_fetch = time.monotonic()
                    body = {"keys": [key if isinstance(key, dict) else key.public() for key in issuer.published]}
                text = json.dumps(body or {}).encode()
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass
        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}{self.path}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    def fetches(self):
        return sum(path == "/keys" for path, _ in self.asked)

    def claims(self, **more):
        made = {"iss": self.url, "aud": self.audience, "sub": "alice", "exp": int(time.time()) + 600, "tenant": "t1", **more}
        return {key: value for key, value in made.items() if value is not None}

    def token(self, alg="RS256", key=None, header=None, signature=None, **claims):
        """A claim None is left out. `signature`: instead of one made by the key."""
        key = key or self.keys[{"R": "RSA", "P": "RSA", "E": "P-256"}[alg[0]] if alg != "EdDSA" else "Ed25519"]
        head = {"alg": alg, "typ": "at+jwt", "kid": key.kid, **(header or {})}
        signed = b64(json.dumps({k: v for k, v in head.items() if v is not None}).encode()) + "." + \
            b64(json.dumps(self.claims(**claims)).encode())
        return signed + "." + b64(key.sign(alg, signed.encode()) if signature is None else signature)

    def token_with_public_key_as_secret(self):
        key = self.keys["RSA"]
        signed = b64(json.dumps({"alg": "HS256", "kid": key.kid}).encode()) + "." + b64(json.dumps(self.claims()).encode())
        return signed + "." + b64(hmac.new(key.pem(), signed.encode(), hashlib.sha256).digest())
