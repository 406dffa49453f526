"""test_app_uploads.py - commands of an app with files of any size, whose bytes are weighed, and with keys; and core/ names no app."""
import http.client
import json
import os
import re
import shutil
import threading

from app_commands_rig import MIB, conf_path, folder, made, url_of, write
from backplane_test import SOURCE, Server, check, check_equal, run, run_tests, wait_until


def resident_kib(process):
    with open(f"/proc/{process.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


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
    run_tests([files_of_any_size_stream, files_of_options_are_weighed_by_client, who_lacks_the_scope_is_refused, core_names_no_app])
finally:
    shutil.rmtree(folder)
