"""What models see of the app retrieval: its MCP tools, over HTTP and over standard input and output."""
import json
import os
import subprocess

from backplane_test import PROGRAM, Server, check, check_equal, run_tests

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


def message(tool, arguments):
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"_meta": META, "name": tool, "arguments": arguments}}


def main():
    with Server() as server:
        server.make_collection("docs")
        server.post("/api/v1/collections/docs/documents", {"id": "tea.md", "title": "Tea", "text": "Green tea is drunk hot."})

        def call(tool, **arguments):
            answer = server.post("/mcp", message(tool, arguments), headers={
                "Content-Type": "application/json", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call",
                "Mcp-Name": tool})
            check_equal(answer.status, 200, tool)
            return answer.json["result"]

        def a_search_finds_the_passage_and_names_the_document():
            result = call("search_documents", query="how is green tea drunk")
            hit = result["structuredContent"]["hits"][0]
            check_equal((hit["document"], hit["text"]), ("tea.md", "Green tea is drunk hot."), "the first hit")
            check_equal(json.loads(result["content"][0]["text"]), result["structuredContent"], "the text of the result")

        def a_document_is_read_and_collections_are_listed():
            check_equal(call("read_document", document="tea.md")["content"][0]["text"], "Green tea is drunk hot.", "the text")
            listed = call("list_collections")["structuredContent"]["collections"]
            check_equal([(one["name"], one["documents"]) for one in listed], [("docs", 1)], "the collections")

        def what_is_not_there_and_what_is_wrong_is_told_to_the_model():
            result = call("read_document", document="coffee.md")
            check(result["isError"] and "coffee.md" in result["content"][0]["text"], f"a missing document: {result}")
            result = call("search_documents", query="x", limit=500)
            check(result["isError"] and "/limit" in result["content"][0]["text"], f"a limit that is too high: {result}")

        def without_a_conf_the_app_runs_on_embedded_back_ends():
            over_stdio(server)

        run_tests([a_search_finds_the_passage_and_names_the_document, a_document_is_read_and_collections_are_listed,
                   what_is_not_there_and_what_is_wrong_is_told_to_the_model,
                   without_a_conf_the_app_runs_on_embedded_back_ends])


def over_stdio(server):
    """The embedded conf of `backplane mcp --app retrieval`."""
    with subprocess.Popen([PROGRAM, "mcp", "--app", "retrieval", "--data", os.path.join(server.folder, "own")],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate(json.dumps(message("list_collections", {})) + "\n", timeout=20)
    check_equal(process.returncode, 0, "the exit status")
    check_equal(json.loads(out)["result"]["structuredContent"], {"collections": []}, "the collections of a new data folder")


main()
