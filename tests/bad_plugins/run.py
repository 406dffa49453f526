#!/usr/bin/env python3
"""run.py - tries plugins that are broken on purpose, one a run, and asks for the sentence the host owes its user.

    run.py --list
    run.py --program build/debug/core/backplane --fixtures DIR NAME

Each case of the table says how the file is made, how it is tried, what must be said, and with which exit status.
"""
import argparse
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

CASES = {}


def case(name, tried, said, status, **more):
    CASES[name] = dict(tried=tried, said=[said] if isinstance(said, str) else said, status=status, **more)


# ---- files made by damaging good.so: its note, its ELF header, its length ----

NOTE = {"descriptor_size": (4, "<I"), "magic": (24, "<I"), "abi_major": (28, "<H"), "min_host_minor": (32, "<H"),
        "kind_version": (36, "<I"), "kind": (40, "16s"), "name": (56, "32s")}


def note(field, value):
    def damage(data):
        at = data.index(b"Backplane\0") - 12
        place, form = NOTE[field]
        struct.pack_into(form, data, at + place, value)
        return data
    return damage


def byte(place, form, value):
    def damage(data):
        struct.pack_into(form, data, place, value)
        return data
    return damage


def damaged(name, damage, said):
    case(name, "inspect", said, 1, damage=damage, base="good", unrun=True)


damaged("text", lambda data: bytearray(b"#!/bin/sh\necho this is not a plugin at all, it is a script of sixty bytes\n"),
        "it is not an ELF file")
