#!/usr/bin/env python3
"""sdk_author.py - lives through a plugin author's day: installs, moves the tree, writes, builds, tests, breaks, serves.

    sdk_author.py --build build/debug --source . --cmake cmake

Nothing here looks into the source tree but the last check, which reads the plugins' #include lines.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

KINDS = ["health", "vector", "storage", "cache", "embed", "llm", "alert", "app"]


def run(*command, expected=0, **more):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=300, **more)
    if done.returncode != expected:
        fail(f"{' '.join(map(str, command))}\nended with {done.returncode}, not {expected}:\n{done.stdout}")
    return done.stdout


def fail(sentence):
    print(sentence)
    sys.exit(1)


def must(is_so, sentence):
    if not is_so:
        fail(sentence)


class Day:
    def __init__(self, arguments, home):
        self.cmake, self.build, self.source = arguments.cmake, arguments.build, arguments.source
        self.home = home
        self.prefix = os.path.join(home, "somewhere", "else")
        self.desk = os.path.join(home, "desk")
        self.program = os.path.join(self.prefix, "bin", "backplane")
        self.environment = {key: value for key, value in os.environ.items() if key not in ("BACKPLANE_PLUGINS", "DESTDIR")}
        self.environment["PKG_CONFIG_PATH"] = os.path.join(self.prefix, "lib", "pkgconfig")

    # ---- the installed tree ----

    def install_and_move(self):
        first = os.path.join(self.home, "first")
        run(self.cmake, "--install", self.build, "--prefix", first, env=self.environment)
        os.makedirs(os.path.dirname(self.prefix))
        os.rename(first, self.prefix)
        os.mkdir(self.desk)
        for path in ["bin/backplane", "include/backplane/plugin.h", "include/backplane/testhost.h",
                     "lib/cmake/backplane-sdk/backplane-sdk-config.cmake", "lib/pkgconfig/backplane-sdk.pc",
                     "lib/pkgconfig/backplane-testhost.pc", "lib/libbackplane-testhost.a", "etc/backplane/backplane.yaml",
                     "share/backplane/template/common/CMakeLists.txt"]:
            must(os.path.exists(os.path.join(self.prefix, path)), f"{path} is not installed")
        for kind in KINDS:
            must(os.path.exists(os.path.join(self.prefix, "share/backplane/template", kind, "NAME.c")),
                 f"the template of kind {kind} is not installed")
        for folder in ["lib/cmake", "lib/pkgconfig"]:
            for base, _, names in os.walk(os.path.join(self.prefix, folder)):
                for name in names:
                    text = open(os.path.join(base, name)).read()
                    must(self.build not in text and "/first" not in text, f"{name} names the folder it was built in")

    def first_party_plugins_export_one_symbol(self):
        count = 0
        for base, _, names in os.walk(os.path.join(self.prefix, "lib/backplane/plugins")):
            for name in names:
                rows = run("nm", "-D", "--defined-only", os.path.join(base, name)).split("\n")
                symbols = [row.split()[2] for row in rows if row]
                must(symbols == ["bp_plugin_entry"], f"{name} exports {symbols}, not bp_plugin_entry alone")
                count += 1
        must(count >= 5, f"only {count} first-party plugins are installed")
        listed = run(self.program, "plugins", env=self.environment)
        must(listed.count("\n") == count, f"{count} plugins are installed, and `plugins` lists:\n{listed}")
        print(f"{count} first-party plugins export bp_plugin_entry and nothing else")

    def first_party_plugins_see_only_the_sdk(self):
        of_the_host = re.compile(r'#include ["<](.*core/|(base|loop|net|conf|plugin|ops|api|cli|mcp)/)')
        for base, _, names in os.walk(os.path.join(self.source, "plugins")):
            for name in names:
                if name.endswith((".c", ".h")):
                    for line in open(os.path.join(base, name), errors="replace"):
                        must(not of_the_host.match(line), f"{base}/{name} includes a header of the host: {line}")

    # ---- writing plugins ----

    def write_build_and_test(self, kind):
        name = "my" + kind
        folder = os.path.join(self.desk, name)
        built = os.path.join(folder, "build")
        flags = "-Werror -Wshadow -Wconversion -Wno-sign-conversion"
        run(self.program, "plugin", "new", name, "--kind", kind, cwd=self.desk, env=self.environment)
        for base, _, names in os.walk(folder):
            for file in names:
                must("NAME" not in file and "@" not in open(os.path.join(base, file)).read(),
                     f"{file} still holds a placeholder")
        run(self.cmake, "-S", folder, "-B", built, f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_C_FLAGS={flags}",
            env=self.environment)
        run(self.cmake, "--build", built, env=self.environment)
        tested = run(os.path.join(os.path.dirname(self.cmake), "ctest"), "--test-dir", built, "--output-on-failure",
                     env=self.environment)
        must("100% tests passed, 0 tests failed out of 1" in tested, f"the test of {name} was not run:\n{tested}")
        flags = run("pkg-config", "--cflags", "--libs", "backplane-sdk", env=self.environment).split()
        plain = os.path.join(folder, "plain.so")
        run("cc", "-O2", os.path.join(folder, name + ".c"), *flags, "-lm", "-o", plain, env=self.environment)
        for file in [os.path.join(built, name + ".so"), plain]:
            said = json.loads(run(self.program, "inspect", file, "--json", env=self.environment))
            must(said["accepted"] and said["name"] == name and said["kind"] == kind and not said["extra_exports"],
                 f"inspect says of {file}: {said}")
        run(self.program, "check", "--conf", "conf.yaml", cwd=folder, env=self.environment)
        self.hold_to_its_contract(kind, os.path.join(built, name + ".so"))
        must(not any(path in open(plain, "rb").read().decode("latin-1") for path in [self.source]),
             f"{plain} names the source tree")

    def hold_to_its_contract(self, kind, file):
        """Every template keeps the contract of its kind but that of storage, which has no engine and must be told so."""
        settings = {"health": ["--set", "path=/"], "alert": ["--set", "path=" + os.path.join(self.desk, "alerts")]}.get(kind, [])
        said = run(self.program, "conform", file, *settings, env=self.environment, expected=1 if kind == "storage" else 0)
        must(kind == "storage" or " 0 fail" in said, said)
        must(kind != "storage" or "has no engine yet" in said, said)

    def refuse_bad_orders(self):
        said = run(self.program, "plugin", "new", "Bad-Name", "--kind", "health", cwd=self.desk, expected=2)
        must("is not a plugin name" in said, said)
        said = run(self.program, "plugin", "new", "fine", "--kind", "weather", cwd=self.desk, expected=2)
        must('there is no kind "weather"' in said, said)
        said = run(self.program, "plugin", "new", "myhealth", "--kind", "health", cwd=self.desk, expected=1)
        must("myhealth cannot be made: File exists" in said, said)

    # ---- breaking one on purpose ----

    def break_it(self, title, old, new, sentence):
        folder = os.path.join(self.home, "broken-" + title)
        os.mkdir(folder)
        text = open(os.path.join(self.desk, "myhealth", "myhealth.c")).read()
        must(old in text, f"the template no longer holds what this breaks: {old}")
        with open(os.path.join(folder, "x.c"), "w") as stream:
            stream.write(text.replace(old, new, 1))
        flags = run("pkg-config", "--cflags", "--libs", "backplane-sdk", env=self.environment).split()
        run("cc", "-w", os.path.join(folder, "x.c"), *flags, "-o", os.path.join(folder, "x.so"), env=self.environment)
        environment = dict(self.environment, BACKPLANE_PLUGINS=folder)
        said = run(self.program, "plugins", expected=1, env=environment)
        must(sentence in said, f"{title}: nothing says \"{sentence}\": {said}")

    def break_all(self):
        self.break_it("help", '.help = "the file that must be there"', ".help = NULL", 'option "path": it has no help')
        self.break_it("size", ".ops = &ops)", ".ops = &ops, .struct_size = 8)", "its descriptor is shorter (8 bytes)")
        self.break_it("ops", ".struct_size = sizeof(bp_health_ops),", "", "it has no table of operations: set .ops, and .struct_size")
        self.break_it("default", '.initial = "off"', '.initial = "soon"', 'option "max_age": its default')
        self.break_it("place", ".instance_size = sizeof(struct check)", ".instance_size = 8", "lies outside the instance's 8 bytes")

    # ---- using them ----

    def serve(self, folder, conf, use):
        with open(os.path.join(folder, "served.yaml"), "w") as stream:
            stream.write(conf)
        log = []
        process = subprocess.Popen([self.program, "serve", "--conf", "served.yaml"], cwd=folder, env=self.environment,
                                   stderr=subprocess.PIPE, text=True)
        reader = threading.Thread(target=lambda: log.extend(iter(process.stderr.readline, "")))
        reader.start()
        try:
            use(self.wait_until_ready(process, log), folder)
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(20)
            reader.join()
            if sys.exc_info()[0]:
                print("".join(log))
        must(status == 0, f"the server ended with {status}:\n{''.join(log)}")

    @staticmethod
    def wait_until_ready(process, log):
        for _ in range(400):
            match = re.search(r"127\.0\.0\.1:([1-9][0-9]*)", "".join(log))
            if match and '"ready"' in "".join(log):
                return "http://" + match.group(0)
            must(process.poll() is None, f"the server ended:\n{''.join(log)}")
            time.sleep(0.05)
        fail(f"the server is not ready:\n{''.join(log)}")

    @staticmethod
    def ask(url, body=None):
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
                return json.loads(answer.read().decode())
        except urllib.error.HTTPError as error:
            return json.loads(error.read().decode())

    def see_health(self, url, folder):
        mine = {}
        for _ in range(200):
            mine = self.ask(url + "/health")["components"].get("mine", {})
            if mine.get("status") == "ok" and os.path.join(folder, "conf.yaml") in mine.get("detail", ""):
                return
            time.sleep(0.05)
        fail(f"/health does not say that \"mine\" is ok: {mine}")

    def see_app(self, url, _folder):
        said = self.ask(url + "/myapp/hello?name=Ada")
        must(said == {"greeting": "Hello, Ada!"}, f"the app says {said}")
        said = self.ask(url + "/myapp/sum", {"numbers": [1, 2, 3.5]})
        must(said == {"sum": 6.5}, f"the app says {said}")
        said = self.ask(url + "/myapp/sum", {})
        must(said["error"]["code"] == "invalid" and "numbers" in said["error"]["message"], f"the app says {said}")

    def see_retrieval(self, url, _folder):
        self.ask(url + "/api/v1/collections/docs", {})
        for name, text in [("trains", "Trains are second class, unless the trip takes six hours."),
                           ("hotels", "Hotels cost at most ninety euros a night.")]:
            said = self.ask(url + "/api/v1/collections/docs/documents", {"id": name, "title": name, "text": text})
            must("error" not in said, f"document {name}: {said}")
        said = self.ask(url + "/api/v1/search", {"collection": "docs", "query": "what may hotels cost"})
        must(said.get("hits") and said["hits"][0]["document"] == "hotels", f"the search says {said}")

    def serve_them(self):
        head = 'data_dir: .\nplugins: [ {} ]\nserver: {{ listen: [ "127.0.0.1:0" ], workers: 2, drain: {{ delay: 0 }} }}\n'
        self.serve(os.path.join(self.desk, "myhealth"),
                   head.format("build") + "health: { mine: { use: myhealth, path: conf.yaml, every: 1s } }\n", self.see_health)
        self.serve(os.path.join(self.desk, "myapp"), head.format("build") + "app: { myapp: { use: myapp } }\n", self.see_app)
        folders = ", ".join(f"my{kind}/build" for kind in ["vector", "embed", "llm", "cache", "alert"])
        self.serve(self.desk, head.format(folders) + "storage: { main: { use: sqlite, path: x.db } }\n"
                   "vector: { docs: { use: myvector } }\nembed: { main: { use: myembed } }\nllm: { echo: { use: myllm } }\n"
                   "cache: { main: { use: mycache } }\nalert: { file: { use: myalert, path: a.jsonl } }\n"
                   "app: { retrieval: { storage: main, vector: docs, embed: main, llm: [ echo ] } }\n", self.see_retrieval)


def main():
    parser = argparse.ArgumentParser()
    for name in ["--build", "--source", "--cmake"]:
        parser.add_argument(name, required=True)
    arguments = parser.parse_args()
    home = tempfile.mkdtemp(prefix="bp-author-")
    try:
        day = Day(arguments, home)
        day.install_and_move()
        day.first_party_plugins_export_one_symbol()
        day.first_party_plugins_see_only_the_sdk()
        for kind in KINDS:
            day.write_build_and_test(kind)
        day.refuse_bad_orders()
        day.break_all()
        day.serve_them()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
