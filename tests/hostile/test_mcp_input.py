"""mcp_input.py - what an MCP client sends that no strict reader takes: every request with an id is answered with that id."""
import json
import os
import subprocess

from backplane_test import PROGRAM, check, check_equal, run_tests
from mcp_test import ACCEPT, Session, guarded_server, modern_request, text_of

DEEP = "[" * 100 + "]" * 100


def call_text(id_text, arguments, tool="echo"):
    """A tools/call as official clients write it: the id comes last."""
    return ('{"method":"tools/call","params":{"name":"' + tool + '","arguments":' + arguments + '},"jsonrpc":"2.0","id":'
            + id_text + "}")


# What is mended: the arguments as the tool has to see them.
MENDED = [
    ('{"text":"cut \\ud83d"}', {"text": "cut \ufffd"}),
    ('{"text":"\\ude00"}', {"text": "\ufffd"}),
    ('{"text":"whole \\ud83d\\ude00"}', {"text": "whole \U0001f600"}),
]
# What is refused with the id.
REFUSED = ['{"n":123456789012345678901234567890}', '{"n":-9223372036854775809}', '{"a":' + DEEP + "}", '{"a\\u0000b":1}',
           '{"n":1e999}', "{" + ",".join(f'"k{i}":1' for i in range(100001)) + "}"]
# What is no JSON at all, and whose id can be seen.
BROKEN = ['{"a":1,}', "{'a':1}", '{"a":NaN}']


def raw_session(server):
    session = Session(server)

    def post(text):
        return server.post("/mcp", text if isinstance(text, bytes) else text.encode(),
                           headers={"Content-Type": "application/json", "Accept": ACCEPT, **session.headers})
    return post


def over_http_what_can_be_mended_is():
    with guarded_server() as server:
        post = raw_session(server)
        for number, (arguments, wanted) in enumerate(MENDED):
            answer = post(call_text(str(number + 10), arguments))
            check_equal(json.loads(text_of(answer, number + 10)), wanted, arguments)
        answer = post(b"\xef\xbb\xbf" + call_text("90", '{"text":"x"}').encode())
        check_equal(text_of(answer, 90), '{"text":"x"}', "a byte order mark")
        answer = post(call_text("91", '{"text":"A"}').encode().replace(b"A", b"\xff"))
        check_equal(json.loads(text_of(answer, 91)), {"text": "\ufffd"}, "a byte that is no UTF-8")


def over_http_what_cannot_be_mended_is_answered_with_its_id():
    with guarded_server() as server:
        post = raw_session(server)
        for arguments in REFUSED:
            for id_text in ("7", '"seven"', "-3"):
                answer = post(call_text(id_text, arguments))
                check_equal(answer.json["id"], json.loads(id_text), f"the id of {arguments[:40]}")
                check_equal(answer.json["error"]["code"], -32602, f"the code of {arguments[:40]}")
                check_equal(answer.status, 200, "for a client of the legacy era")
        for arguments in BROKEN:
            answer = post(call_text("8", arguments))
            check_equal((answer.json["id"], answer.json["error"]["code"]), (8, -32700), arguments)
        answer = post("{")
        check_equal((answer.status, answer.json["id"], answer.json["error"]["code"]), (400, None, -32700), "no JSON")
        answer = post('{"jsonrpc":"2.0","id":12345678901234567890123,"method":"ping"}')
        check_equal(answer.json["id"], 12345678901234567890123, "an id beyond 64 bits")
        check_equal(post('{"jsonrpc":"2.0","id":9,"method":"ping","params":null}').json["result"], {}, "params: null")


def over_http_the_modern_era_gets_400_and_the_id():
    with guarded_server() as server:
        body, headers = modern_request("tools/call", {"name": "echo", "arguments": {"n": 4711}}, id="m1")
        answer = server.post("/mcp", json.dumps(body).replace("4711", "1" * 30).encode(), headers=headers)
        check_equal((answer.status, answer.json["id"], answer.json["error"]["code"]), (400, "m1", -32602), "a modern client")
        text = json.dumps(body).replace("4711", '"\\udc00"').encode()
        answer = server.post("/mcp", b"\xef\xbb\xbf" + text, headers=headers)
        check_equal(json.loads(text_of(answer, "m1")), {"n": "\ufffd"}, "mended")


