"""run.py - real clients of MCP against our server: `run.py CLIENT` fetches the client, starts a server and runs its checks.

The server has the conformance fixture and the apps filesystem and knowledge. What a client's script (CLIENT.mjs, CLIENT.py)
needs to know comes as environment:

    MCP_HTTP     URL of the HTTP server; /mcp/APP is one app
    MCP_STDIO    the command that serves over standard input and output, without "--app APP", as a JSON list
    MCP_FILES    the folder that the app filesystem serves
"""
import json
import os
import shutil
import subprocess
import sys

from backplane_test import PLUGINS, PROGRAM, Server, skip
from node_tools import FOLDER, node, packages

HERE = os.path.dirname(os.path.abspath(__file__))
SDK = ["@modelcontextprotocol/sdk@1.32.2", "@modelcontextprotocol/client@2.4.0"]
# Which script runs with which packages of npm, or of PyPI.
CLIENTS = {
    "sdk_v1": ("npm", "clients-sdk", SDK),
    "sdk_v2": ("npm", "clients-sdk", SDK),
    "filesystem_drop_in": ("npm", "clients-sdk", SDK),
    "vercel": ("npm", "clients-vercel", ["@ai-sdk/mcp@2.0.99"]),
    "langchain": ("npm", "clients-langchain", ["@langchain/mcp-adapters@1.1.4", "@langchain/core"]),
    "inspector": ("npm", "clients-inspector", ["@modelcontextprotocol/inspector@2.12.0"]),
    "python_sdk": ("pypi", "clients-python", ["mcp"]),
}
SECONDS = 240


def conf(folder, files):
    return {
        "data_dir": os.path.join(folder, "data"),
        "server": {"listen": ["127.0.0.1:0"], "workers": 2},
        "plugins": [os.environ["FIXTURE_FOLDER"]],
        "storage": {"main": {"use": "sqlite", "path": "main.db"}},
        "app": {"conformance": {}, "filesystem": {"roots": [files]}, "knowledge": {"storage": "main"}},
    }


def make_files(folder):
    files = os.path.join(folder, "files")
    os.makedirs(os.path.join(files, "notes"))
    for name, text in (("a.txt", "one\ntwo\nthree\n"), ("notes/ü.md", "# Notes\nwith äöü €\n")):
        with open(os.path.join(files, name), "w", encoding="utf-8") as file:
            file.write(text)
    return files


def python_of(name, wanted):
    """The interpreter of an environment with these packages of PyPI."""
    folder = os.path.join(FOLDER, name)
    mark, python = os.path.join(folder, "installed"), os.path.join(folder, "bin", "python")
    if os.path.exists(mark):
        return python
    for command in ([sys.executable, "-m", "venv", "--clear", folder],
                    [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            skip(f"{' '.join(wanted)} cannot be fetched: {done.stdout.strip()[-300:]}")
    open(mark, "w", encoding="utf-8").close()
    return python


def place(folder, name):
    """Scripts find their packages from where they lie, so they are put beside them; at once, as tests run at the same time."""
    path = os.path.join(folder, name)
    shutil.copy(os.path.join(HERE, name), f"{path}.{os.getpid()}")
    os.replace(f"{path}.{os.getpid()}", path)
    return path


def run_script(client, kind, folder, wanted, environment):
    if kind == "pypi":
        return subprocess.run([python_of(folder, wanted), os.path.join(HERE, client + ".py")], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS, check=False)
    folder = packages(folder, *wanted)
    place(folder, "checks.mjs")
    os.environ.update(environment)
    return node(folder, place(folder, client + ".mjs"), timeout=SECONDS)


def main(client):
    kind, folder, wanted = CLIENTS[client]
    if kind == "npm":
        packages(folder, *wanted)  # before a server is started: it may skip
    else:
        python_of(folder, wanted)
    with Server(made=lambda at: conf(at, make_files(at))) as server:
        files, aside = os.path.join(server.folder, "files"), os.path.join(server.folder, "stdio.yaml")
        with open(aside, "w", encoding="utf-8") as file:
            json.dump({**conf(os.path.join(server.folder, "stdio"), files)}, file)
        done = run_script(client, kind, folder, wanted, {
            **os.environ, "BACKPLANE_PLUGINS": os.path.abspath(PLUGINS), "MCP_HTTP": f"http://127.0.0.1:{server.port}",
            "MCP_STDIO": json.dumps([os.path.abspath(PROGRAM), "mcp", "-c", aside]), "MCP_FILES": files})
        print(done.stdout)
        if done.returncode != 0:
            sys.stderr.write(done.stderr[-6000:])
            raise AssertionError(f"{client} ended with {done.returncode}")


main(sys.argv[1])
