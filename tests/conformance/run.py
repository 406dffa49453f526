"""run.py - the official conformance suite of MCP against a Backplane with the fixture, one run an argument.

    run.py 2025-11-25 | 2026-07-28     0.2.0-alpha.12 with the requirements of that revision, scored and unscored
    run.py all                         0.1.16 with --suite all
"""
import os
import re
import sys

from backplane_test import Server, check, check_equal
from node_tools import node, packages, program

PACKAGE = "@modelcontextprotocol/conformance"
# What must pass: scored scenarios, and those that do not count for the revision.
RUNS = {
    "2025-11-25": ("0.2.0-alpha.12", ["--requirements", "2025-11-25"], 30, 3),
    "2026-07-28": ("0.2.0-alpha.12", ["--requirements", "2026-07-28"], 37, 13),
    "all": ("0.1.16", ["--suite", "all"], 32, 0),
}


def main(run):
    version, arguments, scored, unscored = RUNS[run]
    folder = packages("conformance-" + version, f"{PACKAGE}@{version}")
    with Server(made=lambda data: {"data_dir": data, "server": {"listen": ["127.0.0.1:0"], "workers": 2},
                              "plugins": [os.environ["FIXTURE_FOLDER"]], "app": {"conformance": {}}}) as server:
        url = f"http://localhost:{server.port}/mcp"  # by name: a scenario tries other names on it
        done = node(folder, program(folder, PACKAGE, "dist", "index.js"), "server", "--url", url, *arguments,
                    "-o", os.path.join(server.folder, "results"))
    summary = done.stdout[done.stdout.find("=== SUMMARY ==="):]
    print(summary)
    scenarios = re.findall(r"^(\S) (\S+): (\d+) passed, (\d+) failed", summary, re.MULTILINE)
    failed = [name for _, name, _, failures in scenarios if failures != "0"]
    check(not failed, f"scenarios that fail: {', '.join(failed)}\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    check_equal(len(scenarios), scored + unscored, "scenarios run")
    check(not re.search(r"^\s*✗", summary, re.MULTILINE), "a scenario is marked as failing")
    check_equal(done.returncode, 0, "the suite's exit status")
    passed = sum(int(count) for _, _, count, _ in scenarios)
    print(f"{len(scenarios)} scenarios, {passed} checks passed")


main(sys.argv[1])
