"""mutate.py - one token of the sources is changed at a time, and the unit tests of its folder ought to notice.

    scripts/mutate.sh [--seed N] [--count N] [--all] [--at-most PERCENT] [FOLDER...]

A mutant that no test kills is a line whose meaning no unit test knows; what it tells is for a reader to judge, as some
changes change nothing (`<` for `!=` at the end of a loop). All is done in build/mutants: src is a copy of the tree, in
which one file at a time is changed, build is its build folder. The same seed and sources make the same mutants.
"""
import argparse
import collections
import fcntl
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import mutants

ROOT = os.getcwd()
HOME = os.path.join(ROOT, "build", "mutants")
SRC = os.path.join(HOME, "src")
BUILD = os.path.join(HOME, "build")
KINDS = "storage cache vector embed llm health alert app shared/clients shared/text shared/stores".split()
# The plugins of the default conf, with all of health and alert.
DEFAULTS = "storage/sqlite cache/memory vector/local embed/hash llm/extractive app/retrieval".split()
LEAST_LIMIT_S = 15

def copy_tree():
    """Makes src what the tree is, and leaves alone what is the same, so that little is rebuilt."""
    wanted = set()
    for root, folders, files in os.walk(ROOT):
        if root == ROOT:
            folders[:] = [f for f in folders if not f.startswith((".", "build")) and f not in ("data", "node_modules")]
        for name in files:
            path = os.path.join(root, name)
            copy = os.path.join(SRC, os.path.relpath(path, ROOT))
            if name == ".git":  # the file that a worktree has
                continue
            wanted.add(copy)
            if not os.path.exists(copy) or open(path, "rb").read() != open(copy, "rb").read():
                os.makedirs(os.path.dirname(copy), exist_ok=True)
                shutil.copy(path, copy)
                os.utime(copy)
    for root, _, files in os.walk(SRC):
        for path in (os.path.join(root, name) for name in files):
            if path not in wanted:
                os.remove(path)


def configure_and_build(names):
    """The tests of the named folders of core; without names, all: tests load plugins that they do not depend on."""
    options = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_COMPILER=gcc", "-DBUILD_TESTING=ON", "-DBP_WERROR=OFF",
               "-DBP_SHARED_DIR=" + os.environ.get("BACKPLANE_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))]
    if shutil.which("ccache"):
        options.append("-DCMAKE_C_COMPILER_LAUNCHER=ccache")
    if shutil.which("ld.gold"):  # a test is linked for each mutant that it meets
        options.append("-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=gold")
    made = subprocess.run(["cmake", "-S", SRC, "-B", BUILD, "-G", "Ninja", *options], capture_output=True, text=True)
    if made.returncode:
        sys.exit("mutate: cmake cannot configure build/mutants/build; mend what it says:\n" + made.stderr)
    listed = subprocess.check_output(["ninja", "-C", BUILD, "-t", "targets", "all"], text=True)
    targets = [line.split(":")[0] for line in listed.split("\n") if line.startswith("unit_") and line.endswith(": phony")]
    wanted = [t for t in targets if any(t.startswith("unit_" + name.replace("/", "_") + "_") for name in names)]
    if not build(*(wanted or [])):
        sys.exit("mutate: the sources do not build as they are; `ninja -C build/mutants/build` says why")


def unit_tests():
    """What ctest knows of each, by name. They must be built: before, it does not know how to run them."""
    listed = json.loads(subprocess.check_output(["ctest", "--test-dir", BUILD, "--show-only=json-v1"], text=True))
    return {test["name"]: test for test in listed["tests"] if test["name"].startswith("unit.") and "command" in test}


def build(*targets):
    ninja = subprocess.run(["ninja", "-C", BUILD, *targets], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ninja.returncode == 0


def properties_of(test):
    return {p["name"]: p["value"] for p in test.get("properties", [])}


def is_of_program(test):
    """It runs the program, in Python, and is no program itself."""
    return "program" in properties_of(test).get("LABELS", [])


def target_of(test):
    return "backplane" if is_of_program(test) else test["name"].replace(".", "_")


def bounded():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (600, 600))  # for those that run without end in a session of their own
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))  # for those that allocate without end


