"""test_journal.py - what the runbook of the memory server does to this one: curl, the SQL statements, jq over the log.

The journal is driven over MCP (HTTP, 2025-06-18), as a client would. The server listens on a free port, not on 8080.
"""
import atexit
import concurrent.futures
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess

import backends
from backplane_test import Server, check, check_equal, check_metrics_format, conf, run_tests, tempfile, wait_until

folder = tempfile.mkdtemp(prefix="backplane-test-")
atexit.register(shutil.rmtree, folder, True)
made = conf(folder)
made["storage"]["main"]["path"] = "memory.db"
made["app"] = {"journal": {"storage": "main", "vector": "docs", "embed": "main"}}
server = Server(made=made, folder=folder)
DATABASE = os.path.join(server.data, "memory.db")

# From the runbook, as they stand there.
STUCK = """SELECT id, task, start_time,
       CAST((julianday('now') - julianday(start_time)) * 24 AS INTEGER) as hours
FROM work_sessions
WHERE end_time IS NULL
  AND CAST((julianday('now') - julianday(start_time)) * 24 AS INTEGER) > 8
ORDER BY start_time;"""
CLEAN_UP = """UPDATE work_sessions
SET end_time = datetime('now')
WHERE end_time IS NULL
  AND CAST((julianday('now') - julianday(start_time)) * 24 AS INTEGER) > 8;"""

# A database that refuses to end a session.
REFUSE = {"sqlite": "CREATE TRIGGER refuse BEFORE UPDATE OF end_time ON work_sessions BEGIN SELECT RAISE(ABORT, 'refused'); END",
          "postgres": "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'refused'; END $f$; "
                      "CREATE TRIGGER refuse BEFORE UPDATE OF end_time ON work_sessions FOR EACH ROW EXECUTE FUNCTION refuse()"}
REFUSE_NO_MORE = {"sqlite": "DROP TRIGGER refuse", "postgres": "DROP TRIGGER refuse ON work_sessions"}

def sql(statement):
    return backends.sql(server, statement)


def rpc(method, params):
    answer = server.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
                         headers={"Accept": "application/json, text/event-stream", "Content-Type": "application/json",
                                  "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method,
                                  **({"Mcp-Name": params["name"]} if "name" in params else {}),
                                  **({"Mcp-Name": params["uri"]} if "uri" in params else {})})
    check_equal(answer.status, 200, f"{method}: {answer.body!r}")
    body = answer.json if answer.body.lstrip().startswith(b"{") else answer.events()[-1][1]
    check("result" in body, f"{method}: {body}")
    return body["result"]


META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"}}


def ask_with_sampling(**retry):
    """end_work_session by a client that has a model: a question, or the result when `retry` answers it."""
    meta = {**META, "io.modelcontextprotocol/clientCapabilities": {"sampling": {}}}
    return rpc("tools/call", {"name": "end_work_session", "arguments": {"what_i_learned": ["to ask first"]}, "_meta": meta, **retry})


def tool(name, **arguments):
    return rpc("tools/call", {"name": name, "arguments": arguments, "_meta": META})["structuredContent"]


def run_shell(script):
    """As the runbook has it, but for the port."""
    done = subprocess.run(["bash", "-c", script.replace("localhost:8080", f"localhost:{server.port}")], capture_output=True,
                          text=True, timeout=30)
    return done.returncode, done.stdout


def health_and_metrics_answer_before_the_first_use():
    check_equal(run_shell("curl -sf http://localhost:8080/health > /dev/null")[0], 0, "health")
    check_equal(run_shell('curl -sf http://localhost:8080/metrics | grep -q "mcp_journal_sessions_total"')[0], 0, "metrics")
    text = server.get("/metrics").body.decode()
    check_equal(server.metric("mcp_journal_sessions_total", status="failed"), 0.0, "failed sessions")
    check('mcp_journal_sessions_total{instance="journal",status="failed"} 0' in text, "a series before the first failure")
    check("mcp_journal_reflection_generation_seconds_bucket{" in text, "the histogram's buckets before the first reflection")
    check("mcp_journal_sessions_active{" in text, "active sessions")
    check_metrics_format(server.get("/metrics").body)


