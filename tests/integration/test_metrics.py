"""test_metrics.py - /metrics after traffic: promtool reads it, and what the operating guide names is there."""
import re

from backplane_test import SOURCE, Server, check, check_equal, check_metrics_format, run_tests, skip

server = Server()


def promtool_finds_nothing_wrong():
    if not check_metrics_format(server.get("/metrics").body):
        skip("promtool is not installed")


def the_metrics_of_the_operating_guide_are_there():
    with open(SOURCE + "/docs/operating.md") as file:
        section = file.read().split("## Metrics")[1].split("\n## ")[0]
    names = [name for name in re.findall(r"`([a-z_]+)(?:\{[^}]*\})?`", section) if "_" in name]
    check(len(names) >= 8, f"names in the guide: {names}")
    text = server.get("/metrics").body.decode()
    for name in names:
        if name in ("backplane_loop_blocked_total", "backplane_health_level"):
            continue  # no series before a loop was held (tests/faults/F31), and without an instance of kind health
        check(f"# TYPE {name} " in text, f"{name} of the guide is not in /metrics")


def requests_are_counted_by_route_not_by_path():
    text = server.get("/metrics").body.decode()
    check('route="/api/v1/collections/{name}"' in text, "the pattern of the route")
    check("stranger" not in text, "a path that a client made up became a label")
    check_equal(server.metric("http_requests_total", route="/api/v1/search", status="200"), 3.0, "searches counted")
    check(server.metric("process_resident_memory_bytes") > 1e6, "memory")


with server:
    server.make_collection()
    server.put({"id": "a", "text": "one two"})
    for _ in range(3):
        server.search("one")
    server.post("/api/v1/answer", {"question": "one?"})
    for path in ("/stranger", "/api/v1/collections/stranger", "/%F0%9F%98%80"):
        server.get(path)
    server.request("STRANGER", "/")
    server.raw(b"garbage\r\n\r\n")
    run_tests([promtool_finds_nothing_wrong, the_metrics_of_the_operating_guide_are_there,
               requests_are_counted_by_route_not_by_path])