def run(test, limit_s):
    """"ok", "failed" or "timeout", and the seconds that it took. The files of a test go with it."""
    properties = properties_of(test)
    with tempfile.TemporaryDirectory(prefix="bp-mutant-", ignore_cleanup_errors=True) as folder:
        env = dict(os.environ, TMPDIR=folder, **dict(pair.split("=", 1) for pair in properties.get("ENVIRONMENT", [])))
        begun = time.monotonic()
        process = subprocess.Popen(test["command"], cwd=folder, env=env, start_new_session=True, preexec_fn=bounded,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            result = "ok" if process.wait(limit_s) in (0, properties.get("SKIP_RETURN_CODE", 0)) else "failed"
        except subprocess.TimeoutExpired:
            result = "timeout"
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # and what the test left behind
            except ProcessLookupError:
                pass
            process.wait()
    return result, time.monotonic() - begun


class Folder:
    """A folder of sources and its unit tests, which must pass before any mutant is made."""

    def __init__(self, name, tests):
        self.name, self.tests, self.seconds = name, tests, None
        self.count = collections.Counter()

    def begin(self):
        self.seconds = {}
        for test in list(self.tests):
            result, self.seconds[test["name"]] = run(test, 240)
            if result != "ok" and build():  # what it loads may not have been built yet
                result, self.seconds[test["name"]] = run(test, 240)
            if result != "ok":
                print(f"{self.name}: {test['name']} fails without a mutant ({result}) and is left out", flush=True)
                self.tests.remove(test)

    def judge(self, site):
        """None when the mutant does not compile, otherwise what became of it."""
        stem = os.path.basename(site.file)[:-2]
        for test in sorted(self.tests, key=lambda t: (is_of_program(t), not t["name"].endswith("test_" + stem),
                                                      self.seconds[t["name"]])):
            if not build(target_of(test)):
                return None
            limit_s = LEAST_LIMIT_S + 3 * self.seconds[test["name"]]
            result, _ = run(test, limit_s)
            if result == "failed":  # what fails only now and then proves nothing
                result, _ = run(test, limit_s)
            if result != "ok":
                self.count["timeout" if result == "timeout" else "killed"] += 1
                return ("timeout in " if result == "timeout" else "killed by ") + test["name"]
        self.count["survived"] += 1
        return "SURVIVED"


def try_out(site, folder):
    path = os.path.join(SRC, site.file)
    original = open(path, encoding="utf-8").read()
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(original[:site.start] + site.new + original[site.end:])
        verdict = folder.judge(site)
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(original)
    if verdict:
        old, new = (re.sub(r"\s+", " ", text) for text in (original[site.start:site.end], site.new))
        short = [text if len(text) <= 60 else text[:57] + "..." for text in (old, new)]
        print(f"{site.file}:{site.line}  {site.kind}  {short[0]} -> {short[1]}  {verdict}", flush=True)
    return verdict is not None


def folders_of(names, tests):
    known = sorted("core/" + name for name in os.listdir("core") if os.path.isdir("core/" + name))
    plugins = sorted(f"{kind}/{name}" for kind in KINDS for name in os.listdir("plugins/" + kind))
    chosen = names or known + [p for p in plugins if p in DEFAULTS or p.startswith(("health/", "alert/"))]
    made, without = [], []
    for name in (re.sub(r"^plugins/|/+$", "", name) for name in chosen):
        if name not in known + plugins:
            sys.exit(f"mutate: there is no folder of sources {name}; name one of core/ or plugins/, such as core/loop")
        prefix = "unit." + (name.replace("/", ".") if name in known else "plugins." + re.sub(r"shared/\w+/", "shared_", name).replace("/", "_")) + "."
        own = [test for key, test in tests.items() if key.startswith(prefix)]
        path = name if name in known else "plugins/" + name
        made.append(Folder(path, own)) if own else without.append(path)
    if without:
        print("without unit tests, so left out: " + " ".join(without), flush=True)
    return made


def main():
    parser = argparse.ArgumentParser(prog="scripts/mutate.sh", description=__doc__.split("\n\n")[2])
    parser.add_argument("--seed", type=int, default=1, help="which mutants: the same seed makes the same ones (1)")
    parser.add_argument("--count", type=int, help="how many (20)")
    parser.add_argument("--all", action="store_true", help="200 mutants")
    parser.add_argument("--at-most", type=int, metavar="PERCENT", help="fail when more of them survive")
    parser.add_argument("folders", nargs="*", metavar="FOLDER",
                        help="core/loop, storage/sqlite, ...; without any: core/* and the plugins of the default conf")
    wanted = parser.parse_args()
    count = wanted.count if wanted.count is not None else 200 if wanted.all else 20
    if count < 1:
        parser.error("--count is how many mutants to make, so it is 1 or more")
    os.makedirs(HOME, exist_ok=True)
    lock = open(os.path.join(HOME, "lock"), "w")  # until the end of the program
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("mutate: another run is changing build/mutants; wait until it is over")
    copy_tree()
    configure_and_build(wanted.folders if all(name.startswith("core/") for name in wanted.folders) else [])
    folders = {folder.name: folder for folder in folders_of(wanted.folders, unit_tests())}
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as commands:
        compiled = {os.path.relpath(entry["file"], SRC) for entry in json.load(commands)}
    files = [file for file in compiled if os.path.dirname(file) in folders and not file.endswith("/main.c")]
    for site in mutants.in_order(SRC, files, random.Random(wanted.seed)):
        folder = folders[os.path.dirname(site.file)]
        if folder.seconds is None:
            folder.begin()
        count -= try_out(site, folder)
        if count == 0:
            break
    print(f"\n{'folder':28} {'mutants':>8} {'killed':>8} {'timeout':>8} {'survived':>9} {'share':>6}")
    whole = Folder("all", [])
    for folder in folders.values():
        whole.count += folder.count
    for folder in [f for f in folders.values() if f.count] + [whole]:
        total = sum(folder.count.values())
        killed, timeout, survived = (folder.count[verdict] for verdict in ("killed", "timeout", "survived"))
        print(f"{folder.name:28} {total:8} {killed:8} {timeout:8} {survived:9} {survived / max(total, 1):6.0%}")
    share = whole.count["survived"] / max(sum(whole.count.values()), 1)
    print(f"{whole.count['survived']} of {sum(whole.count.values())} mutants survived ({share:.0%}), seed {wanted.seed}")
    if wanted.at_most is not None and share > wanted.at_most / 100:
        sys.exit(f"mutate: {share:.0%} survived, {wanted.at_most} % at most: write a test that fails for each of those above")


if __name__ == "__main__":
    main()