def the_statements_of_the_runbook_find_and_end_a_stuck_session():
    check(tool("start_working_on", task="stuck one")["success"], "start")
    check_equal(sql(STUCK), [], "nothing is stuck yet")
    sql("UPDATE work_sessions SET start_time = datetime('now', '-10 hours')")
    found = sql(STUCK)
    check_equal([(row[1], row[3]) for row in found], [("stuck one", 10)], "stuck sessions")
    wait_until(lambda: server.metric("mcp_journal_sessions_active") == 1, 5, "the gauge does not say 1")
    sql(CLEAN_UP)
    check_equal(sql(STUCK), [], "stuck sessions after the clean-up")
    check(tool("start_working_on", task="after the clean-up")["success"], "the next session begins")
    check(tool("end_work_session")["success"], "and ends")


def the_command_lists_and_closes_stuck_sessions():
    url = ["--url", f"http://127.0.0.1:{server.port}"]
    check(tool("start_working_on", task="stuck two")["success"], "start")
    sql("UPDATE work_sessions SET start_time = datetime('now', '-9 hours') WHERE end_time IS NULL")
    program = os.environ["BACKPLANE"]
    done = subprocess.run([program, "journal", "sessions", "--stuck", "8h", *url], capture_output=True, text=True, timeout=30)
    check_equal(done.returncode, 0, done.stderr)
    check("stuck two" in done.stdout and "1 sessions" in done.stdout, done.stdout)
    done = subprocess.run([program, "journal", "sessions", "--stuck", "8h", "--close", "--json", *url], capture_output=True,
                          text=True, timeout=30)
    check_equal(done.returncode, 0, done.stderr)
    answer = json.loads(done.stdout)
    check_equal(answer["closed"], 1, "closed")
    if backends.STORAGE == "sqlite": # others are backed up by their own means
        with contextlib.closing(sqlite3.connect(answer["backup"])) as backup:
            check_equal(backup.execute("SELECT count(*) FROM work_sessions WHERE task = 'stuck two' AND end_time IS NULL")
                        .fetchone(), (1,), "the backup is from before")
    done = subprocess.run([program, "journal", "sessions", "--close", *url], capture_output=True, text=True, timeout=30)
    check_equal(done.returncode, 2, "--close without --stuck is a mistake")


def the_command_needs_no_running_server():
    check(tool("start_working_on", task="left behind")["success"], "start")
    server.stop()
    done = server.run("journal", "sessions", seconds=60)
    server.start()
    check_equal(done.returncode, 0, done.stderr)
    check("left behind" in done.stdout, done.stdout)
    check(tool("end_work_session")["success"], "end")


def of_many_starts_at_once_one_begins():
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda i: tool("start_working_on", task=f"race {i}"), range(32)))
    check_equal(sum(answer["success"] for answer in answers), 1, "sessions that began")
    check_equal(sql("SELECT count(*) FROM work_sessions WHERE end_time IS NULL"), [(1,)], "sessions in the database")
    check(tool("end_work_session")["success"], "end")


def sixty_four_writes_at_once_are_sixty_four_stored():
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda i: tool("capture_win", win=f"win {i}"), range(64)))
        list(pool.map(lambda i: tool("add_memory_note", content=f"note {i}"), range(64)))
    check_equal(sql("SELECT count(DISTINCT win) FROM journal_wins"), [(64,)], "wins")
    check_equal(sql("SELECT count(*) FROM journal_memories WHERE content_type = 'note'"), [(64,)], "notes")