damaged("empty", lambda data: bytearray(), "it is empty")
damaged("truncated", lambda data: data[:len(data) // 4], "it is cut off: a segment lies beyond its end")
damaged("without_its_end", lambda data: data[:-200], "it is cut off: its section headers lie beyond its end")
damaged("header_only", lambda data: data[:64], "it is cut off: its program headers lie beyond its end")
damaged("other_machine", byte(18, "<H", 8), "it is for another processor (ELF machine 8, this host is")
damaged("for_32_bit", byte(4, "B", 1), "it is not for a 64-bit little-endian machine")
damaged("big_endian", byte(5, "B", 2), "it is not for a 64-bit little-endian machine")
damaged("note_magic", note("magic", 0xdeadbeef), "magic number 0xdeadbeef instead of 0x42504c47")
damaged("note_short", note("descriptor_size", 16), "its note is shorter (16 bytes) than that of ABI 1.0 (88)")
damaged("abi_too_old", note("abi_major", 0), "it was built for ABI 0.0, this host has 1.0: build it with a newer SDK")
damaged("abi_too_new", note("abi_major", 2), "it was built for ABI 2.0, this host has 1.0: build it with an older SDK")
damaged("host_too_old", note("min_host_minor", 77), "it needs a host of ABI 1.77 or newer, this one has 1.0: update the host")
damaged("kind_unknown", note("kind", b"weather"), 'it is of kind "weather", which this host does not know')
damaged("kind_too_new", note("kind_version", 9), "it has version 9 of kind health, this host serves versions 1 to 1")
damaged("name_bad", note("name", b"Not A Name!"), 'its name "Not A Name!" is not of the form [a-z0-9_-]{1,31}')

# ---- refused by inspection, whether asked for or found in the folder ----

case("executable", "inspect", "it is not a shared object: link it with -shared", 1)
case("no_note", "inspect", "it has no Backplane note, so it is not a Backplane plugin: use BP_PLUGIN()", 1)
case("no_entry", "inspect", "it does not export bp_plugin_entry()", 1)
case("lazy", "inspect", "it was not linked with -z now", 1)
case("world_writable", "inspect", "anybody may write to it (mode 0666): chmod o-w it", 1, base="good", mode=0o666, unrun=True)
case("link_elsewhere", "inspect", "it is a symbolic link out of its folder", 1, base="good", link=True, unrun=True)
case("found_in_folder", "plugins", "it was built for ABI 3.0", 1, base="good", damage=note("abi_major", 3), unrun=True)
case("duplicate", "plugins", ["another.so: there is another plugin health/good, in", "duplicate.so: there is another"], 1,
     base="good", twice=True, unrun=True)
case("folder_named_twice", "check", "0 errors", 0, base="good", folder_again=True)
case("duplicate_in_use", "check", "there is another plugin health/good, in", 78, base="good", twice=True, unrun=True)

# ---- refused when loaded ----

case("old_hash", "plugins", "old_hash                 1.0.0", 0, run=True)
case("sound", "plugins", "good", 0, base="good", run=True)
case("entry_null", "plugins", "bp_plugin_entry() gave no descriptor for ABI 1.0", 1)
case("descriptor_magic", "plugins", "its descriptor has the magic number 0x12345678 instead of 0x42504c47", 1)
case("descriptor_short", "plugins", "its descriptor is shorter (40 bytes) than that of ABI 1.0", 1)
case("descriptor_disagrees", "plugins", "its descriptor and its note disagree: health/somebody_else and health/descriptor_disagrees", 1)
case("instance_huge", "plugins", "its instance has 1048576 bytes, the most is 64 KiB", 1)
case("no_ops", "plugins", "it has no table of operations: set .ops", 1)
case("option_count_huge", "plugins", "its option table is malformed: 4000000000 options", 1)
case("option_outside", "plugins", 'option "count": its field at 4096 of 8 bytes lies outside the instance', 1)
case("option_default", "plugins", ['option "wait": its default', "1m"], 1)
case("option_no_choices", "plugins", 'option "choice": it is a choice without `choices`', 1)
case("option_no_help", "plugins", 'option "count": it has no help', 1)
case("service_missing", "plugins", 'it needs the host service "telepathy", which this host does not have', 1)
case("service_major", "plugins", 'it needs version 7 of the host service "call", this host has version 1', 1)
case("service_too_new", "plugins", 'it needs a newer host: service "call" must have 100000 bytes of functions', 1)
case("undefined_symbol", "plugins", ["it cannot be loaded", "undefined symbol: function_that_is_nowhere"], 1)

# ---- refused by the conf ----

case("conf_names_it", "check", "its descriptor is shorter (40 bytes)", 78, base="descriptor_short")
case("check_fails", "check", "these settings contradict each other", 78)
case("not_there", "check", ["nothing_of_this_name"], 78, base="good", use="nothing_of_this_name")

# ---- fails or misbehaves in a running host; `order` must stand in the log in this order ----

case("shared_create_fails", "serve", "shared_create failed: the server at home is not at home", 74, before="steps",
     order=["step create 0 of a", "step start 0 of a", "step start 1 of a", "step stop 1 of a", "step stop 0 of a",
            "step destroy 0 of a"], never=["of bad"])
case("worker_start_fails", "serve", "worker_start failed: one worker is enough for me", 74, before="steps",
     order=["step create 0 of a", "step create 0 of bad", "step start 0 of bad", "step start 1 of bad", "step stop 0 of bad",
            "step destroy 0 of bad", "step stop 1 of a", "step stop 0 of a", "step destroy 0 of a"],
     never=["step stop 1 of bad"])
case("not_critical", "serve", ["instance_degraded", "the host starts without it", "one worker is enough for me"], 0,
     base="worker_start_fails", options="critical: false", health=("bad", "down", "one worker is enough for me"))
case("start_blocks", "serve", ["loop_blocked", "health/start_blocks holds the loop", "in worker_start"], 0)
case("status_99", "serve", [], 0, health=("bad", "down", "health/status_99 returned the status 99, which does not exist"))
case("fails_silently", "serve", [], 0, health=("bad", "down", "another server answered with an error"))
case("op_null", "serve", [], 0, health=("bad", "down", 'health/op_null cannot do "check"'))
case("ops_short", "serve", [], 0, health=("bad", "down", 'health/ops_short cannot do "check"'))
case("sleeps", "serve", [], 0, options="deadline: 200ms", health=("bad", "down", "sleeping took longer than the time allowed"))
case("spins", "serve", ["loop_blocked", "health/spins holds the loop", "in check"], 0, health=("bad", "ok", "asked and answered"))
case("leaks", "serve", ["plugin_leak", "health/leaks left 1 thread pools, 1 locks and 0 connections behind"], 0)
case("meddles", "serve", ["plugin_meddled", "health/meddles changed the umask while worker_start", "changed the locale",
                          "changed a signal handler", "changed the signal mask", "changed a standard descriptor"], 0)

# ---- ends the process: the report names who it was ----

REPORT = [r"plugin: app/{name}", r"instance: {name}", r"op: GET /bad", r"request: the-bad-request", r"build id: [0-9a-f]{8}"]
case("crashes", "crash", ["crashed: SIGSEGV at address 0x10"] + REPORT, -signal.SIGSEGV)
case("aborts", "crash", ["crashed: SIGABRT"] + REPORT, -signal.SIGABRT)
case("overflows", "crash", ["crashed: SIGSEGV", "cause: app/overflows overflowed its fiber stack of"] + REPORT, -signal.SIGSEGV)
case("exits", "crash", ["was ended by exit\\(\\)"] + REPORT, 70)


class Trial:
    def __init__(self, name, program, fixtures):
        self.name, self.program, self.fixtures = name, program, fixtures
        self.case = CASES[name]
        self.plugin = self.case.get("base", name)
        self.home = tempfile.mkdtemp(prefix="bp-bad-")
        os.chmod(self.home, 0o755)
        self.folder = os.path.join(self.home, "plugins")
        os.mkdir(self.folder)
        self.mark = os.path.join(self.home, "constructor-ran")
        self.environment = dict(os.environ, BACKPLANE_PLUGINS=self.folder, BAD_PLUGIN_MARK=self.mark)
        self.environment.pop("LC_ALL", None)

    def make(self):
        source = os.path.join(self.fixtures, self.plugin + ".so")
        self.file = os.path.join(self.folder, self.name + ".so")
        if self.case.get("link"):
            os.symlink(source, self.file)
            return
        shutil.copyfile(source, self.file)
        if self.case.get("twice"):
            shutil.copyfile(source, os.path.join(self.folder, "another.so"))
        if "damage" in self.case:
            with open(self.file, "rb") as stream:
                data = self.case["damage"](bytearray(stream.read()))
            with open(self.file, "wb") as stream:
                stream.write(data)
        os.chmod(self.file, self.case.get("mode", 0o755))
        if "before" in self.case:
            shutil.copyfile(os.path.join(self.fixtures, self.case["before"] + ".so"),
                            os.path.join(self.folder, self.case["before"] + ".so"))

    def run_once(self, *arguments):
        done = subprocess.run([self.program, *arguments], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=30, text=True, errors="replace", cwd=self.home)
        return done.returncode, done.stdout

    def write_conf(self):
        use = self.case.get("use", self.plugin)
        options = self.case.get("options")
        path = os.path.join(self.home, "backplane.yaml")
        with open(path, "w") as stream:
            stream.write("data_dir: .\nserver: { listen: [ \"127.0.0.1:0\" ], workers: 2, drain: { delay: 0 } }\n")
            if self.case["tried"] == "crash":
                stream.write(f"app:\n  {use}: {{ use: {use} }}\n")
                return path
            if self.case.get("folder_again"):  # by another path
                stream.write(f"plugins: [ {self.home}/./plugins ]\n")
            stream.write("health:\n")
            if "before" in self.case:
                stream.write(f"  a: {{ use: {self.case['before']}, every: 1s }}\n")
            stream.write(f"  bad: {{ use: {use}, every: 1s{', ' + options if options else ''} }}\n")
        return path

    # ---- a running host ----

    def start(self):
        self.log = []
        self.process = subprocess.Popen([self.program, "serve", "--conf", self.write_conf()], env=self.environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        text=True, errors="replace", cwd=self.home)
        self.reader = threading.Thread(target=lambda: self.log.extend(iter(self.process.stderr.readline, "")))
        self.reader.start()

    def text(self):
        return "".join(self.log)

    def address(self):
        for _ in range(200):
            match = re.search(r'127\.0\.0\.1:([1-9][0-9]*)', self.text())
            if match and '"ready' in self.text():
                return match.group(0)
            if self.process.poll() is not None:
                return None
            time.sleep(0.05)
        return None

    def ask(self, address, path):
        request = urllib.request.Request(f"http://{address}{path}", headers={"X-Request-Id": "the-bad-request"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError as error:
            return str(error)

    def wait_for_health(self, address):
        component, level, detail = self.case["health"]
        answer = ""
        for _ in range(100):
            answer = self.ask(address, "/health")
            found = json.loads(answer)["components"].get(component, {})
            if found.get("status") == level and re.search(detail, found.get("detail", "")):
                return []
            time.sleep(0.05)
        return [f"/health does not say {component} is {level}: {detail}; it says {answer}"]

    def wait_for_words(self):
        for _ in range(40):
            if all(word in self.text() for word in self.case["said"]):
                return
            time.sleep(0.05)

    def serve(self):
        wrong = []
        self.start()
        address = self.address()
        if address and "health" in self.case:
            wrong += self.wait_for_health(address)
        if address and self.case["tried"] == "crash":
            self.ask(address, "/bad")
        elif self.process.poll() is None:
            if self.plugin != "leaks":
                self.wait_for_words()
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = "killed, as it did not end"
            self.process.wait()
        self.reader.join()
        return status, self.text(), wrong

    # ---- the verdict ----

    def judge(self):
        tried, wrong = self.case["tried"], []
        self.make()
        if tried == "inspect":
            status, text = self.run_once("inspect", self.file)
            found, listed = self.run_once("plugins")
            if found != 1 or self.case["said"][0] not in listed:
                wrong.append(f"`plugins` does not say the same (status {found}): {listed}")
        elif tried == "plugins":
            status, text = self.run_once("plugins")
        elif tried == "check":
            status, text = self.run_once("check", "--conf", self.write_conf())
        else:
            status, text, wrong = self.serve()
        if status != self.case["status"]:
            wrong.append(f"the exit status is {status}, not {self.case['status']}")
        for said in self.case["said"]:
            said = said.replace("{name}", self.plugin)
            if (not re.search(said, text)) if tried == "crash" else (said not in text):
                wrong.append(f"nothing says: {said}")
        at = 0
        for step in self.case.get("order", []):
            place = text.find(step, at)
            if place < 0:
                wrong.append(f"not there, or not in order: {step}")
                break
            at = place + 1
        wrong += [f"this must not be said: {never}" for never in self.case.get("never", []) if re.search(r"step \w+ \d+ " + never if never.startswith("of") else never, text)]
        if self.case.get("unrun") and os.path.exists(self.mark):
            wrong.append("the file was refused, and yet its constructor ran")
        if self.case.get("run") and not os.path.exists(self.mark):
            wrong.append("the constructor did not run, so its mark proves nothing")
        if wrong:
            print(text)
        return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--program")
    parser.add_argument("--fixtures")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(CASES))
        return 0
    failed = 0
    for name in arguments.names or CASES:
        trial = Trial(name, os.path.abspath(arguments.program), os.path.abspath(arguments.fixtures))
        try:
            wrong = trial.judge()
        finally:
            shutil.rmtree(trial.home, ignore_errors=True)
        for sentence in wrong:
            print(f"{name}: {sentence}")
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
