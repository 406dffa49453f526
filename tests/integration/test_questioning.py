"""test_questioning.py - the sequential questioning server over HTTP and MCP, with a model that is scripted and one that fails.

What its runbook asks of the server is here as well: health, Prometheus metrics, JSON metrics and their reset.
"""
import concurrent.futures
import http.client
import json
import os
import shutil
import subprocess
import threading
import time

import backends
from backplane_test import Server, check, check_equal, check_metrics_format, conf, run, run_tests, tempfile, wait_until, SOURCE
from llm_stub import HANG, LlmStub

model = LlmStub()
folder = tempfile.mkdtemp(prefix="backplane-test-")
made = conf(folder)
made["llm"] = {"none": {"use": "extractive"},
               "stub": {"use": "openai", "url": model.url, "model": "stub", "timeout": "400ms", "breaker_failures": 0, "retries": 0}}
made["app"] = {"questioning": {"storage": "main", "vector": "docs", "embed": "main", "llm": ["stub"]}}
server = Server(made=made, folder=folder)

QUESTIONS = json.dumps([{"question_text": f"Model question {n}?", "importance_explanation": f"because {n}",
                         "information_to_look_for": f"facts {n}"} for n in range(1, 6)])
ESTIMATE = '{"next_batch_needed": true, "total_questions_estimated": 12}'
ANSWERS = [{"role": "assistant", "content": "Where to?"}, {"role": "user", "content": "To France", "timestamp": None}]
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"}}


def ask(body, path="/mcp-internal/question", status=200, **more):
    answer = server.post(path, body, **more)
    check_equal(answer.status, status, f"{path} {body}: {answer.body!r}")
    return answer.json


def rpc(method, params, to=None):
    answer = (to or server).post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": params.get("_meta", META)}},
                         headers={"Accept": "application/json, text/event-stream", "Content-Type": "application/json",
                                  "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method,
                                  **({"Mcp-Name": params["name"]} if "name" in params else {})})
    check_equal(answer.status, 200, f"{method}: {answer.body!r}")
    body = answer.json if answer.body.lstrip().startswith(b"{") else answer.events()[-1][1]
    check("result" in body, f"{method}: {body}")
    return body["result"]


def texts(answer):
    return [question["question_text"] for question in answer["questions"]]


def the_model_writes_and_the_storage_keeps():
    model.script(QUESTIONS, ESTIMATE)
    answer = ask({"user_id": "ann", "context": "Travel insurance"})
    check_equal(texts(answer), [f"Model question {n}?" for n in range(1, 6)], "questions")
    check_equal(answer["current_question"].split("\n")[4], "5. Model question 5?", "rendering")
    check_equal(answer["total_questions_estimated"], 12, "estimate")
    check_equal([request["temperature"] for request in model.requests], [0.7, 0.7], "temperature")
    check("fallback_generation" not in answer["metadata"]["batch_metadata"], "no fallback")
    page = server.get("/api/messages?conversation_id=" + answer["conversation_id"]).json
    check_equal(page["total"], 5, "messages")
    check_equal([m["sequence_number"] for m in page["items"]], [1, 2, 3, 4, 5], "sequence numbers")
    check_equal(page["items"][0]["message_metadata"]["information_to_look_for"], "facts 1", "metadata")
    model.script("```json\n" + QUESTIONS + "\n```", "nonsense")
    answer = ask({"conversation_id": answer["conversation_id"], "context": "Travel", "previous_messages": ANSWERS},
                 "/mcp-internal/question/follow-up")
    check_equal(answer["current_question_number"], 6, "numbers go on")
    check_equal(len(answer["questions"]), 3, "a follow-up has three")
    page = server.get(f"/api/messages?conversation_id={answer['conversation_id']}&message_type=answer").json
    check_equal([m["content"] for m in page["items"]], ["To France"], "answers kept")


