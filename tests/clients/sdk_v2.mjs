// sdk_v2.mjs - the official TypeScript SDK, v2: sessions (legacy), what it negotiates (auto) and 2026-07-28 alone (pin).
import { Client, LOG_LEVEL_META_KEY, MissingRequiredClientCapabilityError, ResourceNotFoundError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { check, equal, failure, files, outcomes, runTests, sleep, stdio, text, until, url } from './checks.mjs';

const MODERN = '2026-07-28';
const CAPABILITIES = { sampling: {}, elicitation: { form: {} }, roots: {} };

async function suite(kind, mode, isModern) {
    const where = `${kind}, ${mode.pin ? 'pinned' : mode}`;

    /** Runs `body` with a client of the app, and closes it. */
    async function using(app, body, options = {}) {
        const client = new Client({ name: 'sdk-v2', version: '1' }, { capabilities: CAPABILITIES, versionNegotiation: { mode }, ...options });
        await client.connect(kind === 'http' ? new StreamableHTTPClientTransport(url(app)) : new StdioClientTransport(stdio(app)));
        try {
            return await body(client);
        } finally {
            await client.close();
        }
    }
    const call = (client, name, args = {}, options) => client.callTool({ name, arguments: args }, options);

    async function it_agrees_on_the_revision_of_its_mode() {
        await using('conformance', async client => {
            equal(client.getNegotiatedProtocolVersion(), isModern ? MODERN : '2025-11-25', 'revision');
            equal(client.getProtocolEra(), isModern ? 'modern' : 'legacy', 'era');
            equal(client.getInstructions(), 'Tools, resources and prompts of the conformance suite.', 'instructions');
            check(client.getServerVersion().name, 'the server has a name');
            for (const name of ['tools', 'resources', 'prompts', 'completions'])
                check(client.getServerCapabilities()[name], `capability ${name}`);
            if (isModern)
                check((await client.discover()).supportedVersions.includes(MODERN), 'what it can be asked in');
            else
                await client.ping();
        });
    }

    async function tools_are_listed_and_called() {
        await using('conformance', async client => {
            equal((await client.listTools()).tools.length, 37, 'tools');
            equal(text(await call(client, 'echo', { message: 'a "b" \n ü 😀' })), 'a "b" \n ü 😀', 'echo');
            equal((await call(client, 'test_multiple_content_types')).content.map(block => block.type), ['text', 'image', 'resource'], 'types');
            // The client repeats the argument as a header, encoded as it is not ASCII; the server compares the two.
            check(text(await call(client, 'test_header_parameter', { region: 'Süd', message: 'x' })).includes('Süd'), 'an argument as header');
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
            await client.listTools();
            equal((await call(client, 'read_text_file', { path: `${files}/notes/ü.md` })).structuredContent,
                { content: '# Notes\nwith äöü €\n' }, 'structured content');
        });
        await using('knowledge', async client => {
            await client.listTools();
            const entity = { name: `v2 ${where}`, entityType: 'test', observations: ['was here'] };
            equal((await call(client, 'create_entities', { entities: [entity] })).structuredContent, { entities: [entity] }, 'made');
            equal((await call(client, 'open_nodes', { names: [entity.name] })).structuredContent, { entities: [entity], relations: [] }, 'found');
        });
    }

    async function errors_come_as_what_they_are() {
        await using('conformance', async client => {
            const failed = await call(client, 'test_error_handling');
            equal([failed.isError, text(failed)], [true, 'This tool intentionally returns an error for testing'], 'failed tool');
            check((await call(client, 'echo', { message: 1 })).isError, 'arguments that do not fit');
            equal((await failure(call(client, 'no_such_tool'))).code, -32602, 'unknown tool');
            const missing = await failure(client.readResource({ uri: 'test://nothing' }));
            check(missing instanceof ResourceNotFoundError, `unknown resource: ${missing}`);
            equal(missing.uri, 'test://nothing', 'which one');
            equal((await failure(client.getPrompt({ name: 'nothing' }))).code, -32602, 'unknown prompt');
        });
    }

    async function resources_prompts_and_completions_are_served() {
        await using('conformance', async client => {
            equal((await client.listResources()).resources.length, 3, 'resources');
            equal((await client.listResourceTemplates()).resourceTemplates.length, 1, 'templates');
            equal((await client.readResource({ uri: 'test://static-text' })).contents[0].text, 'This is the content of the static text resource.', 'text');
            equal(JSON.parse((await client.readResource({ uri: 'test://template/42/data' })).contents[0].text).id, '42', 'template');
            equal((await client.listPrompts()).prompts.length, 5, 'prompts');
            const got = await client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } });
            equal(got.messages[0].content.text, "Prompt with arguments: arg1='a', arg2='b'", 'prompt');
            const { completion } = await client.complete({
                ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' }, argument: { name: 'arg1', value: 'par' } });
            equal(completion.values, ['paris', 'park', 'party'], 'completion');
        });
    }

    async function progress_and_log_lines_arrive_while_the_tool_runs() {
        await using('conformance', async client => {
            const seen = [], lines = [];
            await call(client, 'test_tool_with_progress', {}, { onprogress: ({ progress }) => void seen.push(progress) });
            equal(seen.slice(0, 2), [0, 50], 'progress'); // the last report and the result may arrive in one piece
            client.setNotificationHandler('notifications/message', ({ params }) => void lines.push(params.data));
            if (isModern) {
                await call(client, 'test_tool_with_logging');
                equal(lines, [], 'lines that nobody asked for');
                await client.callTool({ name: 'test_tool_with_logging', arguments: {}, _meta: { [LOG_LEVEL_META_KEY]: 'info' } });
            } else {
                await client.setLoggingLevel('info');
                await call(client, 'test_tool_with_logging');
            }
            equal(lines, ['Tool execution started', 'Tool processing data', 'Tool execution completed'], 'lines');
        });
    }

    async function the_client_answers_what_the_server_asks() {
        await using('conformance', async client => {
            const asked = [];
            client.setRequestHandler('sampling/createMessage', ({ params }) => ({
                model: 'm', role: 'assistant', content: { type: 'text', text: `Re: ${params.messages[0].content.text}` } }));
            client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///tmp/r', name: 'r' }] }));
            client.setRequestHandler('elicitation/create', ({ params }) => {
                asked.push(params.message);
                const [name] = Object.keys(params.requestedSchema.properties);
                return { action: 'accept', content: { [name]: name === 'ok' || name === 'confirm' ? true : `my ${name}`, ...(name === 'username' ? { email: 'a@b.c' } : {}) } };
            });
            equal(text(await call(client, 'test_sampling', { prompt: 'Tea' })), 'LLM response: Re: Tea', 'sampling');
            check(text(await call(client, 'test_elicitation', { message: 'Who?' })).includes('my username'), 'elicitation');
            check(text(await call(client, 'test_input_required_result_list_roots')).includes('file:///tmp/r'), 'roots');
            equal(text(await call(client, 'test_input_required_result_multi_round')), 'my name likes my color', 'two questions, one after the other');
            equal(text(await call(client, 'test_input_required_result_multiple_inputs')), 'Re: Generate a greeting my name (1 roots)', 'three at once');
            check(/confirmed|state-ok/.test(text(await call(client, 'test_input_required_result_request_state'))), 'with a state');
            equal((await client.getPrompt({ name: 'test_input_required_result_prompt' })).messages[0].content.text,
                'Prompt with the context: my context', 'a prompt that asks');
            equal(asked.slice(0, 1), ['Who?'], 'the question');
            equal(text(await call(client, 'confirm_delete', { filename: 'x' })), 'Deleted x', 'confirmation');
        });
    }

    async function a_client_that_cannot_be_asked_is_not_asked() {
        await using('conformance', async client => {
            equal(text(await call(client, 'test_input_required_result_capabilities')), 'The client cannot be asked anything.', 'asks nothing');
            if (isModern) {
                const refused = await failure(call(client, 'test_missing_capability'));
                check(refused instanceof MissingRequiredClientCapabilityError, `error: ${refused}`);
                equal(refused.requiredCapabilities, { sampling: {} }, 'what is missing');
            }
        }, { capabilities: {} });
    }

    async function a_cancelled_call_ends_on_the_server_too() {
        await using('conformance', async client => {
            const before = kind === 'http' ? await outcomes('tool slow_compute', 'cancelled') : 0;
            const abort = new AbortController();
            const waiting = failure(call(client, 'slow_compute', { seconds: 100 }, { signal: abort.signal }));
            await sleep(200);
            abort.abort('enough');
            await waiting;
            if (kind === 'http')
                await until(async () => await outcomes('tool slow_compute', 'cancelled') > before, 'the server goes on');
            equal(text(await call(client, 'echo', { message: 'x' })), 'x', 'the next call');
        });
    }

    async function changes_are_told_to_who_listens() {
        const changes = [], on = name => ({ autoRefresh: true, debounceMs: 0, onChanged: (error, items) => void changes.push([name, error ?? items.length]) });
        await using('conformance', async client => {
            const updated = [];
            client.setNotificationHandler('notifications/resources/updated', ({ params }) => void updated.push(params.uri));
            let subscription;
            if (isModern) {
                subscription = await client.listen({ resourceSubscriptions: ['test://watched-resource'] });
                equal(subscription.honoredFilter.resourceSubscriptions, ['test://watched-resource'], 'what is listened to');
            } else {
                await client.subscribeResource({ uri: 'test://watched-resource' });
            }
            await call(client, 'test_trigger_tool_change');
            await call(client, 'test_trigger_prompt_change');
            await call(client, 'test_touch_resource');
            await until(() => changes.length >= 2 && updated.length, 'no word of the changes');
            equal(changes.sort(), [['prompts', 5], ['tools', 37]], 'changes');
            equal(updated, ['test://watched-resource'], 'updates');
            if (subscription)
                await subscription.close();
            else
                await client.unsubscribeResource({ uri: 'test://watched-resource' });
            await call(client, 'test_touch_resource');
            await sleep(300);
            equal(updated.length, 1, 'updates after listening has ended');
        }, { listChanged: { tools: on('tools'), prompts: on('prompts') } });
    }

    async function a_stream_that_the_server_cuts_is_taken_up() {
        await using('conformance', async client => {
            equal(text(await call(client, 'test_reconnection')), 'Reconnection test completed. The rest came after the client was back.', 'the result');
        });
    }

    await runTests(where, [it_agrees_on_the_revision_of_its_mode, tools_are_listed_and_called,
        what_no_reader_takes_is_answered_all_the_same, structured_content_fits_the_schema_of_the_tool,
        errors_come_as_what_they_are, resources_prompts_and_completions_are_served, progress_and_log_lines_arrive_while_the_tool_runs,
        the_client_answers_what_the_server_asks, a_client_that_cannot_be_asked_is_not_asked, a_cancelled_call_ends_on_the_server_too,
        changes_are_told_to_who_listens, a_stream_that_the_server_cuts_is_taken_up]);
}

for (const kind of ['http', 'stdio']) {
    await suite(kind, 'legacy', false);
    await suite(kind, 'auto', true);
    await suite(kind, { pin: MODERN }, true);
}
process.exit();
