"""test_habits.py - what people who run servers expect without reading: signals, -t -q -V, --help of everything, --json, failures of a
start in the log, who asked in the log; and API keys that say what they may do and when they end."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from backplane_test import PROGRAM, Server, check, check_equal, conf, run, run_tests, wait_until

folder = tempfile.mkdtemp(prefix="backplane-test-")


def write(made, name="c.yaml"):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(made if isinstance(made, str) else json.dumps(made))
    return path


def commands():
    return json.loads(run("help", "--json").stdout)


# ---- signals ----

def begin_endless_request(server):
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(b"POST /api/v1/collections/docs/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                       b"Content-Length: 1000\r\n\r\n{")
    time.sleep(0.2)
    return connection


def sigusr2_is_told_and_does_not_kill():
    with Server() as server:
        server.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: server.find_event("signal_ignored"), 3, "SIGUSR2 is not answered in the log")
        check_equal(server.get("/health/live").status, 200, "it lives")


def sigquit_ends_at_once():
    with Server(server={"drain": {"delay": "30s", "timeout": "30s"}}) as server:
        server.make_collection()
        slow = begin_endless_request(server)
        server.process.send_signal(signal.SIGQUIT)
        check_equal(server.process.wait(5), 128 + signal.SIGQUIT, "exit status")
        slow.close()


@contextlib.contextmanager
def a_start_that_hangs():
    """On a database that takes connections and says nothing."""
    with tempfile.TemporaryDirectory(prefix="backplane-test-") as own, contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"postgres://a:b@127.0.0.1:{silent.getsockname()[1]}/c"
        path = write(conf(own, storage={"main": {"use": "postgres", "url": url}}))
        started = subprocess.Popen([PROGRAM, "serve", "-c", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        connection, _ = silent.accept()  # it waits for an answer now
        with connection:
            check(started.poll() is None, "it does not hang")
            yield started
        if started.poll() is None:
            started.kill()
        started.wait()


def a_start_that_hangs_can_be_ended():
    with a_start_that_hangs() as started:
        started.send_signal(signal.SIGQUIT)
        check_equal(started.wait(5), 128 + signal.SIGQUIT, "SIGQUIT")
        check(b"stopped_at_once" in started.stderr.read(), "the log does not say it")
    with a_start_that_hangs() as started:
        started.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        check(started.poll() is None, "the first SIGTERM waits for the start")
        started.send_signal(signal.SIGTERM)
        check_equal(started.wait(5), 128 + signal.SIGTERM, "a second SIGTERM")


def a_second_sigterm_ends_at_once():
    with Server(server={"drain": {"delay": "0s", "timeout": "60s"}}) as server:
        server.make_collection()
        slow = begin_endless_request(server)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.find_event("stopping"), 5, "the first one")
        time.sleep(0.3)
        check(server.process.poll() is None, "the first one waits for requests under way")
        server.process.send_signal(signal.SIGTERM)
        check_equal(server.process.wait(5), 128 + signal.SIGTERM, "exit status")
        check(server.find_event("stopped_at_once"), "the log does not say it")
        slow.close()
        server.start()
        check_equal(server.get("/api/v1/collections/docs").status, 200, "what was acknowledged is there")


def readiness_fails_for_three_seconds_before_the_listeners_close():
    with Server() as server:
        del server.conf["server"]["drain"]
        server.stop()
        server.write_conf()
        server.start()
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.get("/health/ready").status == 503, 1, "readiness")
        check_equal(server.get("/api/v1/collections").status, 200, "a request of a balancer that has not noticed")
        time.sleep(1.5)
        check_equal(server.get("/api/v1/collections").status, 200, "and a later one")
        check_equal(server.process.wait(10), 0, "exit status")


# ---- options ----

def the_short_options_of_other_servers_work():
    good = write(conf(folder))
    for arguments in (["-t"], ["serve", "-t"]):
        done = run(*arguments, "-c", good)
        check(done.returncode == 0 and "good" in done.stdout, f"{arguments}: {done.stdout}{done.stderr}")
        check_equal(run(*arguments, "-q", "-c", good).stdout, "", f"{arguments} -q")
        check_equal(run(*arguments, "-c", write("server: { workers: many }\n", "bad.yaml")).returncode, 78, f"{arguments} of a bad one")
    for arguments in (["-V"], ["--version"], ["serve", "-V"], ["version"]):
        check(re.match(r"backplane \d+\.\d+", run(*arguments).stdout), f"{arguments}")
    with Server() as server:
        server.stop()
        quiet = os.path.join(server.folder, "quiet.log")
        with open(quiet, "wb") as log:
            process = subprocess.Popen([PROGRAM, "-q", "--conf", server.conf_path], stderr=log, stdout=log)
        time.sleep(1)
        check(process.poll() is None, "without a command it serves")
        process.send_signal(signal.SIGINT)
        check_equal(process.wait(10), 0, "exit status")
        with open(quiet) as log:
            check_equal([line for line in log if "ASan doesn't" not in line], [], "-q logs what is no warning")


def every_command_has_help_that_names_all_its_options():
    for command in commands():
        for asked in ("--help", "-h"):
            done = run(*command["name"].split(), asked)
            check_equal((done.returncode, done.stderr), (0, ""), f"{command['name']} {asked}")
            check(done.stdout.startswith(f"usage: backplane {command['name']}"), f"{command['name']}: {done.stdout}")
            for option in command["options"]:
                check(re.search(rf"^  {re.escape(option['name'])}\b", done.stdout, re.M), f"{command['name']} {asked}: {option['name']} is missing")
    check("key create" in run("key", "--help").stdout and "key revoke" in run("key", "--help").stdout, "`key --help` names all three")


def every_option_that_help_names_is_taken():
    for command in commands():
        if command["name"] in ("serve", "mcp", "help"):
            continue
        for option in command["options"]:
            words = [option["name"], "x"] if option["has_value"] else [option["name"]]
            done = run(*command["name"].split(), *words, "--no-such-option", seconds=20, cwd=folder)
            check("there is no option \"" + option["name"] not in done.stderr, f"{command['name']} {option['name']}: {done.stderr}")
            check_equal(done.returncode, 2, f"{command['name']} {words} --no-such-option: {done.stderr}")


def a_wrong_option_is_told_with_the_nearest():
    done = run("check", "--offlin")
    check(done.returncode == 2 and 'did you mean "--offline"' in done.stderr, done.stderr)
    done = run("check", "-c")
    check(done.returncode == 2 and "has no value" in done.stderr, done.stderr)


def json_is_json():
    path = write(conf(folder))
    for arguments in (["check", "--json"], ["config", "--json"], ["plugins", "--json"], ["help", "--json"]):
        json.loads(run(*arguments, *(["-c", path] if arguments[0] != "help" else [])).stdout)


# ---- the log ----

def why_a_start_failed_stands_in_the_log_file_too():
    log = os.path.join(folder, "server.log")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        for made, status, word in ((conf(folder, server={"listen": [address]}, log={"file": log}), 71, address),
                                   (conf(folder, storage={"main": {"use": "sqlite", "path": "/dev/null/x"}}, log={"file": log}), 74, "/dev/null/x"),
                                   (conf(folder, server={"workers": "many"}, log={"file": log}), 78, "many")):
            if os.path.exists(log):
                os.remove(log)
            done = run("serve", "-c", write(made), seconds=30)
            check_equal(done.returncode, status, done.stderr)
            check(word in done.stderr, f"stderr: {done.stderr}")
            with open(log) as file:
                lines = [json.loads(line) for line in file]
            check([line for line in lines if line.get("event") == "start_failed" and word in line["message"]], f"the log file: {lines}")


def the_log_says_who_asked():
    with Server(server={"auth": {"mode": "keys", "storage": "main"}}) as server:
        key = json.loads(server.run("key", "create", "--scopes", "retrieval:read", "--json").stdout)["key"]
        trace = "0af7651916cd43dd8448eb211c80319c"
        server.get("/api/v1/collections", headers={"Authorization": "Bearer " + key, "User-Agent": "probe/1.0",
                                                   "traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        line = wait_until(lambda: next((x for x in server.log_lines() if x.get("event") == "request" and x["path"] == "/api/v1/collections"), None),
                          3, "no line")
        identifier = json.loads(server.run("key", "list", "--json").stdout)[0]["id"]
        check_equal((line.get("key_id"), line.get("user_agent"), line.get("trace_id")), (identifier, "probe/1.0", trace), f"{line}")
        for entry in server.log_lines():
            check(entry.get("event"), f"a line without an event: {entry}")


def a_start_tells_of_variables_that_nothing_uses():
    with Server(environment={"DATABASE_URL": "postgresql://u:s3cret@db/x"}) as server:
        check(server.log_text().count("DATABASE_URL") == 1 and "s3cret" not in server.log_text(), server.log_text()[:500])


# ---- keys ----

def a_key_says_what_it_may_and_when_it_ends():
    with Server(server={"auth": {"mode": "keys", "storage": "main"}}) as server:
        done = server.run("key", "create", "--name", "x")
        check(done.returncode == 2 and "--scopes" in done.stderr and not done.stdout, f"without --scopes: {done.stderr}{done.stdout}")
        done = server.run("key", "create", "--scopes", "retrieval:raed")
        check(done.returncode == 2 and 'did you mean "retrieval:read"' in done.stderr and "retrieval:write" in done.stderr, done.stderr)
        done = server.run("key", "create", "--scopes", "retreival:*")
        check(done.returncode == 2 and not done.stdout, "a group that is not there")
        done = server.run("key", "create", "--scopes", "other:read", "--any-scope")
        check_equal(done.returncode, 0, done.stderr)
        for scopes in ("retrieval:read", "retrieval:read,retrieval:write", "retrieval:*", "host:read", "*"):
            done = server.run("key", "create", "--scopes", scopes)
            check_equal(done.returncode, 0, f"{scopes}: {done.stderr}")
            check(re.search(r"It ends at \d{4}-\d\d-\d\dT", done.stderr), f"nothing is said of the end: {done.stderr}")
        check("never ends" in server.run("key", "create", "--scopes", "*", "--expires", "never").stderr, "--expires never")
        for expires in ("soon", "10s", "90"):
            done = server.run("key", "create", "--scopes", "*", "--expires", expires)
            check(done.returncode == 2 and expires in done.stderr, f"--expires {expires}: {done.stderr}")
        keys = json.loads(server.run("key", "list", "--json").stdout)
        check_equal(len(keys), 7, "keys made")
        ends = [key.get("expires_at") for key in keys]
        check_equal(len([end for end in ends if end]), 6, f"keys that end: {ends}")
        check_equal(server.run("key", "list", "--scopes", "x").returncode, 2, "an option of another action")
        done = server.run("key", "revoke", keys[0]["id"], "--json")
        check_equal(json.loads(done.stdout)["revoked"], keys[0]["id"], "revoke --json")


try:
    run_tests([sigusr2_is_told_and_does_not_kill, sigquit_ends_at_once, a_start_that_hangs_can_be_ended,
               a_second_sigterm_ends_at_once,
               readiness_fails_for_three_seconds_before_the_listeners_close, the_short_options_of_other_servers_work,
               every_command_has_help_that_names_all_its_options, every_option_that_help_names_is_taken,
               a_wrong_option_is_told_with_the_nearest, json_is_json, why_a_start_failed_stands_in_the_log_file_too, the_log_says_who_asked,
               a_start_tells_of_variables_that_nothing_uses,
               a_key_says_what_it_may_and_when_it_ends])
finally:
    shutil.rmtree(folder)
