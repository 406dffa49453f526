"""test_app_commands.py - commands that an app of a third party brings: found in the conf or asked of a server, listed by help, run and told
when wrong. Those with large files and with keys are in tests/integration/test_app_uploads.py."""
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
import threading

from app_commands_rig import MIB, conf_path, folder, made, url_of, write
from backplane_test import PROGRAM, Server, check, check_equal, run, run_tests, wait_until

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


try:
    run_tests([help_lists_them_and_says_which_name_is_taken, a_conf_that_cannot_be_read_leaves_the_programs_own,
               an_app_from_before_there_were_commands_loads, the_first_of_the_conf_wins_and_a_name_before_it_chooses,
               what_is_typed_wrong_is_told_as_ever, it_prints_warns_and_ends_as_it_says, a_bar_grows_in_place_on_a_terminal,
               an_answer_that_is_cut_is_a_failure, no_end_of_the_reader_is_taken_for_one, a_file_that_cannot_be_read_is_named,
               a_server_that_lies_does_no_harm])
finally:
    shutil.rmtree(folder)