def a_model_that_fails_costs_no_question():
    for what, trouble, calls in (("500s", [500, 503, 500], 3), ("silence", [HANG] * 3, 3), ("a refused key", [401], 1),
                                 ("nonsense for JSON", [b"<html>"] * 3, 3)):
        model.script(*trouble)
        started = time.monotonic()
        answer = ask({"context": "Bees"})
        seconds = time.monotonic() - started
        check_equal(answer["metadata"]["batch_metadata"].get("fallback_reason"), "model_unavailable", what)
        check_equal(texts(answer)[0], "What are your main goals for Bees?", what)
        check_equal(len(model.requests), calls, f"calls of the model for {what}")
        check((seconds >= 1.4) == (calls == 3) and seconds < 6, f"{what}: {seconds} s")
    model.script("I am sorry, I cannot.")
    check_equal(ask({})["metadata"]["batch_metadata"]["fallback_reason"], "malformed_answer", "prose")
    model.script(500, QUESTIONS, ESTIMATE)
    check_equal(texts(ask({}))[0], "Model question 1?", "the second attempt")
    check(server.metric("questioning_fallbacks_total", reason="model_unavailable") == 4, "counted")


def the_tools_are_listed_and_answer():
    names = [tool["name"] for tool in rpc("tools/list", {})["tools"]]
    check_equal(sorted(names), ["sequential_questioning", "sequential_questioning_automatic", "sequential_questioning_follow_up"], "tools")
    model.script(QUESTIONS, ESTIMATE)
    result = rpc("tools/call", {"name": "sequential_questioning", "arguments": {"user_id": None, "context": "x", "metadata": None}})
    check_equal(texts(result["structuredContent"])[0], "Model question 1?", "questions over MCP")
    model.script(QUESTIONS, ESTIMATE, QUESTIONS, ESTIMATE)
    result = rpc("tools/call", {"name": "sequential_questioning_automatic",
                                "arguments": {"previous_messages": ANSWERS, "max_rounds": 2}})["structuredContent"]
    check_equal((result["total_questions"], len(result["follow_up_questions"])), (6, 1), "rounds")
    result = rpc("tools/call", {"name": "sequential_questioning_follow_up", "arguments": {"previous_messages": []}})
    check(result["isError"] and "previous_messages" in result["content"][0]["text"], f"{result}")


def the_documented_question_keeps_session_and_conversation():
    for path in ("/mcp/sequential-questioning", "/mcp/v1/sequential-questioning"):
        model.script(QUESTIONS, ESTIMATE, QUESTIONS, ESTIMATE)
        body = {"user_id": "bob" + path, "context": "Insurance", "previous_messages": []}
        first = ask(body, path)
        check_equal(first["question"], "Model question 1?", "question")
        second = ask({**body, "conversation_id": first["conversation_id"], "session_id": first["session_id"],
                      "previous_messages": ANSWERS}, path)
        check_equal((second["conversation_id"], second["session_id"]), (first["conversation_id"], first["session_id"]), "ids")
        check_equal(second["metadata"]["question_type"], "follow_up", "type")
        check_equal(second["metadata"]["tokens_used"], 32, "tokens")
        third = ask(body, path)
        check_equal(third["session_id"], first["session_id"], "session of a new conversation")
        check(third["conversation_id"] != first["conversation_id"], "a new conversation")


def what_the_runbook_looks_at_is_there():
    check_equal(server.get("/health").status, 200, "health")
    text = server.get("/metrics").body
    check(b"questioning_requests_total{" in text and b"questioning_request_seconds_bucket{" in text, "Prometheus metrics")
    check_metrics_format(text)
    numbers = server.get("/mcp-internal/monitoring/metrics").json
    for name in ("uptime_seconds", "total_requests", "total_errors", "error_rate", "avg_response_time_ms", "endpoints", "requests",
                 "errors", "response_times", "success_count", "status_codes", "avg_response_time", "successful_requests"):
        check(name in numbers, f"{name} is missing")
    check(numbers["response_times"]["p95"] >= numbers["response_times"]["p50"] > 0, "percentiles")
    for path in ("/mcp-internal/monitoring/reset", "/mcp-internal/monitoring/metrics/reset"):
        check_equal(server.post(path).json, {"status": "success", "message": "Metrics reset successfully"}, path)
        check_equal(server.get("/mcp-internal/monitoring/metrics").json["total_requests"], 0, "after " + path)
    paths = server.get("/openapi.json").json["paths"]
    check("/mcp-internal/question/automatic" in paths and "/api/messages/{id}" in paths, "openapi")


