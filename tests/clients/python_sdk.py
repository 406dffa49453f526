"""python_sdk.py - the official Python SDK over Streamable HTTP and stdio: with sessions, as it negotiates, and 2026-07-28 alone."""
import asyncio
import json
import os
import sys
import time
import traceback

import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.subscriptions import ResourceUpdated, ToolsListChanged
from mcp.shared.exceptions import MCPError

HTTP, FILES, STDIO = os.environ["MCP_HTTP"], os.environ["MCP_FILES"], json.loads(os.environ["MCP_STDIO"])
MODERN = "2026-07-28"


def check(is_so, sentence):
    if not is_so:
        raise AssertionError(sentence)


def check_equal(found, wanted, what):
    check(found == wanted, f"{what}: found {found!r}, wanted {wanted!r}")


async def until(holds, sentence, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        check(time.monotonic() < end, f"{sentence} (waited {seconds} s)")
        await asyncio.sleep(0.02)


async def failure(awaitable):
    try:
        value = await awaitable
    except MCPError as error:
        return error
    raise AssertionError(f"this should have failed: {value!r}")


def server_of(kind, app):
    if kind == "http":
        return f"{HTTP}/mcp/{app}"
    return StdioServerParameters(command=STDIO[0], args=[*STDIO[1:], "--app", app],
                                 env={"BACKPLANE_PLUGINS": os.environ["BACKPLANE_PLUGINS"]})


def text(result):
    return result.content[0].text


async def answer_sampling(_context, params):
    asked = params.messages[0].content
    return types.CreateMessageResult(role="assistant", model="m", content=types.TextContent(type="text", text="Re: " + asked.text))


async def answer_elicitation(_context, params):
    name = next(iter(params.requested_schema["properties"]))
    content = {name: True if name in ("ok", "confirm") else "my " + name}
    return types.ElicitResult(action="accept", content={**content, **({"email": "a@b.c"} if name == "username" else {})})


async def answer_roots(_context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///tmp/r", name="r")])


def suite(kind, mode, is_modern):
    def using(app, **more):
        return Client(server_of(kind, app), mode=mode, read_timeout_seconds=20, **more)

    async def it_agrees_on_the_revision_of_its_mode():
        async with using("conformance") as client:
            check_equal(client.protocol_version, MODERN if is_modern else "2025-11-25", "revision")
            if mode != MODERN:  # a pinned client asks nothing first, so it knows nothing of the server
                check_equal(client.instructions, "Tools, resources and prompts of the conformance suite.", "instructions")
                check(client.server_capabilities.tools and client.server_capabilities.resources, "capabilities")

    async def tools_are_listed_and_called():
        async with using("conformance") as client:
            check_equal(len((await client.list_tools()).tools), 37, "tools")
            check_equal(text(await client.call_tool("echo", {"message": 'a "b" \n ü 😀'})), 'a "b" \n ü 😀', "echo")
            check_equal([block.type for block in (await client.call_tool("test_multiple_content_types", {})).content],
                        ["text", "image", "resource"], "types of content")
            check("Süd" in text(await client.call_tool("test_header_parameter", {"region": "Süd"})), "an argument as header")

    async def what_no_reader_takes_is_answered_all_the_same():
        async with using("conformance") as client:
            deep = "x"
            for _ in range(80):
                deep = [deep]
            for arguments in ({"deep": deep}, {"number": 10 ** 30}, {"a\0b": 1}):
                error = await failure(client.call_tool("echo", {"message": "x", **arguments}))
                check_equal(error.code, -32602, f"{str(arguments)[:40]}")
            check_equal(text(await client.call_tool("echo", {"message": "x"})), "x", "the next call")

    async def structured_content_fits_the_schema_of_the_tool():
        async with using("filesystem") as client:
            result = await client.call_tool("read_text_file", {"path": os.path.join(FILES, "notes/ü.md")})
            check_equal(result.structured_content, {"content": "# Notes\nwith äöü €\n"}, "structured content")
        async with using("knowledge") as client:
            entity = {"name": f"python {kind} {mode}", "entityType": "test", "observations": ["was here"]}
            made = await client.call_tool("create_entities", {"entities": [entity]})
            check_equal(made.structured_content, {"entities": [entity]}, "made")
            found = await client.call_tool("open_nodes", {"names": [entity["name"]]})
            check_equal(found.structured_content, {"entities": [entity], "relations": []}, "found")

    async def errors_come_as_what_they_are():
        async with using("conformance") as client:
            failed = await client.call_tool("test_error_handling", {})
            check(failed.is_error and "intentionally" in text(failed), f"a tool that fails: {failed!r}")
            check((await client.call_tool("echo", {"message": 1})).is_error, "arguments that do not fit")
            check_equal((await failure(client.call_tool("no_such_tool", {}))).code, -32602, "unknown tool")
            check_equal((await failure(client.read_resource("test://nothing"))).code, -32602 if is_modern else -32002, "unknown resource")
            check_equal((await failure(client.get_prompt("nothing"))).code, -32602, "unknown prompt")

    async def resources_prompts_and_completions_are_served():
        async with using("conformance") as client:
            check_equal(len((await client.list_resources()).resources), 3, "resources")
            check_equal(len((await client.list_resource_templates()).resource_templates), 1, "templates")
            read = await client.read_resource("test://static-text")
            check_equal(read.contents[0].text, "This is the content of the static text resource.", "resource")
            check_equal(len((await client.list_prompts()).prompts), 5, "prompts")
            got = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
            check_equal(got.messages[0].content.text, "Prompt with arguments: arg1='a', arg2='b'", "prompt")
            done = await client.complete(types.PromptReference(type="ref/prompt", name="test_prompt_with_arguments"),
                                         {"name": "arg1", "value": "par"})
            check_equal(done.completion.values, ["paris", "park", "party"], "completion")

    async def progress_and_log_lines_arrive_while_the_tool_runs():
        seen, lines = [], []

        async def on_progress(progress, total, _message):
            seen.append((progress, total))

        async def on_line(params):
            lines.append(params.data)

        async with using("conformance", logging_callback=on_line, log_level="info") as client:
            await client.call_tool("test_tool_with_progress", {}, progress_callback=on_progress)
            check_equal(seen, [(0, 100), (50, 100), (100, 100)], "progress")
            if not is_modern:
                await client.set_logging_level("info")
            await client.call_tool("test_tool_with_logging", {})
            await until(lambda: len(lines) >= 3, "log lines are missing")
            check_equal(lines, ["Tool execution started", "Tool processing data", "Tool execution completed"], "lines")

    async def the_client_answers_what_the_server_asks():
        async with using("conformance", sampling_callback=answer_sampling, elicitation_callback=answer_elicitation,
                         list_roots_callback=answer_roots) as client:
            check_equal(text(await client.call_tool("test_sampling", {"prompt": "Tea"})), "LLM response: Re: Tea", "sampling")
            check("my username" in text(await client.call_tool("test_elicitation", {"message": "Who?"})), "elicitation")
            check("file:///tmp/r" in text(await client.call_tool("test_input_required_result_list_roots", {})), "roots")
            check_equal(text(await client.call_tool("test_input_required_result_multi_round", {})), "my name likes my color", "two questions")
            check_equal(text(await client.call_tool("test_input_required_result_multiple_inputs", {})),
                        "Re: Generate a greeting my name (1 roots)", "three at once")
            got = await client.get_prompt("test_input_required_result_prompt")
            check_equal(got.messages[0].content.text, "Prompt with the context: my context", "a prompt that asks")

    async def a_call_that_is_given_up_leaves_the_connection_whole():
        async with using("conformance") as client:
            try:
                await asyncio.wait_for(client.call_tool("slow_compute", {"seconds": 100}), 0.3)
                check(False, "it should have been given up")
            except (asyncio.TimeoutError, TimeoutError):
                pass
            check_equal(text(await client.call_tool("echo", {"message": "x"})), "x", "the next call")

    async def changes_are_told_to_who_listens():
        seen = []

        async def on_message(message):
            seen.append(getattr(message, "method", None))

        async with using("conformance", message_handler=on_message) as client:
            if is_modern:
                async with client.listen(tools_list_changed=True, resource_subscriptions=["test://watched-resource"]) as events:
                    await client.call_tool("test_trigger_tool_change", {})
                    await client.call_tool("test_touch_resource", {})
                    found = [await asyncio.wait_for(anext(aiter(events)), 10) for _ in range(2)]
                check_equal({type(event) for event in found}, {ToolsListChanged, ResourceUpdated}, "events")
                return
            await client.subscribe_resource("test://watched-resource")
            await client.call_tool("test_trigger_tool_change", {})
            await client.call_tool("test_touch_resource", {})
            wanted = {"notifications/tools/list_changed", "notifications/resources/updated"}
            await until(lambda: wanted <= set(seen), f"no word of the changes: {seen}")

    async def a_stream_that_the_server_cuts_is_taken_up():
        async with using("conformance") as client:
            check("after the client was back" in text(await client.call_tool("test_reconnection", {})), "the result")

    return [it_agrees_on_the_revision_of_its_mode, tools_are_listed_and_called,
        what_no_reader_takes_is_answered_all_the_same, structured_content_fits_the_schema_of_the_tool,
            errors_come_as_what_they_are, resources_prompts_and_completions_are_served, progress_and_log_lines_arrive_while_the_tool_runs,
            the_client_answers_what_the_server_asks, a_call_that_is_given_up_leaves_the_connection_whole, changes_are_told_to_who_listens,
            a_stream_that_the_server_cuts_is_taken_up]


async def main():
    failed = 0
    for kind in ("http", "stdio"):
        for mode, is_modern in (("legacy", False), ("auto", True), (MODERN, True)):
            for test in suite(kind, mode, is_modern):
                started = time.monotonic()
                try:
                    await asyncio.wait_for(test(), 60)
                    print(f"ok      {kind}, {mode}: {test.__name__} ({time.monotonic() - started:.2f} s)")
                except Exception:  # an error of any kind is a test that failed
                    failed += 1
                    print(f"FAILED  {kind}, {mode}: {test.__name__}")
                    traceback.print_exc()
    return 1 if failed else 0


sys.exit(asyncio.run(main()))
