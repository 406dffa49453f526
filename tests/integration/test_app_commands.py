"""test_app_commands.py - commands that an app of a third party brings: found in the conf or asked of a server, listed by help, run with
files of any size, refused without their scope; and core/ names no app."""
import contextlib
import http.client
import http.server
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import threading

from backplane_test import PROGRAM, SOURCE, Server, check, check_equal, run, run_tests, wait_until

folder = tempfile.mkdtemp(prefix="backplane-test-")
PLUGIN = os.path.join(os.path.dirname(os.path.dirname(os.environ["BACKPLANE_FAULT_PLUGINS"])), "integration", "app_commands")
MIB = 1 << 20


def made(home, release="now", **server):
    return {"data_dir": os.path.join(home, "data"), "plugins": [os.path.join(PLUGIN, release)],
            "server": {"listen": ["127.0.0.1:0"], "workers": 1, **server},
            "storage": {"main": {"use": "sqlite", "path": "a.db"}},
            "app": {"first": {"use": "stranger"}, "second": {"use": "stranger", "greeting": "Goodbye"}}}


def write(name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


def conf_path():
    return write("c.yaml", json.dumps(made(folder)))


def url_of(server):
    return f"http://127.0.0.1:{server.port}"


def resident_kib(process):
    with open(f"/proc/{process.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


# ---- finding ----

def help_lists_them_and_says_which_name_is_taken():
    said = run("help", "-c", conf_path())
    check_equal((said.returncode, said.stderr), (0, ""), "help")
    for line in (r"  say +\[WORD\]\.\.\. +says something", r"  guard post ", r"  second:say ", r"  first:version ", r"  version +print the version"):
        check(re.search("^" + line, said.stdout, re.M), f"{line} is missing: {said.stdout}")
    listed = {one["name"]: one for one in json.loads(run("help", "--json", "-c", conf_path()).stdout)}
    check_equal(listed["say"]["app"], "first", "whose it is")
    check("app" not in listed["serve"] and {"name": "--times", "has_value": True} in listed["second:say"]["options"], f"{listed}")
    for words in (("say",), ("guard", "post"), ("guard",), ("second:say",)):
        one = run(*words, "--help", "-c", conf_path())
        check(one.returncode == 0 and one.stdout.startswith("usage: backplane ") and "--url URL" in one.stdout, f"{words}: {one}")
    with Server(made=made) as server:
        check_equal(run("help", "--url", url_of(server)).stdout, said.stdout, "asked of a server")
        table = server.get("/commands").json["commands"]
        check_equal([one["name"] for one in table if one["instance"] == "first"], ["say", "flood", "measure", "guard post", "version"], "the table")
        paths = server.get("/openapi.json").json["paths"]
        check_equal(paths["/commands/first/guard/post"]["post"]["x-scope"], "stranger:guard", "openapi")


def a_conf_that_cannot_be_read_leaves_the_programs_own():
    said = run("help", "-c", write("bad.yaml", "app: [\n"))
    check(said.returncode == 0 and "  serve " in said.stdout and "commands of apps are missing here" in said.stderr and "bad.yaml" in said.stderr, f"{said}")
    check_equal(run("say", "-c", folder + "/bad.yaml").returncode, 78, "a command of it")
    said = run("sai", "-c", conf_path())
    check(said.returncode == 2 and 'did you mean "say"' in said.stderr, f"{said}")
    said = run("say", cwd=folder)
    check(said.returncode == 2 and "there is no command" in said.stderr, f"without a conf: {said}")
    said = run("say", "--url", "http://127.0.0.1:1")
    check(said.returncode == 1 and "127.0.0.1:1" in said.stderr, f"without a server: {said}")


def an_app_from_before_there_were_commands_loads():
    with Server(made=lambda home: made(home, "before")) as server:
        check_equal(server.get("/commands").json, {"commands": []}, "its commands")
    check_equal(run("say", "-c", write("old.yaml", json.dumps(made(folder, "before")))).returncode, 2, "its command")


def the_first_of_the_conf_wins_and_a_name_before_it_chooses():
    for words, wanted in ((["say"], "Hello\n"), (["second:say"], "Goodbye\n"), (["first:say", "--times", "2"], "Hello\nHello\n"),
                          (["first:version"], "guarded for default\n"), (["first:guard", "post"], "guarded for default\n")):
        check_equal(run(*words, "-c", conf_path()).stdout, wanted, f"{words}")
    check(run("version").stdout.startswith("backplane "), "the program's own")


# ---- what is typed ----

def what_is_typed_wrong_is_told_as_ever():
    usage = r"usage: backplane say \[--times N\] .*\[--url URL \| -c FILE\] \[WORD\]\.\.\.\n$"
    for words, said in ((["say", "--tims", "2"], 'there is no option "--tims" (did you mean "--times"?)'),
                        (["say", "--times"], "the option --times has no value behind it"),
                        (["say", "--fail", "--fail"], "the option --fail stands here twice"),
                        (["say", b"\xff"], "not UTF-8"), (["say", "--refuse", "not today"], "backplane say: not today\n"),
                        (["flood", "a"], '"a" is one word too many'), (["measure", "x"], "usage: backplane measure --list FILE"),
                        (["guard", "pst"], "usage: backplane guard post"), (["measure", "--list", "x"], "usage: backplane measure")):
        done = run(*words, "-c", conf_path())
        check(done.returncode == 2 and said in done.stderr, f"{words}: {done}")
        if words[0] == "say" and words[1] != b"\xff":
            check(re.search(usage, done.stderr), f"the usage line: {done.stderr}")
    check_equal(run("say", "-c", conf_path(), "--", "--times", "--").stdout, "Hello <--times> <-->\n", "behind --")


# ---- what is said ----

def it_prints_warns_and_ends_as_it_says():
    for where in ("-c", "--url"):
        with Server(made=made) as server:
            if where == "-c":
                server.stop()
            at = [where, server.conf_path if where == "-c" else url_of(server)]
            done = run("say", "a", "b c", "--times=3", "--exit", "7", *at)
            check_equal((done.returncode, done.stdout), (7, "Hello <a> <b c>\n" * 3), f"{done}")
            check("be careful\n" in done.stderr and re.search(r"greetings \[#{30}\] 3/3 ", done.stderr), done.stderr)
            done = run("say", "--fail", "--escape", *at)
            check_equal((done.returncode, done.stdout), (1, "Hello\n\\x1b]0;title\\x07\\u009b31m\ttab\n\\x0dback\n"), "control characters")
            check("backplane say: it was told to fail: \\x1b[31mred (status 409)\n" in done.stderr, done.stderr)


def a_bar_grows_in_place_on_a_terminal():
    leader, follower = pty.openpty()
    done = subprocess.run([PROGRAM, "say", "--times", "2", "-c", conf_path()], stdout=subprocess.PIPE, stderr=follower, timeout=60)
    os.close(follower)
    said = b""
    while not said.endswith(b"\n") or b"2/2" not in said:
        said += os.read(leader, 4096)
    os.close(leader)
    check(done.returncode == 0 and b"\rgreetings [" in said, f"{said!r}")


def an_answer_that_is_cut_is_a_failure():
    with Server(made=made) as server:
        process = subprocess.Popen([PROGRAM, "say", "--sleep", "60", "--url", url_of(server)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check_equal(process.stdout.readline(), "Hello\n", "it has begun")
        server.kill()
        check("ended before the command did" in process.communicate(timeout=30)[1] and process.returncode == 1, "the end")
    with Server(made=made) as server:
        process = subprocess.Popen([PROGRAM, "say", "--sleep", "60", "--url", url_of(server)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check_equal(process.stdout.readline(), "Hello\n", "it has begun")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        wait_until(lambda: server.metric("http_requests_in_flight") <= 1, 10, "the call goes on without its client")


def no_end_of_the_reader_is_taken_for_one():
    with Server(made=made) as server:
        process = subprocess.Popen([PROGRAM, "flood", "--url", url_of(server)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check_equal(len(process.stdout.read(MIB)), MIB, "what was printed")
        process.stdout.close()
        check(process.wait(30) == 1, f"status {process.returncode}")
        process.stderr.close()
        wait_until(lambda: server.metric("http_requests_in_flight") <= 1, 10, "the flood goes on")


# ---- files ----

def files_of_any_size_stream():
    big, small, other = write("in/big.bin", b"\x01" * (100 * MIB)), write("in/sub/small.TXT", "abc\ndef"), write("in/picture.png", "x")
    write("in/.hidden.txt", "x")
    listing = write("list", "the list")
    # What AddressSanitizer keeps of freed memory is not the server's.
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
    with Server(made=made, environment={"ASAN_OPTIONS": options.lstrip(":")}) as server:
        run("say", "--url", url_of(server))
        before, most, is_over = resident_kib(server.process), [0], threading.Event()

        def watch():
            while not is_over.wait(0.01):
                most[0] = max(most[0], resident_kib(server.process))
        watcher = threading.Thread(target=watch)
        watcher.start()
        done = run("measure", "--list", listing, "--url", url_of(server), os.path.join(folder, "in"))
        is_over.set()
        watcher.join()
        check_equal(done.stdout, f"list: the list\n0 lines\n{big}: announced {100 * MIB}, read {100 * MIB}, sum {100 * MIB}\n"
                    f"{small}: announced 7, read 7, sum {sum(b'abc' + b'def') + 10}\n1 left out, not alone\n", "what it read")
        check_equal(done.returncode, 0, done.stderr)
        print(f"        {(most[0] - before) / 1024:.1f} MiB more for 100 MiB")
        check(most[0] - before < 16 << 10, f"the server grew by {most[0] - before} KiB")
        done = run("measure", "--skip", "--late", "--list", listing, "--url", url_of(server), big, small)
        check_equal(done.stdout, f"1 lines\n{big}: announced {100 * MIB}, read 0, sum 0\n{small}: announced 7, read 0, sum 0\n"
                    "list: the list\n0 left out, not alone\n", "skipped")
    done = run("measure", "--list", listing, "-c", conf_path(), other, "/dev/stdin")  # named, it is taken whatever its ending
    check(f"{other}: announced 1, read 1" in done.stdout and "0 left out, alone" in done.stdout, f"{done}")
    fifo = os.path.join(folder, "pipe.txt")
    os.mkfifo(fifo)
    threading.Thread(target=lambda: open(fifo, "wb").write(b"\x02" * (3 * MIB)), daemon=True).start()
    done = run("measure", "--list", listing, "-c", conf_path(), fifo)
    check(f"{fifo}: announced -1, read {3 * MIB}, sum {6 * MIB}" in done.stdout, f"a pipe: {done}")


def files_of_options_are_weighed_by_client():
    listing = write("much", b"x" * (40 * MIB))
    with Server(made=lambda home: made(home, limits={"body": "1MiB", "bodies_per_client": "1MiB"})) as server:
        done = run("measure", "--list", listing, "--url", url_of(server), listing)
        check(done.returncode == 1 and "limit of one client" in done.stderr, f"{done.returncode} {done.stderr[:300]}")
        wait_until(lambda: server.metric("http_bodies_incoming_bytes") == 0, 10, "the bytes are not given back")
        done = run("measure", "--list", write("little", "few"), "--url", url_of(server), listing)
        check_equal(done.returncode, 0, done.stderr)


def a_file_that_cannot_be_read_is_named():
    listing, good = write("list", "l"), write("good.txt", "good")
    done = run("measure", "--list", listing, "-c", conf_path(), good, folder + "/none.txt", good)
    check_equal((done.returncode, done.stderr.split("\n")[-2]),
                (1, f"backplane measure: {folder}/none.txt cannot be read: No such file or directory"), f"{done}")
    check(done.stdout.count("good.txt") == 1, done.stdout)
    done = run("measure", "--list", folder + "/none", "-c", conf_path(), good)
    check(done.returncode == 1 and "/none cannot be read" in done.stderr, f"{done}")
    write("large-list", b"x" * (65 * MIB))
    done = run("measure", "--list", folder + "/large-list", "-c", conf_path(), good)
    check(done.returncode == 1 and "64 MiB" in done.stderr, f"{done}")


# ---- who may ----

def who_lacks_the_scope_is_refused():
    with Server(made=lambda home: made(home, auth={"mode": "keys", "storage": "main"})) as server:
        server.stop()
        keys = [json.loads(run("key", "create", "--scopes", scopes, "--any-scope", "--json", "-c", server.conf_path).stdout)["key"]
                for scopes in ("stranger:guard", "other:read")]
        known = run("key", "create", "--scopes", "stranger:guard", "--json", "-c", server.conf_path)
        check_equal(known.returncode, 0, f"the scope of a command is known: {known.stderr}")
        server.start()
        for key, status, said in ((keys[0], 0, ""), (keys[1], 1, 'lacks the scope "stranger:guard" (status 403)'), (None, 1, "(status 401)")):
            done = run("guard", "post", "--url", url_of(server), environment={"BACKPLANE_API_KEY": key} if key else {})
            check(done.returncode == status and said in done.stderr, f"{done}")
        big = write("in/big.bin", b"\x01" * (100 * MIB))
        check_equal(run("say", "--url", url_of(server)).returncode, 0, "a command without a scope")
        connection = server.connect()
        connection.request("POST", "/commands/first/guard/post", body=open(big, "rb"))
        with_body = None
        try:
            with_body = connection.getresponse().status
        except (ConnectionError, http.client.HTTPException):
            pass
        check(with_body in (401, None), f"a body that nobody reads: {with_body}")


# ---- servers that mean harm ----

class Liar(http.server.BaseHTTPRequestHandler):
    """Says what its server's `answer` is, whatever the command."""
    table = [{"instance": "a", "name": "lie", "arguments": "", "summary": "\x1b[31mred", "options": [{"name": "x", "help": "\x1b]0;t\x07"}]},
             {"instance": "a", "name": "../up", "arguments": "", "summary": "s", "options": []},
             {"instance": "a", "name": "odd", "arguments": "", "summary": "s", "options": [{"name": "-\n-", "help": "h"}]}, 7, None]

    def log_message(self, *words):
        pass

    def say(self, body, kind="application/x-ndjson"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.say(json.dumps({"commands": self.table}).encode(), "application/json")

    def do_POST(self):
        while self.rfile.readline() not in (b"0\r\n", b""):  # a close with bytes unread would take the answer along
            pass
        with contextlib.suppress(OSError):
            self.say(self.server.answer)


def a_server_that_lies_does_no_harm():
    liar = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    threading.Thread(target=liar.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{liar.server_port}"
    said = run("help", "--url", url)
    check(said.returncode == 0 and "  lie " in said.stdout and "\x1b" not in said.stdout, f"{said}")
    check("up" not in re.findall(r"^  (\S+)", said.stdout, re.M) and "odd" not in said.stdout, f"malformed entries: {said.stdout}")
    check("\x1b" not in run("lie", "--help", "--url", url).stdout, "help of one")
    for answer, wanted in ((b"", "ended before the command did"), (b'{"print": "a"}\n', "ended before the command did"),
                           (b"no JSON\n", "no event"), (b"[]\n", "no event"), (b'{"print": "' + b"x" * (3 * MIB) + b'"}\n', "longer than"),
                           (b"x" * (3 * MIB), "longer than"), (b'{"end": {"status": 1000, "http_status": 500, "message": "\\u001b[2J"}}\n', "\\x1b[2J"),
                           (b'{"progress": {"what": 7, "done": -5}}\n{"progress": 1}\n{"end": 7}\n', "ended before"),
                           (b'{"end": {"status": 0}}', "ended before")):
        liar.answer = answer
        done = run("lie", "--url", url, seconds=30)
        check(wanted in done.stderr and done.returncode == 1, f"{answer[:60]}: {done.returncode} {done.stderr[:300]}")
    liar.shutdown()
    liar.server_close()


# ---- core ----

def core_names_no_app():
    apps = [name for name in sorted(os.listdir(SOURCE + "/plugins/app")) if name not in ("git", "filesystem")]  # words of their own
    examples = ('--scopes \\"retrieval:read\\"', '.example = "[retrieval]"')  # of a sentence and of a reference page
    found = []
    for base, _, names in os.walk(SOURCE + "/core"):
        for name in names:
            if not name.endswith((".c", ".h")):
                continue
            with open(os.path.join(base, name), encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    if re.search(r"\b(" + "|".join(apps) + r")|/api/v1/", line) and not any(one in line for one in examples):
                        found.append(f"{os.path.relpath(os.path.join(base, name), SOURCE)}:{number}: {line.strip()}")
    check(not found, "\n".join(found))


try:
    run_tests([help_lists_them_and_says_which_name_is_taken, a_conf_that_cannot_be_read_leaves_the_programs_own,
               an_app_from_before_there_were_commands_loads, the_first_of_the_conf_wins_and_a_name_before_it_chooses,
               what_is_typed_wrong_is_told_as_ever, it_prints_warns_and_ends_as_it_says, a_bar_grows_in_place_on_a_terminal,
               an_answer_that_is_cut_is_a_failure, no_end_of_the_reader_is_taken_for_one, files_of_any_size_stream, files_of_options_are_weighed_by_client,
               a_file_that_cannot_be_read_is_named, who_lacks_the_scope_is_refused, a_server_that_lies_does_no_harm, core_names_no_app])
finally:
    shutil.rmtree(folder)