def bad_input_is_never_a_500():
    for body in (b"", b"{", b"\xff\xfe", b"null", b"[1]", {"user_id": {}}, {"previous_messages": [1]}, {"context": "x" * 300000},
                 {"user_id": "u" * 256}, {"previous_messages": [{"role": "user", "content": "x"}] * 1001}):
        for path in ("/mcp-internal/question", "/mcp/sequential-questioning", "/api/sessions"):
            answer = server.post(path, body)
            # A name that sessions do not have is passed over there, as unknown members are everywhere.
            is_fine = path == "/api/sessions" and isinstance(body, dict) and ("user_id" in body or "previous_messages" in body)
            check_equal(answer.status, 201 if is_fine else 422, f"{path} {str(body)[:40]}: {answer.body[:200]!r}")
    for method, path in (("GET", "/api/messages/x"), ("DELETE", "/api/sessions/" + "y" * 300), ("PATCH", "/api/conversations/%00")):
        check(server.request(method, path, {} if method == "PATCH" else None).status in (400, 404), path)


def fifty_requests_of_one_user_at_once_share_a_session():
    model.script()  # each answer is malformed: the fixed batch
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: ask({"user_id": "many", "context": "Load"}), range(50)))
    check_equal(len({answer["session_id"] for answer in answers}), 1, "sessions")
    check_equal(len({answer["conversation_id"] for answer in answers}), 1, "conversations")
    numbers = sorted(question["question_number"] for answer in answers for question in answer["questions"])
    check_equal(numbers, list(range(1, 251)), "question numbers")


def acknowledged_questions_survive_kill_9():
    acknowledged = []

    def client(number):
        while True:
            try:
                acknowledged.append(ask({"user_id": f"killed {number}", "context": "Kill"}))
            except (OSError, http.client.HTTPException):
                return
    for _ in range(2):
        clients = [threading.Thread(target=client, args=(n,)) for n in range(4)]
        before = len(acknowledged)
        for one in clients:
            one.start()
        wait_until(lambda: len(acknowledged) >= before + 6, 60, "questions are not answered")
        server.kill()
        for one in clients:
            one.join()
        server.start()
    stored = {(row[0], json.loads(row[1])["question_number"])
              for row in backends.sql(server, "SELECT conversation_id, message_metadata FROM messages "
                                              "WHERE message_type = 'question'")}
    for answer in acknowledged:
        for question in answer["questions"]:
            check((answer["conversation_id"], question["question_number"]) in stored, f"question {question} is lost")
    wait_until(lambda: backends.sql(server, "SELECT count(*) FROM messages WHERE is_indexed = 0") == [(0,)], 60, "messages are not indexed")
    if backends.STORAGE == "sqlite":
        check_equal(backends.sql(server, "PRAGMA integrity_check"), [("ok",)], "integrity")
    print(f"{len(acknowledged)} batches acknowledged over 2 kills")


