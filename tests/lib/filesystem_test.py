"""filesystem_test.py - the app filesystem and the reference server of MCP as objects with the same methods.

Served is the app behind `backplane mcp`; Reference is the npm package, installed into the build folder when a test needs it.
"""
import json
import os
import shutil
import subprocess

from backplane_test import PLUGINS, PROGRAM, check, skip

BUILD = os.path.dirname(os.path.abspath(PLUGINS))
PACKAGE = "@modelcontextprotocol/server-filesystem"
VERSION = "2026.8.31"


class Child:
    """A program that is asked by lines; ended by its own process id."""

    def __init__(self, *command, **more):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        check(line, f"{self.process.args[0]} ended with {self.process.poll()}")
        return json.loads(line)


class Mcp(Child):
    """A server of MCP over standard input and output."""

    def __init__(self, *command, **more):
        super().__init__(*command, stderr=subprocess.DEVNULL, **more)
        self.number = 0
        self.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "test", "version": "1"})
        self.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))

    def ask(self, method, **params):
        self.number += 1
        self.send(json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}))
        while True:
            message = self.receive()
            if message.get("id") == self.number:
                return message["result"]

    def call(self, tool, **arguments):
        return self.ask("tools/call", name=tool, arguments=arguments)


class Served(Mcp):
    def __init__(self, folder, *roots, **options):
        settings = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
        super().__init__(PROGRAM, "mcp", "--app", "filesystem", "--data", os.path.join(folder, "data"), *settings, *roots)


class Reference(Mcp):
    def __init__(self, *roots):
        super().__init__("node", os.path.join(install_reference(), "dist", "index.js"), *roots)


def install_reference():
    """The folder of the package."""
    folder = os.path.join(BUILD, "tests", "npm")
    package = os.path.join(folder, "node_modules", *PACKAGE.split("/"))
    for program in ("node", "npm"):
        if not shutil.which(program):
            skip("there is no " + program)
    if os.path.exists(os.path.join(package, "dist", "index.js")):
        return package
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", f"{PACKAGE}@{VERSION}"],
                          capture_output=True, text=True, timeout=150)
    if done.returncode != 0:
        skip("the reference server cannot be installed: " + done.stderr[-300:])
    return package
