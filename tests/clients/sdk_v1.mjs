// sdk_v1.mjs - the official TypeScript SDK, v1, which speaks up to 2025-11-25, over HTTP and stdio.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';
import { check, equal, failure, files, outcomes, runTests, sleep, stdio, text, until, url } from './checks.mjs';

const CAPABILITIES = { sampling: {}, elicitation: { form: { applyDefaults: true } }, roots: { listChanged: true } };

async function suite(kind) {
    const open = app => kind === 'http' ? new StreamableHTTPClientTransport(url(app)) : new StdioClientTransport(stdio(app));

    /** Runs `body` with a client of the app, and closes it. */
    async function using(app, body, options = {}) {
        const client = new Client({ name: 'sdk-v1', version: '1' }, { capabilities: CAPABILITIES, ...options });
        const transport = open(app);
        await client.connect(transport);
        try {
            return await body(client, transport);
        } finally {
            await client.close();
        }
    }
    const call = (client, name, args = {}, options) => client.callTool({ name, arguments: args }, undefined, options);

    async function it_is_greeted_in_the_newest_revision_with_sessions() {
        await using('conformance', async (client, transport) => {
            check(client.getServerVersion().name, 'the server has a name');
            equal(client.getInstructions(), 'Tools, resources and prompts of the conformance suite.', 'instructions');
            const capabilities = client.getServerCapabilities();
            for (const name of ['tools', 'resources', 'prompts', 'completions', 'logging'])
                check(capabilities[name], `capability ${name}`);
            check(capabilities.resources.subscribe, 'resources.subscribe');
            if (kind === 'http') {
                equal(transport.protocolVersion, '2025-11-25', 'revision');
                check(transport.sessionId, 'there is a session');
            }
            equal(await client.ping(), {}, 'ping');
        });
    }

    async function tools_are_listed_and_called() {
        await using('conformance', async client => {
            const { tools } = await client.listTools();
            equal(tools.length, 37, 'tools');
            equal(tools.find(tool => tool.name === 'echo').inputSchema.required, ['message'], 'schema of echo');
            equal(text(await call(client, 'echo', { message: 'a "b" \n ü 😀' })), 'a "b" \n ü 😀', 'echo');
            equal((await call(client, 'test_multiple_content_types')).content.map(block => block.type),
                ['text', 'image', 'resource'], 'types of content');
            equal((await call(client, 'test_audio_content')).content[0].mimeType, 'audio/wav', 'sound');
        });
    }

    async function what_no_reader_takes_is_answered_all_the_same() {
        await using('conformance', async client => {
            let deep = 'x';
            for (let i = 0; i < 80; i++)
                deep = [deep];
            equal(text(await call(client, 'echo', { message: 'cut \ud83d' })), 'cut \ufffd', 'half an emoji');
            equal((await failure(call(client, 'echo', { message: 'x', deep }))).code, -32602, '80 levels');
            equal((await failure(call(client, 'echo', { message: 'x', number: 123456789012345678901 }))).code, -32602, 'a large number');
            equal((await failure(call(client, 'echo', { message: 'x', 'a\0b': 1 }))).code, -32602, 'NUL in a name');
            equal(text(await call(client, 'echo', { message: 'x' })), 'x', 'the next call');
        });
    }

    async function structured_content_fits_the_schema_of_the_tool() {
        await using('filesystem', async client => {
            await client.listTools(); // from now on the client checks every structured result
            const result = await call(client, 'read_text_file', { path: `${files}/notes/ü.md` });
            equal(result.structuredContent, { content: '# Notes\nwith äöü €\n' }, 'structured content');
            equal(text(result), '# Notes\nwith äöü €\n', 'text');
            for (const name of ['list_directory', 'directory_tree', 'get_file_info'])
                check((await call(client, name, { path: files })).structuredContent.content, name);
        });
        await using('knowledge', async client => {
            await client.listTools();
            const entity = { name: `v1 over ${kind}`, entityType: 'test', observations: ['was here'] };
            equal((await call(client, 'create_entities', { entities: [entity] })).structuredContent, { entities: [entity] }, 'made');
            equal((await call(client, 'search_nodes', { query: `V1 OVER ${kind.toUpperCase()}` })).structuredContent,
                { entities: [entity], relations: [] }, 'found');
        });
    }

    async function errors_come_as_what_they_are() {
        await using('conformance', async client => {
            const failed = await call(client, 'test_error_handling');
            equal([failed.isError, text(failed)], [true, 'This tool intentionally returns an error for testing'], 'failed tool');
            const wrong = await call(client, 'echo', { message: 1 });
            check(wrong.isError && /message/.test(text(wrong)), `arguments that do not fit: ${JSON.stringify(wrong)}`);
            equal((await failure(call(client, 'no_such_tool'))).code, types.ErrorCode.InvalidParams, 'unknown tool');
            equal((await failure(client.readResource({ uri: 'test://nothing' }))).code, -32002, 'unknown resource');
            equal((await failure(client.getPrompt({ name: 'nothing' }))).code, types.ErrorCode.InvalidParams, 'unknown prompt');
            equal((await failure(client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'x' } }))).code,
                types.ErrorCode.InvalidParams, 'missing argument');
            equal((await failure(client.request({ method: 'no/such' }, types.EmptyResultSchema))).code,
                types.ErrorCode.MethodNotFound, 'unknown method');
            equal(await client.ping(), {}, 'it goes on');
        });
    }

    async function resources_are_listed_read_and_watched() {
        await using('conformance', async client => {
            const { resources } = await client.listResources();
            equal(resources.map(each => each.uri).sort(),
                ['test://static-binary', 'test://static-text', 'test://watched-resource'], 'resources');
            equal((await client.listResourceTemplates()).resourceTemplates.map(each => each.uriTemplate),
                ['test://template/{id}/data'], 'templates');
            equal((await client.readResource({ uri: 'test://static-text' })).contents,
                [{ uri: 'test://static-text', mimeType: 'text/plain', text: 'This is the content of the static text resource.' }], 'text');
            const blob = Buffer.from((await client.readResource({ uri: 'test://static-binary' })).contents[0].blob, 'base64');
            equal(blob.subarray(1, 4).toString(), 'PNG', 'picture');
            equal(JSON.parse((await client.readResource({ uri: 'test://template/4%202/data' })).contents[0].text).id, '4 2', 'template');

            const updated = [];
            client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
            await client.subscribeResource({ uri: 'test://watched-resource' });
            await call(client, 'test_touch_resource');
            await until(() => updated.length, 'no word of the update');
            equal(updated, ['test://watched-resource'], 'updates');
            await client.unsubscribeResource({ uri: 'test://watched-resource' });
            await call(client, 'test_touch_resource');
            await sleep(300);
            equal(updated.length, 1, 'updates after unsubscribing');
        });
    }

    async function prompts_are_listed_got_and_completed() {
        await using('conformance', async client => {
            const { prompts } = await client.listPrompts();
            equal(prompts.length, 5, 'prompts');
            equal(prompts.find(each => each.name === 'test_prompt_with_arguments').arguments.map(each => each.required), [true, true], 'arguments');
            const got = await client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } });
            equal(got.messages, [{ role: 'user', content: { type: 'text', text: "Prompt with arguments: arg1='a', arg2='b'" } }], 'messages');
            const { completion } = await client.complete({
                ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' }, argument: { name: 'arg1', value: 'par' } });
            equal(completion.values, ['paris', 'park', 'party'], 'completion');
        });
    }

    async function progress_arrives_while_the_tool_runs() {
        await using('conformance', async (client, transport) => {
            const seen = [], arrived = [], { onmessage } = transport;
            transport.onmessage = (message, extra) => {
                arrived.push(message.params?.progress ?? 'result');
                onmessage(message, extra);
            };
            await call(client, 'test_tool_with_progress', {}, { onprogress: ({ progress, total }) => void seen.push([progress, total]) });
            equal(arrived, [0, 50, 100, 'result'], 'what arrived');
            // When the last report and the result arrive in one piece, this client forgets the report: it takes results at once
            // and notifications a little later.
            equal(seen.slice(0, 2), [[0, 100], [50, 100]], 'progress');
        });
    }

    async function log_lines_arrive_from_the_level_that_was_set() {
        await using('conformance', async client => {
            const lines = [];
            client.setNotificationHandler(types.LoggingMessageNotificationSchema, ({ params }) => void lines.push(params));
            await client.setLoggingLevel('info');
            await call(client, 'test_tool_with_logging');
            equal(lines.map(line => [line.level, line.data]), [['info', 'Tool execution started'], ['info', 'Tool processing data'],
                ['info', 'Tool execution completed']], 'lines');
            await client.setLoggingLevel('error');
            await call(client, 'test_tool_with_logging');
            await sleep(200);
            equal(lines.length, 3, 'lines below the level');
        });
    }

    async function the_client_answers_what_the_server_asks() {
        await using('conformance', async client => {
            client.setRequestHandler(types.CreateMessageRequestSchema, ({ params }) => ({
                model: 'm', role: 'assistant', content: { type: 'text', text: `${params.messages[0].content.text}? Yes (${params.maxTokens}).` } }));
            client.setRequestHandler(types.ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///tmp/r', name: 'r' }] }));
            const answers = [{ action: 'accept', content: { username: 'ada', email: 'a@b.c' } }, { action: 'decline' }, { action: 'cancel' }];
            client.setRequestHandler(types.ElicitRequestSchema, ({ params }) =>
                /defaults/.test(params.message) ? { action: 'accept', content: {} } : answers.shift());
            equal(text(await call(client, 'test_sampling', { prompt: 'Tea' })), 'LLM response: Tea? Yes (100).', 'sampling');
            check(text(await call(client, 'test_elicitation', { message: 'Who?' })).includes('"ada"'), 'accepted');
            check(text(await call(client, 'test_elicitation', { message: 'Who?' })).includes('"decline"'), 'declined');
            check(text(await call(client, 'test_elicitation', { message: 'Who?' })).includes('"cancel"'), 'cancelled');
            check(text(await call(client, 'test_elicitation_sep1034_defaults')).includes('John Doe'), 'defaults');
            check(text(await call(client, 'test_input_required_result_list_roots')).includes('file:///tmp/r'), 'roots');
        });
    }

    async function a_client_that_cannot_be_asked_is_not_asked() {
        await using('conformance', async client => {
            equal(text(await call(client, 'test_input_required_result_capabilities')), 'The client cannot be asked anything.', 'asks nothing');
            const result = await call(client, 'test_sampling', { prompt: 'x' }).catch(error => ({ isError: true, content: [{ text: error.message }] }));
            check(result.isError && /sampling/.test(text(result)), `a sentence about sampling: ${JSON.stringify(result)}`);
        }, { capabilities: {} });
    }

    async function a_cancelled_call_ends_on_the_server_too() {
        await using('conformance', async client => {
            const before = kind === 'http' ? await outcomes('tool slow_compute', 'cancelled') : 0;
            const abort = new AbortController();
            const waiting = failure(call(client, 'slow_compute', { seconds: 100 }, { signal: abort.signal }));
            await sleep(200);
            abort.abort('enough');
            check(/enough/.test((await waiting).message), 'the client gives up');
            if (kind === 'http')
                await until(async () => await outcomes('tool slow_compute', 'cancelled') > before, 'the server goes on');
            equal(await client.ping(), {}, 'the session lives');
        });
    }

    async function changed_lists_are_fetched_again() {
        const changes = [];
        await using('conformance', async client => {
            await call(client, 'test_trigger_tool_change');
            await call(client, 'test_trigger_prompt_change');
            await until(() => changes.length >= 2, 'no word of the changes');
            equal(changes.sort(), [['prompts', 5], ['tools', 37]], 'changes');
        }, { capabilities: CAPABILITIES, listChanged: {
            tools: { autoRefresh: true, debounceMs: 0, onChanged: (error, items) => void changes.push(['tools', error ?? items.length]) },
            prompts: { autoRefresh: true, debounceMs: 0, onChanged: (error, items) => void changes.push(['prompts', error ?? items.length]) } } });
    }

    async function work_runs_as_a_task() {
        await using('conformance', async client => {
            client.setRequestHandler(types.ElicitRequestSchema, () => ({ action: 'accept', content: { confirm: true } }));
            const { tools } = await client.listTools();
            equal(tools.find(tool => tool.name === 'failing_job').execution.taskSupport, 'required', 'taskSupport');
            const follow = async (name, args) => {
                const seen = [];
                for await (const message of client.experimental.tasks.callToolStream({ name, arguments: args }, undefined, { task: { ttl: 60000 } }))
                    seen.push(message);
                return seen;
            };
            let seen = await follow('slow_compute', { seconds: 0.7, label: 'sums' });
            equal([seen[0].type, seen.at(-1).type], ['taskCreated', 'result'], 'course of a task');
            equal(text(seen.at(-1).result), 'Computed for 0.7 s: sums', 'its result');
            check((await client.experimental.tasks.listTasks()).tasks.some(task => task.taskId === seen[0].task.taskId), 'it is listed');
            seen = await follow('confirm_delete', { filename: 'x' });
            equal([seen.at(-1).result.isError, text(seen.at(-1).result)],
                [true, 'a task of MCP 2025-11-25 cannot ask the client: call the tool without a task'], 'a task that asks');
            equal(text(await call(client, 'confirm_delete', { filename: 'x' })), 'Deleted x', 'the same without a task');
            seen = await follow('failing_job', {});
            check(JSON.stringify(seen.at(-1)).includes('this job always fails'), `a task that fails: ${JSON.stringify(seen)}`);

            const stream = client.experimental.tasks.callToolStream({ name: 'slow_compute', arguments: { seconds: 100 } }, undefined, { task: {} });
            const { task } = (await stream.next()).value;
            equal((await client.experimental.tasks.cancelTask(task.taskId)).status, 'cancelled', 'cancelled');
            equal((await client.experimental.tasks.getTask(task.taskId)).status, 'cancelled', 'and it stays so');
            await stream.return();
        });
    }

    async function a_stream_that_was_cut_is_taken_up_where_it_ended() {
        await using('conformance', async client => {
            const result = await call(client, 'test_reconnection');
            equal(text(result), 'Reconnection test completed. The rest came after the client was back.', 'after a server that hung up');
        });
        // The same by a second connection of the session, which names the last event that the first one saw.
        const first = new Client({ name: 'sdk-v1', version: '1' }), one = open('conformance');
        await first.connect(one);
        let token;
        const lost = failure(first.callTool({ name: 'test_tool_with_progress', arguments: {} }, undefined, {
            onprogress: () => {}, onresumptiontoken: value => { token = value; } }));
        await until(() => token, 'no event has an id');
        await first.close();
        await lost;
        const two = new StreamableHTTPClientTransport(url('conformance'), { sessionId: one.sessionId });
        two.setProtocolVersion('2025-11-25');
        const second = new Client({ name: 'sdk-v1', version: '1' });
        await second.connect(two);
        const result = await second.request({ method: 'tools/call', params: { name: 'test_tool_with_progress' } },
            types.CallToolResultSchema, { resumptionToken: token });
        equal(text(result), 'Reported progress three times.', 'the rest of the stream');
        await two.terminateSession();
        await second.close();
    }

    async function an_ended_session_is_gone() {
        await using('conformance', async (client, transport) => {
            const id = transport.sessionId;
            await transport.terminateSession();
            const late = await fetch(url('conformance'), { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}', headers: {
                'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-session-id': id } });
            equal(late.status, 404, 'status');
        });
    }

    await runTests(kind, [
        it_is_greeted_in_the_newest_revision_with_sessions, tools_are_listed_and_called,
        what_no_reader_takes_is_answered_all_the_same, structured_content_fits_the_schema_of_the_tool,
        errors_come_as_what_they_are, resources_are_listed_read_and_watched, prompts_are_listed_got_and_completed,
        progress_arrives_while_the_tool_runs, log_lines_arrive_from_the_level_that_was_set, the_client_answers_what_the_server_asks,
        a_client_that_cannot_be_asked_is_not_asked, a_cancelled_call_ends_on_the_server_too, changed_lists_are_fetched_again,
        work_runs_as_a_task,
        ...(kind === 'http' ? [a_stream_that_was_cut_is_taken_up_where_it_ended, an_ended_session_is_gone] : []),
    ]);
}

await suite('http');
await suite('stdio');
process.exit();
