"""command.py - what `backplane conform` must notice: a plugin that grows, and refusals that are none.

The contract is itself proved: each case here shows it something that is wrong, and the row that should fail must fail.
"""
import json
import os
import subprocess

from backplane_test import PROGRAM, check, check_equal

FIXTURES = os.environ["BACKPLANE_FIXTURES"]
IS_SANITIZED = bool(os.environ.get("BACKPLANE_SANITIZED"))


def conform(*words):
    done = subprocess.run([PROGRAM, "conform", *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600, text=True)
    last = done.stdout.strip().split("\n")[-1]
    return done, {case["sentence"]: case for case in json.loads(last)["cases"]} if last.startswith("{") else {}


def row(rows, words):
    found = [case for sentence, case in rows.items() if words in sentence]
    check(len(found) == 1, f"{len(found)} rows speak of \"{words}\": {list(rows)}")
    return found[0]


def a_plugin_that_keeps_64_bytes_a_call_fails():
    done, rows = conform(os.path.join(FIXTURES, "grows.so"), "--kind", "health")
    grown = row(rows, "does not grow")
    if IS_SANITIZED:
        check_equal(grown["outcome"], "skipped", "outcome under a sanitizer")
        return
    check_equal(grown["outcome"], "fails", f"outcome ({grown['detail']})")
    check("still grows" in grown["detail"], grown["detail"])
    check_equal(done.returncode, 1, "exit status")


def a_careless_app_is_found_out():
    """It fails inside when a body is no object, keeps 64 bytes a request, and forgets at its end what it acknowledged."""
    done, rows = conform(os.path.join(FIXTURES, "careless.so"), "--kind", "app")
    wanted = {"whatever is sent": ("fails", "500"), "after a restart": ("fails", "no longer after it"),
              "does not grow": ("skipped", "cannot count") if IS_SANITIZED else ("fails", "still grows")}
    for words, (outcome, detail) in wanted.items():
        found = row(rows, words)
        check_equal(found["outcome"], outcome, f"{found['sentence']} ({found['detail']})")
        check(detail in found["detail"], found["detail"])
    check_equal(row(rows, "described")["outcome"], "holds", "the description")
    check_equal(done.returncode, 1, "exit status")


def an_unknown_option_is_no_wrong_credential():
    done, rows = conform("redis", "--kind", "cache", "--set", "url=redis://127.0.0.1:1", "--wrong", "pasword=x")
    check_equal(done.returncode, 2, "exit status: " + done.stderr)
    check("has no such option" in done.stderr and not rows, done.stderr)
    done, _ = conform("memory", "--kind", "cache", "--wrong", "size")
    check_equal(done.returncode, 2, "exit status: " + done.stderr)
    done, _ = conform("disk", "--kind", "health", "--set", "path=/", "--wrong", "path=/x")
    check("knows no credentials" in done.stderr, done.stderr)
    check_equal(done.returncode, 2, "exit status of a kind without credentials")


def a_server_that_is_not_there_refuses_nobody():
    """The right settings work, so the contract holds; the wrong ones lead to where nothing listens."""
    from redis_server import RedisServer
    with RedisServer(password="right-password-for-tests") as server:
        done, rows = conform("redis", "--kind", "cache", "--set", "url=" + server.url,
                             "--wrong", "url=redis://:right-password-for-tests@127.0.0.1:1")
        refused = row(rows, "wrong credentials")
        check_equal(refused["outcome"], "fails", f"outcome ({refused['detail']})")
        check("credentials" in refused["detail"] and "right-password-for-tests" not in done.stderr + done.stdout, refused["detail"])
        check_equal(done.returncode, 1, "exit status")


for case in (a_plugin_that_keeps_64_bytes_a_call_fails, a_careless_app_is_found_out, an_unknown_option_is_no_wrong_credential,
             a_server_that_is_not_there_refuses_nobody):
    case()
    print("holds:", case.__name__.replace("_", " "))