def a_client_with_a_model_is_asked_first_and_nothing_is_kept_before_it_answers():
    own = conf(tempfile.mkdtemp(prefix="backplane-test-"))
    own["app"] = {"questioning": {"storage": "main", "llm": ["none"]}}
    own["server"]["workers"] = 1
    with Server(made=own, folder=os.path.dirname(own["data_dir"])) as other:
        meta = {**META, "io.modelcontextprotocol/clientCapabilities": {"sampling": {}}}
        call = {"name": "sequential_questioning", "arguments": {"context": "Sampling"}, "_meta": meta}
        first = rpc("tools/call", call, to=other)
        check_equal(first["resultType"], "input_required", f"{first}")
        check_equal(backends.sql(other, "SELECT count(*) FROM user_sessions"), [(0,)], "sessions before the answer")
        key, question = next(iter(first["inputRequests"].items()))
        check("Sampling" in json.dumps(question), f"{question}")
        again = {**call, "inputResponses": {key: {"role": "assistant", "model": "m", "content": {"type": "text", "text": QUESTIONS}}}}
        if "requestState" in first:
            again["requestState"] = first["requestState"]
        result = rpc("tools/call", again, to=other)["structuredContent"]
        check_equal(texts(result)[0], "Model question 1?", "questions of the client's model")
        check_equal(backends.sql(other, "SELECT count(*) FROM messages"), [(5,)], "messages")
    shutil.rmtree(os.path.dirname(own["data_dir"]), ignore_errors=True)


def tenants_see_nothing_of_each_other_and_scopes_hold():
    own = conf(tempfile.mkdtemp(prefix="backplane-test-"), server={"auth": {"mode": "keys", "storage": "main"}})
    own["app"] = {"questioning": {"storage": "main", "vector": "docs", "embed": "main"}}
    with Server(made=own, folder=os.path.dirname(own["data_dir"])) as other:
        def key(tenant, scopes="*"):
            done = other.run("key", "create", "--name", tenant, "--tenant", tenant, "--scopes", scopes)
            check_equal(done.returncode, 0, done.stderr)
            return {"Authorization": "Bearer " + done.stdout.strip()}
        a, b, reader = key("a"), key("b"), key("a", "questioning:read")
        check_equal(other.post("/mcp-internal/question", {}).status, 401, "without a key")
        mine = other.post("/mcp-internal/question", {"user_id": "same", "context": "Secret plans"}, headers=a).json
        theirs = other.post("/mcp-internal/question", {"user_id": "same", "context": "x", "conversation_id": mine["conversation_id"],
                                                       "session_id": mine["session_id"], "previous_messages": ANSWERS}, headers=b).json
        check(theirs["session_id"] != mine["session_id"] and theirs["conversation_id"] != mine["conversation_id"], "ids of another")
        check_equal(theirs["current_question_number"], 1, "numbers of another")
        for kind, record in (("sessions", mine["session_id"]), ("conversations", mine["conversation_id"])):
            for method, body in (("GET", None), ("DELETE", None), ("PATCH", {"is_active": False})):
                check_equal(other.request(method, f"/api/{kind}/{record}", body, headers=b).status, 404, f"{method} {kind}")
            check_equal(other.get(f"/api/{kind}", headers=b).json["total"], 1, kind)
        check_equal(other.post("/api/conversations", {"user_session_id": mine["session_id"]}, headers=b).status, 404, "a parent")
        check_equal(other.post("/api/messages", {"conversation_id": mine["conversation_id"], "message_type": "answer",
                                                 "content": "x"}, headers=b).status, 404, "a parent of a message")
        check(b"Secret" not in other.get("/api/messages", headers=b).body, "messages of another")
        check_equal(other.get("/api/messages", headers=reader).json["total"], 5, "a reader reads")
        check_equal(other.post("/mcp-internal/question", {}, headers=reader).status, 403, "a reader asks for questions")
        check_equal(other.request("DELETE", "/api/sessions/" + mine["session_id"], headers=a).status, 204, "deleting")
        check_equal(other.get("/api/messages", headers=a).json["total"], 0, "messages of a deleted session")
        check_equal(other.get("/api/messages", headers=b).json["total"], 4, "the other tenant's")
        check_equal(backends.sql(other, "SELECT count(*) FROM questioning_garbage"), [(0,)], "garbage")
    shutil.rmtree(os.path.dirname(own["data_dir"]), ignore_errors=True)


