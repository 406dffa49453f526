"""test_metrics_page.py - what servers with every app and back end really give stands on docs/metrics.md, as it stands there.

The page is made of the sources (test_metrics_defined.py). Here servers are started and asked for /metrics; promtool finds nothing
wrong with it, and counters are there with a zero before anything was counted.
"""
import contextlib
import re

from backplane_test import Server, check, check_metrics_format, conf, run, run_tests, wait_until
from llm_stub import LlmStub
from metric_definitions import row, written
from postgres_server import PostgresServer
from redis_server import RedisServer


def every_app(folder, **more):
    made = conf(folder, cache={"main": {"use": "memory"}}, alert={"log": {"use": "log"}},
                health={"disk": {"use": "disk"}, "database": {"use": "instance", "storage": "main"}})
    stored = {"storage": "main"}
    made["app"].update({"filesystem": {"roots": [folder]}, "knowledge": stored, "questioning": {**stored, "llm": ["none"]},
                        "journal": {**stored, "vector": "memories", "embed": "main"}})
    made["vector"]["memories"] = {"use": "local", "path": "memories"}
    for kind, instances in more.items():
        made[kind] = {**made[kind], **instances}
    return made


def git_alone(folder):
    """It has a route in common with the knowledge app."""
    return {**conf(folder), "app": {"git": {"repositories": [folder]}}}


def families(text):
    """name -> (type, help, labels)"""
    found, kinds = {}, {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, said = line[7:].split(" ", 1)
            found[name] = ["", said, []]
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            found[name][0] = kinds[name] = kind
        elif line.startswith("# LABELS "):
            name, *labels = line[9:].split(" ")
            found[name][2] = labels
        elif line:
            name = re.match(r"[a-zA-Z_:0-9]+", line).group()
            base = name if name in found else name.rsplit("_", 1)[0]
            found[base][2] = [label for label in re.findall(r'([a-z_]+)="', line.split(" ")[0] if "{" not in line else
                                                            line[:line.rindex("}")]) if label != "le"]
    return found


def scrape(made):
    with Server(made=made) as server:
        text = server.get("/metrics").body.decode()
        check_metrics_format(text.encode())
        return text


def all_families():
    found = {}
    with contextlib.ExitStack() as stack:
        for made in ([every_app, git_alone] + [lambda folder: with_servers(folder, stack)]):
            found.update(families(scrape(made)))
    return found


def with_servers(folder, stack):
    postgres, redis, model = stack.enter_context(PostgresServer()), stack.enter_context(RedisServer()), stack.enter_context(LlmStub(""))
    replica = stack.enter_context(PostgresServer(primary=postgres))
    return every_app(folder, storage={"main": {"use": "postgres", "url": postgres.url, "replica": replica.url}},
                     cache={"main": {"use": "redis", "url": redis.url}},
                     vector={"docs": {"use": "redis", "url": redis.url}},
                     llm={"none": {"use": "openai", "url": model.url, "model": "stub"}})


def what_servers_give_is_on_the_page():
    found, text = all_families(), written()
    wrong = [line for line in (row(name, kind, said, labels) for name, (kind, said, labels) in sorted(found.items()))
             if line + "\n" not in text]
    check(len(found) > 80, f"only {len(found)} metrics were given")
    check(not wrong, f"docs/metrics.md does not have: {wrong}")


def what_is_asked_for_at_night_is_there_before_anything_happened():
    with Server(made=every_app) as server:
        text = server.get("/metrics").body.decode()
        for line in ('http_requests_total{method="POST",route="/api/v1/search",status="500"} 0', "http_requests_in_flight 1",
                     'backplane_plugin_calls_in_flight{instance="main",plugin="storage/sqlite"} 0',
                     'backplane_plugin_queue_depth{instance="main",plugin="storage/sqlite"} 0',
                     'backplane_plugin_queue_capacity{instance="main",plugin="storage/sqlite"} 256',
                     'backplane_plugin_retries_total{instance="main",plugin="vector/local",op="search"} 0',
                     'backplane_plugin_calls_total{instance="docs",plugin="vector/local",op="search",outcome="unavailable"} 0',
                     'backplane_llm_tokens_total{instance="none",plugin="llm/extractive",direction="output"} 0',
                     'backplane_llm_first_token_seconds_count{instance="none",plugin="llm/extractive"} 0',
                     'provider_api_errors_total{provider="none",reason="unavailable"} 0'):
            check(line.replace('instance="main",plugin="vector/local"', 'instance="docs",plugin="vector/local"') in text,
                  f"{line} is not there")
        check(re.search(r'backplane_conf_info\{hash="[0-9a-f]{16}"\} 1', text), "the hash of the conf")
        build = re.search(r'backplane_build_info\{.*build="([^"]+)"\} 1', text).group(1)
        check(build and f"build {build}" in run("version").stdout, f"the build: {build}")
        server.make_collection()
        server.put(*({"id": f"d{i}", "text": f"alpha {i}"} for i in range(7)))
        wait_until(lambda: server.metric("backplane_vector_points", instance="docs") == 7, 40, "the size of the index")
        server.post("/api/v1/answer", {"question": "alpha?"})
        check(server.metric("backplane_llm_first_token_seconds_count") >= 1, "time to the first token")


run_tests([what_servers_give_is_on_the_page, what_is_asked_for_at_night_is_there_before_anything_happened])
