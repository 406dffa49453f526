"""test_runs.py - long-lived work: a build of a collection as its client sees it, at GET /runs."""
import contextlib
import json
import subprocess
import threading
import time

from backplane_test import PROGRAM, Server, check, check_equal, run_tests, wait_until
from embedder_stub import EmbedderStub

COUNT = 60
server = Server(server={"auth": {"mode": "keys", "storage": "main"}}, app={"scan": "1d"})


def make_key(tenant):
    made = server.run("key", "create", "--name", "of " + tenant, "--tenant", tenant, "--scopes", "retrieval:read,retrieval:write")
    check_equal(made.returncode, 0, f"key create: {made.stderr}")
    return made.stdout.strip()


def documents(count=COUNT):
    return [{"id": f"d{i}", "text": f"word{i} alpha beta"} for i in range(count)]


def follow(server, run, key=None, seconds=30):
    """The run once it has ended; the server holds each question until then."""
    end = time.monotonic() + seconds
    while True:
        answer = server.get(f"/runs/{run}?wait=5", headers={"Authorization": "Bearer " + key} if key else {})
        check_equal(answer.status, 200, f"GET /runs/{run}: {answer.body!r}")
        if answer.json["state"] not in ("working", "waiting") or time.monotonic() > end:
            return answer.json


def a_build_is_a_run_that_its_owner_alone_sees():
    ada, bob = make_key("a"), make_key("b")
    server.key = ada
    server.make_collection()
    server.put(*documents())
    begun = server.post("/api/v1/collections/docs/reindex")
    check_equal(begun.status, 202, f"a reindex: {begun.body!r}")
    run = follow(server, begun.json["run"])
    check_equal((run["state"], run["what"], run["done"], run["total"]), ("completed", "build", COUNT, COUNT), "the run")
    check_equal(run["result"], {"collection": "docs", "build": begun.json["build"], "documents": COUNT}, "its result")
    check_equal(server.get("/api/v1/collections/docs").json["state"], "ready", "without waiting a day for the next scan")
    listed = server.get("/runs").json["runs"]
    check_equal([(r["id"], r["state"]) for r in listed], [(run["id"], "completed")], "the list")
    server.key = bob
    check_equal(server.get("/runs").json, {"runs": []}, "the list of another tenant")
    for answer in server.get(f"/runs/{run['id']}"), server.request("DELETE", f"/runs/{run['id']}"):
        check_equal(answer.status, 404, f"another tenant: {answer.body!r}")
    server.key = None
    for path in "/runs", f"/runs/{run['id']}":
        check_equal(server.get(path).status, 401, f"{path} without a key")
    server.key = ada


def what_is_asked_wrongly_is_told():
    run = server.get("/runs").json["runs"][0]["id"]
    for wait in "61", "-1", "x", "1.5":
        answer = server.get(f"/runs/{run}?wait={wait}")
        check(answer.status == 400 and '"wait" is 0 to 60 seconds' in answer.message, f"wait={wait}: {answer.body!r}")
    answer = server.request("DELETE", f"/runs/{run}")
    check(answer.status == 409 and "has ended already" in answer.message, f"cancelling what has ended: {answer.body!r}")
    answer = server.get("/runs/nobody")
    check(answer.status == 404 and '"nobody"' in answer.message, f"one that is not there: {answer.body!r}")


def the_same_again_takes_the_place_of_the_one_that_ended():
    before = server.get("/runs").json["runs"]
    again = server.post("/api/v1/collections/docs/reindex").json["run"]
    check_equal(follow(server, again)["state"], "completed", "the second build")
    after = server.get("/runs").json["runs"]
    check_equal(([r["id"] for r in after], len(before)), ([again], 1), "one run of the collection")


def held(stub, **app):
    embed = {"main": {"use": "openai", "url": f"http://127.0.0.1:{stub.port}/v1", "model": "m", "dimensions": 8, "retries": 0,
                      "critical": False, "breaker_pause": "200ms"}}
    return Server(app={"scan": "1d", **app}, embed=embed)


def hold_up(server, stub):
    """A build that cannot end: the embedder refuses the last document."""
    server.make_collection()
    server.put(*documents())
    stub.unwilling = f"word{COUNT - 1} "
    run = server.post("/api/v1/collections/docs/reindex").json["run"]

    def says_why():
        view = server.get(f"/runs/{run}").json
        return view if view["message"] else None
    view = wait_until(says_why, 20, "the run does not say what it waits for")
    check_equal((view["state"], view["total"]), ("working", COUNT), f"{view}")
    check(0 < view["done"] < COUNT, f"progress in its middle: {view}")
    return run


def a_run_is_cancelled_and_what_is_left_can_be_asked_for_again():
    with EmbedderStub() as stub, held(stub) as server:
        run = hold_up(server, stub)
        same = server.post("/api/v1/collections/docs/reindex").json
        check_equal(same["run"], run, "a second reindex meanwhile is the same run")
        cancelled = server.request("DELETE", f"/runs/{run}")
        check_equal((cancelled.status, cancelled.json["state"]), (200, "cancelled"), f"{cancelled.body!r}")
        check_equal(server.get(f"/runs/{run}").json["state"], "cancelled", "afterwards")
        stub.unwilling = ""
        check_equal(follow(server, server.post("/api/v1/collections/docs/reindex").json["run"])["state"], "completed", "again")


def a_build_goes_on_by_itself_when_the_embedder_is_back():
    with EmbedderStub() as stub, held(stub) as server:
        run = hold_up(server, stub)
        stub.unwilling = ""
        check_equal(follow(server, run)["state"], "completed", "the run")


def the_command_line_follows_and_hears_of_a_cancel():
    with EmbedderStub() as stub, held(stub) as server:
        run = hold_up(server, stub)
        following = subprocess.Popen([PROGRAM, "reindex", "--all", "--url", f"http://127.0.0.1:{server.port}"],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check("documents are being rebuilt" in following.stdout.readline(), "it says what it waits for")
        server.request("DELETE", f"/runs/{run}")
        _, said = following.communicate(timeout=30)
        check_equal(following.returncode, 1, said)
        check("the run was cancelled" in said, said)


def a_server_that_ends_waits_for_no_run():
    with EmbedderStub() as stub:
        server = held(stub)
        with server:
            run = hold_up(server, stub)
            seen = []
            waiting = threading.Thread(target=lambda: seen.append(server.get(f"/runs/{run}?wait=60").json["state"]))
            waiting.start()
            wait_until(lambda: "http_requests_in_flight 2" in server.get("/metrics").body.decode(), 20, "nobody waits for the run")
            begun = time.monotonic()
            server.stop()
            check(time.monotonic() - begun < 20, "the stop waits for a build that cannot end")
            waiting.join()
            check_equal(seen, ["working"], "who waited is answered before the end")
            check("requests_left" not in server.log_text(), "the run is over before its instances stop")
            stub.unwilling = ""
            server.start()
            wait_until(lambda: server.get("/api/v1/collections/docs").json["state"] == "ready", 30,
                       "what a stopped build left is not taken up")


if __name__ == "__main__":
    with server:
        run_tests([a_build_is_a_run_that_its_owner_alone_sees, what_is_asked_wrongly_is_told,
                   the_same_again_takes_the_place_of_the_one_that_ended, a_run_is_cancelled_and_what_is_left_can_be_asked_for_again,
                   a_build_goes_on_by_itself_when_the_embedder_is_back, the_command_line_follows_and_hears_of_a_cancel,
                   a_server_that_ends_waits_for_no_run])