def pages_hold_every_record_once():
    session = ask({"user_identifier": "pages"}, "/api/sessions", 201)["id"]
    talk = ask({"user_session_id": session, "topic": "pages"}, "/api/conversations", 201)["id"]
    for number in range(25):
        ask({"conversation_id": talk, "message_type": "answer", "content": f"message {number}"}, "/api/messages", 201)
    seen = []
    for skip in range(0, 30, 10):
        page = server.get(f"/api/messages?conversation_id={talk}&skip={skip}&limit=10").json
        check_equal((page["total"], page["skip"], page["limit"]), (25, skip, 10), "page")
        seen += [item["content"] for item in page["items"]]
    check_equal(seen, [f"message {number}" for number in range(25)], "all pages")
    latest = server.get(f"/api/messages?conversation_id={talk}&order=desc&limit=1").json["items"][0]
    check_equal(latest["content"], "message 24", "the latest")
    check_equal(server.request("PUT", "/api/messages/" + latest["id"], {"message_type": "system"}).json["message_type"], "system", "PUT")
    check_equal(server.request("DELETE", "/api/messages/" + latest["id"]).status, 204, "DELETE")
    check_equal(server.get("/api/messages/" + latest["id"]).status, 404, "after DELETE")
    check_equal(server.request("DELETE", "/api/conversations/" + talk).status, 204, "DELETE of the conversation")
    check_equal(server.get(f"/api/messages?conversation_id={talk}").json["total"], 0, "its messages")
    check_equal(server.get(f"/api/conversations?session_id={session}").json["total"], 0, "its session's conversations")


def the_sample_conf_serves_without_anything_else():
    done = run("check", "-c", os.path.join(SOURCE, "conf", "questioning.yaml"), environment={
        "LOG_LEVEL": "INFO", "METRICS_ENABLED": "true", "MAX_TOKENS": "1000", "ASYNC_WORKERS": "2", "LLM_TEMPERATURE": "0.2",
        "QDRANT_COLLECTION_NAME": "questions", "LLM_PROVIDER": "openai", "OPENAI_API_KEY": "k", "OPENAI_MODEL_NAME": "m"})
    check_equal(done.returncode, 0, done.stdout + done.stderr)
    own = tempfile.mkdtemp(prefix="backplane-test-")
    process = subprocess.Popen([os.environ["BACKPLANE"], "serve", "-c", os.path.join(SOURCE, "conf", "questioning.yaml")],
                               env=dict(os.environ, DATA_DIR=own, LISTEN="127.0.0.1:0"), stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    try:
        port = None
        for line in process.stdout:
            event = json.loads(line) if line.startswith("{") else {}
            port = event["address"].rsplit(":", 1)[1] if event.get("event") == "listening" else port
            if event.get("event") == "ready":
                break
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
        connection.request("POST", "/mcp-internal/question", body='{"context": "Anything"}')
        answer = json.loads(connection.getresponse().read())
        check_equal(len(answer["questions"]), 5, f"{answer}")
        connection.close()
    finally:
        process.terminate()
        process.communicate(timeout=30)
        shutil.rmtree(own, ignore_errors=True)


with model:
    try:
        with server:
            run_tests([the_model_writes_and_the_storage_keeps, a_model_that_fails_costs_no_question, the_tools_are_listed_and_answer,
                       the_documented_question_keeps_session_and_conversation, what_the_runbook_looks_at_is_there,
                       bad_input_is_never_a_500, fifty_requests_of_one_user_at_once_share_a_session,
                       acknowledged_questions_survive_kill_9,
                       a_client_with_a_model_is_asked_first_and_nothing_is_kept_before_it_answers,
                       tenants_see_nothing_of_each_other_and_scopes_hold, pages_hold_every_record_once,
                       the_sample_conf_serves_without_anything_else])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
