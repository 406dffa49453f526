"""test_pressure.py - a server over its memory budget sheds what apps do and goes on answering the probes."""
from backplane_test import Server, check, check_equal, run_tests


def over_the_first_mark_apps_answer_503_and_the_host_goes_on():
    with Server() as server:  # how much a process of this build holds at rest
        at_rest = int(server.metric("process_allocated_memory_bytes"))
    limits = {"memory": str(4 * at_rest), "shed_at": 0.1, "refuse_at": 1}
    with Server(server={"listen": ["127.0.0.1:0"], "limits": limits}) as server:
        answer = server.get("/api/search?q=x")
        check_equal(answer.status, 503, "an app's route")
        check(int(answer.headers["Retry-After"]) >= 1, "Retry-After")
        check("memory budget" in answer.message, f"the sentence: {answer.message}")
        for path in ("/health/live", "/metrics", "/openapi.json"):
            check_equal(server.get(path).status, 200, path)
        for path in ("/health/ready", "/ready"):  # so that others get the load
            check_equal(server.get(path).status, 503, path)


def over_the_second_mark_only_the_probes_answer():
    with Server(server={"listen": ["127.0.0.1:0"], "limits": {"memory": "1MiB"}}) as server:
        check_equal(server.get("/health/live").status, 200, "liveness")
        check_equal(server.get("/health/ready").status, 503, "readiness")
        answer = server.raw(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        check(answer == b"" or b" 503 " in answer.split(b"\r\n")[0], f"metrics: {answer[:80]}")


def without_a_budget_nothing_is_shed():
    with Server() as server:
        check_equal(server.get("/api/v1/collections").status, 200, "an app's route")


run_tests([over_the_first_mark_apps_answer_503_and_the_host_goes_on, over_the_second_mark_only_the_probes_answer,
           without_a_budget_nothing_is_shed])
