"""postgres_server.py - a PostgreSQL server of a test's own, in a folder that is deleted with it.

    with PostgresServer() as postgres:
        postgres.url            # postgresql://backplane:secret@127.0.0.1:PORT/backplane
        postgres.sql("SELECT 1")

PostgreSQL refuses to be run by root, so then another user runs it. It listens on a free port of 127.0.0.1 and on a Unix
socket in its folder. It writes without fsync unless durable=True. `binaries` is the folder of initdb and postgres.
"""
import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from backplane_test import skip, wait_until

PASSWORD = "s3cret/with@signs"
QUOTED = "s3cret%2Fwith%40signs"


def find_binaries():
    """The newest PostgreSQL of Debian's, or the test is skipped."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    if not found:
        skip("PostgreSQL is not installed (scripts/install-deps.sh test)")
    return os.path.dirname(found[-1])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PostgresServer:
    def __init__(self, durable=False, tls=False, settings=(), binaries=None, library_path=None, primary=None):
        self.binaries = binaries or find_binaries()
        self.durable, self.tls, self.primary = durable, tls, primary
        self.folder = tempfile.mkdtemp(prefix="backplane-pg-")
        self.data = os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "log")
        self.settings = list(settings)
        self.environment = dict(os.environ, LC_ALL="C", TZ="UTC")
        if library_path:
            self.environment["LD_LIBRARY_PATH"] = library_path
        self.process = None
        self.port = free_port()

    # ---- life ----

    def demote(self):
        """What the child runs before the server: it becomes somebody who is not root."""
        if os.getuid() != 0:
            return {}
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(name)
                return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        skip("PostgreSQL cannot be run by root, and there is no other user")

    def run(self, *command):
        done = subprocess.run(command, env=self.environment, cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **self.demote())
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout.decode()}")

    def create(self):
        who = self.demote()
        if who:
            os.chown(self.folder, who["user"], who["group"])
        if self.primary:
            self.run(os.path.join(self.binaries, "pg_basebackup"), "-D", self.data, "-R", "-X", "stream", "-c", "fast", "-d",
                     self.primary.url)
            return
        password = os.path.join(self.folder, "password")
        with open(password, "w") as file:
            file.write(PASSWORD)
        os.chmod(password, 0o644)
        self.run(os.path.join(self.binaries, "initdb"), "-D", self.data, "-U", "backplane", "-A", "scram-sha-256",
                 f"--pwfile={password}", "-E", "UTF8", "--locale=C", "--no-sync")
        if self.tls:
            self.make_certificates()

    def make_certificates(self):
        """An authority of its own, and a certificate for 127.0.0.1 and localhost."""
        names = os.path.join(self.folder, "names")
        with open(names, "w") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.ca = os.path.join(self.folder, "ca.pem")
        self.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
                 "-days", "2", "-subj", "/CN=test authority")
        self.run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr",
                 "-subj", "/CN=localhost")
        self.run("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                 "-out", "server.pem", "-days", "2", "-extfile", "names")
        os.chmod(os.path.join(self.folder, "server.key"), 0o600)

    def start(self):
        if not os.path.exists(self.data):
            self.create()
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}",
                    "max_connections=100", "shared_buffers=32MB", "dynamic_shared_memory_type=posix",
                    "lc_messages=C", "timezone=UTC"]
        if not self.durable:
            settings += ["fsync=off", "full_page_writes=off"]
        if self.tls:
            settings += ["ssl=on", f"ssl_cert_file={self.folder}/server.pem", f"ssl_key_file={self.folder}/server.key"]
        command = [os.path.join(self.binaries, "postgres"), "-D", self.data]
        for setting in settings + self.settings:
            command += ["-c", setting]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, **self.demote())
        try:
            wait_until(self.is_ready, 60, "PostgreSQL does not get ready")
            if not self.primary and not self.has_database():
                self.sql("CREATE DATABASE backplane", database="postgres")
        except BaseException:
            self.stop()
            raise
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"PostgreSQL ended with {self.process.returncode}: {self.log_text()[-2000:]}")
        done = subprocess.run([self.tool("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                              env=self.environment)
        return done.returncode == 0

    def has_database(self):
        return self.sql("SELECT 1 FROM pg_database WHERE datname = 'backplane'", database="postgres") != []

    def send_signal(self, number):
        """To the server itself and, for STOP and CONT, to all that it started."""
        children = []
        if number in (signal.SIGSTOP, signal.SIGCONT):
            listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
            children = [int(line) for line in listed.stdout.split()]
        self.process.send_signal(number)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

    def stop(self, number=signal.SIGINT):
        """SIGINT ends it fast but in order; SIGQUIT as a crash would."""
        if self.process and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.send_signal(signal.SIGCONT)
                self.process.send_signal(number)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(60)

    def crash(self):
        self.stop(signal.SIGQUIT)

    def restart(self, number=signal.SIGINT):
        self.stop(number)
        return self.start()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __exit__(self, kind, value, trace):
        if kind and not (kind is SystemExit and not value.code):
            print("PostgreSQL said last: " + self.log_text()[-3000:])
        self.close()

    # ---- use ----

    def tool(self, name):
        path = os.path.join(self.binaries, name)
        return path if os.path.exists(path) else name

    @property
    def url(self):
        return self.url_of("backplane")

    def url_of(self, database, password=QUOTED, scheme="postgresql"):
        return f"{scheme}://backplane:{password}@127.0.0.1:{self.port}/{database}"

    @property
    def socket_url(self):
        return f"postgresql://backplane:{QUOTED}@/backplane?host={self.folder}&port={self.port}"

    def log_text(self):
        with contextlib.suppress(OSError):
            with open(self.log_path, "rb") as file:
                return file.read().decode("utf-8", "replace")
        return ""

    def create_database(self, name):
        """An empty one; its URL."""
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", database="postgres")
        self.sql(f"CREATE DATABASE {name}", database="postgres")
        return self.url_of(name)

    def sql(self, text, database="backplane"):
        """What psql gives: rows, each a list of texts."""
        done = subprocess.run([self.tool("psql"), "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d",
                               self.url_of(database), "-c", text], env=self.environment, capture_output=True, text=True,
                              timeout=120)
        if done.returncode != 0:
            raise AssertionError(f"psql: {done.stderr}")
        return [line.split("\x1f") for line in done.stdout.split("\n") if line]

    def connections(self, database="backplane"):
        """Of Backplane's, without those of this test."""
        return int(self.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'backplane%' AND datname = "
                            f"'{database}'")[0][0])

    def wait_for_connections(self, count, seconds=30, database="backplane"):
        end = time.monotonic() + seconds
        while self.connections(database) != count:
            if time.monotonic() > end:
                raise AssertionError(f"{self.connections(database)} connections are open, not {count}")
            time.sleep(0.05)
