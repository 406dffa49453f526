"""python_tools.py - packages of PyPI and what is made of them, for tests that compare with other people's work.

Each set of packages is a virtual environment in build/python of the source tree, made when it is first needed; ONNX
Runtime and the sentence models that embed/onnx is tested with lie beside it, fetched by the scripts people use. A test is
skipped, with the reason, where the registry cannot be reached. A lock keeps tests that run at the same time apart.
"""
import contextlib
import fcntl
import os
import subprocess
import sys

from backplane_test import SOURCE, skip

FOLDER = os.path.abspath(os.path.join(SOURCE, "build", "python"))
RUNTIME = os.path.abspath(os.path.join(SOURCE, "build", "onnxruntime"))
MODELS = os.path.abspath(os.path.join(SOURCE, "build", "models"))


@contextlib.contextmanager
def _alone(name):
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, name + ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command, what):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        skip(f"{what} cannot be fetched: {done.stdout.strip()[-300:]}")


def python(name, *wanted):
    """The interpreter of an environment of that name with these packages ("numpy==2.2.6")."""
    folder = os.path.join(FOLDER, name)
    mark, program = os.path.join(folder, "installed"), os.path.join(folder, "bin", "python")
    with _alone(name):
        if os.path.exists(mark) and open(mark, encoding="utf-8").read() == " ".join(wanted):
            return program
        _run([sys.executable, "-m", "venv", "--clear", folder], "a Python environment")
        _run([program, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary=:all:", *wanted],
             " ".join(wanted))
        with open(mark, "w", encoding="utf-8") as file:
            file.write(" ".join(wanted))
    return program


def onnx_runtime():
    """The folder with libonnxruntime.so."""
    with _alone("onnxruntime"):
        _run([os.path.join(SOURCE, "scripts", "fetch-onnxruntime.sh"), RUNTIME], "ONNX Runtime")
    return RUNTIME


def sentence_model(name):
    """The folder of a model that scripts/fetch-model.sh knows."""
    folder = os.path.join(MODELS, name)
    with _alone("models"):
        _run([os.path.join(SOURCE, "scripts", "fetch-model.sh"), name, folder], name)
    return folder


def inside(name, *wanted):
    """Goes on with the same script in that environment, unless it is there already."""
    program = python(name, *wanted)
    if os.path.realpath(sys.prefix) != os.path.realpath(os.path.join(FOLDER, name)):
        os.execv(program, [program, "-B", *sys.argv])