def a_session_survives_kill_9_and_midnight():
    check(tool("start_working_on", task="over midnight")["success"], "start")
    sql("UPDATE work_sessions SET start_time = datetime('now', '-1 day', '-30 minutes') WHERE end_time IS NULL")
    server.kill()
    server.start()
    answer = tool("end_work_session", what_i_learned=["nothing is lost"])
    check(answer["success"], f"end: {answer}")
    check_equal(answer["duration_minutes"] // 10, 147, "minutes")
    check(answer["reflection"].startswith("Worked 24 h 30 min on: over midnight."), answer["reflection"])
    wait_until(lambda: server.metric("mcp_vector_memories") > 0, 20, "no memory is counted")


def a_client_that_is_asked_for_a_reflection_keeps_no_session_open():
    check(tool("start_working_on", task="asked")["success"], "start")
    sql("UPDATE work_sessions SET start_time = datetime('now', '-45 minutes') WHERE end_time IS NULL")
    question = ask_with_sampling()
    check_equal(question["resultType"], "input_required", "the first round")
    check_equal(sql("SELECT count(*) FROM work_sessions WHERE end_time IS NULL"), [(0,)], "open while the client thinks")
    check_equal(sql("SELECT written_by FROM session_reflections ORDER BY number DESC LIMIT 1"), [("text",)], "kept meanwhile")
    key, asked = next(iter(question["inputRequests"].items()))
    check_equal(asked["method"], "sampling/createMessage", "the question")
    result = ask_with_sampling(requestState=question["requestState"], inputResponses={
        key: {"role": "assistant", "model": "m", "content": {"type": "text", "text": "I asked and was answered."}}})
    check_equal(result["structuredContent"]["reflection"], "I asked and was answered.", f"the result: {result}")
    check_equal(result["structuredContent"]["task"], "asked", "the task")
    check_equal(sql("SELECT reflection_text, written_by FROM session_reflections ORDER BY number DESC LIMIT 1"),
                [("I asked and was answered.", "sampling")], "kept afterwards")
    check_equal(server.metric("mcp_journal_reflections_generated_total", status="success"), 2.0, "one reflection each")


def resources_and_prompts_are_all_there():
    listed = {each["uri"] for each in rpc("resources/list", {"_meta": META})["resources"]}
    listed |= {each["uriTemplate"] for each in rpc("resources/templates/list", {"_meta": META})["resourceTemplates"]}
    check_equal(len(listed), 12, f"resources: {listed}")
    prompts = rpc("prompts/list", {"_meta": META})["prompts"]
    check_equal(len(prompts), 7, "prompts")
    check_equal(len(rpc("tools/list", {"_meta": META})["tools"]), 14, "tools")
    for prompt in prompts:
        text = rpc("prompts/get", {"name": prompt["name"], "arguments": {}, "_meta": META})["messages"][0]["content"]["text"]
        check(text, f"{prompt['name']} is empty")
    for uri in listed:
        uri = uri.replace("{id}", "x").replace("{date}", "2026-11-22")
        json.loads(rpc("resources/read", {"uri": uri, "_meta": META})["contents"][0]["text"])
    today = json.loads(rpc("resources/read", {"uri": "memory://journal/today", "_meta": META})["contents"][0]["text"])
    check(today["work_sessions"], f"{today}")


def jq(filter):
    with open(server.log_path) as log:
        lines = "".join(line for line in log if line.startswith("{"))
    done = subprocess.run(["jq", "-c", filter], input=lines, capture_output=True, text=True, timeout=30)
    check_equal(done.returncode, 0, done.stderr)
    return [line for line in done.stdout.splitlines() if line]


def the_jq_lines_of_the_runbook_find_what_they_look_for():
    if not shutil.which("jq"):
        print("jq is not installed")
        return
    times = jq('select(.event=="reflection_generated") | .generation_time_seconds')
    check(times and all(float(each) >= 0 for each in times), f"generation times: {times}")
    check(tool("start_working_on", task="will fail")["success"], "start")
    sql(REFUSE[backends.STORAGE])
    result = rpc("tools/call", {"name": "end_work_session", "arguments": {}, "_meta": META})
    sql(REFUSE_NO_MORE[backends.STORAGE])
    check(result.get("isError"), f"the failure is an error: {result}")
    check_equal(server.metric("mcp_journal_sessions_total", status="failed"), 1.0, "failed sessions")
    check_equal(len(jq('select(.level=="ERROR" and .event=="session_end")')), 1, "failures of session_end")
    check('"database"' in jq('select(.level=="ERROR") | .error_type'), "error types")
    check(all(line != "null" for line in jq('select(.level=="ERROR") | .message')), "messages")
    check(tool("end_work_session")["success"], "the session can be ended once the cause is gone")


@backends.only_with("sqlite")
def the_copy_of_the_runbook_is_a_whole_database():
    """cp of the running server's file, as the runbook restarts it: stopped first there, so here too."""
    server.stop()
    shutil.copy(DATABASE, DATABASE + ".backup")
    with contextlib.closing(sqlite3.connect(DATABASE + ".backup")) as backup:
        check_equal(backup.execute("PRAGMA integrity_check").fetchall(), [("ok",)], "integrity")
    server.start()
    check_equal(run_shell("curl -s http://localhost:8080/metrics | head -20 | grep -q .")[0], 0, "metrics after the restart")


with server:
    run_tests([health_and_metrics_answer_before_the_first_use, the_statements_of_the_runbook_find_and_end_a_stuck_session,
               the_command_lists_and_closes_stuck_sessions, the_command_needs_no_running_server,
               of_many_starts_at_once_one_begins, sixty_four_writes_at_once_are_sixty_four_stored,
               a_session_survives_kill_9_and_midnight, a_client_that_is_asked_for_a_reflection_keeps_no_session_open,
               resources_and_prompts_are_all_there, the_jq_lines_of_the_runbook_find_what_they_look_for,
               the_copy_of_the_runbook_is_a_whole_database])