def in_a_batch_each_request_gets_its_answer():
    with guarded_server() as server:
        session = Session(server, revision="2025-03-26")
        text = "[" + call_text("1", '{"n":1e999}') + ',{"jsonrpc":"2.0","method":"notifications/x"},' + call_text("2", "{}") + "]"
        answer = server.post("/mcp", text.encode(), headers={"Content-Type": "application/json", "Accept": ACCEPT,
                                                             **session.headers})
        check_equal(sorted(one["id"] for one in answer.json), [1, 2], "the ids")
        check(all(one["error"]["code"] == -32602 for one in answer.json), "the codes")


def a_question_whose_answer_cannot_be_read_does_not_wait_for_ever():
    with guarded_server() as server:
        session = Session(server, capabilities={"elicitation": {}})
        connection = server.connect(20)
        connection.request("POST", "/mcp", json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tools/call",
                                                       "params": {"name": "ask", "arguments": {}}}).encode(),
                           {"Content-Type": "application/json", "Accept": ACCEPT, **session.headers})
        stream = connection.getresponse()
        question = None
        while question is None:
            line = stream.readline().decode()
            if line.startswith("data: {"):
                question = json.loads(line[6:])
        check_equal(question["method"], "elicitation/create", "the question")
        bad = '{"jsonrpc":"2.0","id":%d,"result":{"action":"accept","content":{"n":%s}}}' % (question["id"], "9" * 40)
        answer = server.post("/mcp", bad.encode(), headers={"Content-Type": "application/json", "Accept": ACCEPT,
                                                            **session.headers})
        check(answer.json["id"] is None, "nothing that could be taken for the answer to a request of the client's own")
        rest = stream.read().decode()
        check('"id":5' in rest and "cannot be read" in rest, f"the tool hears of it: {rest[-300:]}")
        connection.close()


# ---- stdio ----

def stdio(lines, conf):
    """The answers by id."""
    process = subprocess.run([PROGRAM, "mcp", "-c", conf], input=b"\n".join(lines) + b"\n", stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=60)
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    return {json.dumps(one.get("id")): one for one in answers if "method" not in one}


def over_stdio_every_id_is_answered():
    with guarded_server() as server:
        conf = dict(server.conf, data_dir=os.path.join(server.folder, "stdio"))
        path = os.path.join(server.folder, "stdio.yaml")
        with open(path, "w") as file:
            json.dump(conf, file)
        start = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}
        lines = [b"\xef\xbb\xbf" + json.dumps(start).encode(), b'{"jsonrpc":"2.0","method":"notifications/initialized"}']
        lines += [call_text(str(100 + i), arguments).encode() for i, (arguments, _) in enumerate(MENDED)]
        lines += [call_text(str(200 + i), arguments).encode() for i, arguments in enumerate(REFUSED)]
        lines += [call_text(str(300 + i), arguments).encode() for i, arguments in enumerate(BROKEN)]
        long = '{"text":"' + "x" * (17 << 20) + '"}'
        lines += [call_text("400", long).encode(), ('{"jsonrpc":"2.0","id":"401",' + call_text("0", long)[1:-22] + "}").encode(),
                  call_text("402", '{"text":"after"}').encode()]
        found = stdio(lines, path)
        check("result" in found["0"], "initialize behind a byte order mark")
        for i, (_, wanted) in enumerate(MENDED):
            check_equal(json.loads(found[str(100 + i)]["result"]["content"][0]["text"]), wanted, MENDED[i][0])
        for i, arguments in enumerate(REFUSED):
            check_equal(found[str(200 + i)]["error"]["code"], -32602, arguments[:40])
        for i, arguments in enumerate(BROKEN):
            check_equal(found[str(300 + i)]["error"]["code"], -32700, arguments)
        check_equal(found["400"]["error"]["code"], -32602, "a line of 17 MiB whose id comes last")
        check_equal(found['"401"']["error"]["code"], -32602, "a line of 17 MiB whose id comes first")
        check_equal(found["402"]["result"]["content"][0]["text"], '{"text":"after"}', "what comes behind")


run_tests([over_http_what_can_be_mended_is, over_http_what_cannot_be_mended_is_answered_with_its_id,
           over_http_the_modern_era_gets_400_and_the_id, in_a_batch_each_request_gets_its_answer,
           a_question_whose_answer_cannot_be_read_does_not_wait_for_ever, over_stdio_every_id_is_answered])
