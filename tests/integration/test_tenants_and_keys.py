"""test_tenants_and_keys.py - API keys: who gets in, what a tenant sees, and that a key is written down nowhere."""
import glob
import json
import os
import time

import backends
from backplane_test import Server, check, check_equal, conf, run, run_tests, wait_until

server = Server(server={"auth": {"mode": "keys", "storage": "main"}}, log={"level": "debug"})
keys = {}


def make_key(tenant, scopes="*", days=None):
    more = ["--days", str(days)] if days else []
    done = server.run("key", "create", "--name", "of " + tenant, "--tenant", tenant, "--scopes", scopes, *more)
    check_equal(done.returncode, 0, f"key create: {done.stderr}")
    return done.stdout.strip()


def nobody_gets_in_without_a_key_that_is_right():
    keys.update(a=make_key("a"), b=make_key("b"), reader=make_key("a", "retrieval:read"),
                metrics=make_key("a", "host:read"))
    wrong = ["Bearer x", "Bearer ", "Basic " + keys["a"], "Bearer " + keys["a"][:-1], "Bearer " + keys["a"] + "x",
             "Bearer ' OR 1=1 --", "Bearer " + "k" * 4000]
    for path in ("/api/v1/collections", "/metrics", "/api/search?q=x"):
        check_equal(server.get(path).status, 401, f"{path} without a key")
        for header in wrong:
            check_equal(server.get(path, headers={"Authorization": header}).status, 401, f"{path} with {header[:20]}")
    check("WWW-Authenticate" in server.get("/api/v1/collections").headers, "how to prove who one is")
    check_equal(server.get("/health/live").status, 200, "probes need no key")
    server.key = keys["a"]
    check_equal(server.get("/api/v1/collections").status, 200, "Authorization")
    check_equal(server.get("/api/v1/collections", headers={"Authorization": "", "X-API-Key": keys["a"]}).status in
                (200, 401), True, "X-API-Key beside an empty Authorization")
    server.key = None
    check_equal(server.get("/api/v1/collections", headers={"X-API-Key": keys["a"]}).status, 200, "X-API-Key")


def a_key_may_do_what_its_scopes_say():
    server.key = keys["reader"]
    check_equal(server.get("/api/v1/collections").status, 200, "reading")
    for answer in (server.post("/api/v1/collections/docs", {}), server.put({"id": "a", "text": "b"}), server.get("/metrics")):
        check_equal(answer.status, 403, f"{answer.body}")
        check(len(answer.message) > 10, answer.message)
    server.key = keys["metrics"]
    check_equal(server.get("/metrics").status, 200, "metrics")
    check_equal(server.get("/api/v1/collections").status, 403, "reading with host:read")


def tenants_never_see_each_other():
    for tenant in ("a", "b"):
        server.key = keys[tenant]
        server.make_collection("docs")
        check_equal(server.put({"id": "same", "text": f"The secret word of {tenant} is {tenant * 6}."}).json["stored"], 1,
                    "stored")
    for tenant, other in (("a", "b"), ("b", "a")):
        server.key = keys[tenant]
        seen = [server.get("/api/v1/collections"), server.get("/api/v1/collections/docs/documents"),
                server.get("/api/v1/collections/docs/documents/same"),
                server.get("/api/search?q=secret+word+" + other * 6),
                server.post("/api/v1/answer", {"question": f"What is the secret word {other * 6}?"}),
                server.post("/api/v1/search", {"query": "secret word", "mode": "vector"})]
        for answer in seen:
            check_equal(answer.status, 200, f"{answer.body}")
            body = answer.body.decode().replace('"query":"secret word ' + other * 6 + '"', "")
            check(other * 6 not in body, f"tenant {tenant} reads of {other}: {body}")
    server.key = keys["a"]
    server.make_collection("only-a")
    server.key = keys["b"]
    check_equal(server.get("/api/v1/collections/only-a").message, 'there is no collection "only-a"', "told as if not there")
    check_equal(server.request("DELETE", "/api/v1/collections/docs").status, 204, "b deletes its own")
    server.key = keys["a"]
    check_equal(server.get("/api/v1/collections/docs").json["documents"], 1, "that of a is untouched")


def a_revoked_key_ends_within_six_seconds():
    server.key = make_key("c")
    check_equal(server.get("/api/v1/collections").status, 200, "before")
    listed = server.run("key", "list").stdout
    name = next(line.split()[0] for line in listed.splitlines() if "of c" in line)
    check(server.key not in listed, "the list shows a key")
    check_equal(server.run("key", "revoke", name).returncode, 0, "revoke")
    wait_until(lambda: all(server.get("/api/v1/collections").status == 401 for _ in range(12)), 6,  # of each worker
               "the revoked key still works")
    check(server.run("key", "revoke", "0" * 16).returncode != 0, "revoking a key that is not there")


def an_expired_key_ends():
    server.key = make_key("d", days=1)
    check_equal(server.get("/api/v1/collections").status, 200, "before")
    server.stop()
    backends.sql(server, f"UPDATE backplane_keys SET expires_wall_ns = {time.time_ns() - 1000} WHERE tenant = 'd'")
    server.start()
    check_equal(server.get("/api/v1/collections").status, 401, "after it expired")
    server.key = keys["a"]
    check_equal(server.get("/api/v1/collections").status, 200, "another key")


def a_key_is_written_down_nowhere():
    server.stop()
    effective = server.run("config").stdout
    files = glob.glob(server.folder + "/**/*", recursive=True)
    if backends.is_embedded():
        check(len([path for path in files if path.endswith(".db")]) >= 2, f"databases among {files}")
    for key in keys.values():
        check(key not in effective, "`backplane config` shows a key")
        for path in filter(os.path.isfile, files):
            with open(path, "rb") as file:
                check(key.encode() not in file.read(), f"{os.path.basename(path)} holds a key")


def a_network_listener_without_keys_is_refused():
    made = conf(server.folder, server={"listen": ["0.0.0.0:0"]})
    path = server.folder + "/open.yaml"
    with open(path, "w") as file:
        json.dump(made, file)
    for command in ("serve", "check"):
        done = run(command, "-c", path, seconds=20)
        check_equal(done.returncode, 78, f"{command}: {done.stderr}")
        check("auth" in done.stderr + done.stdout and "network" in done.stderr + done.stdout, done.stderr + done.stdout)


with server:
    run_tests([
        nobody_gets_in_without_a_key_that_is_right,
        a_key_may_do_what_its_scopes_say,
        tenants_never_see_each_other,
        a_revoked_key_ends_within_six_seconds,
        an_expired_key_ends,
        a_key_is_written_down_nowhere,
        a_network_listener_without_keys_is_refused,
    ])
