// langchain.mjs - LangChain's MCP adapters, which make tools of LangChain out of ours, over HTTP and stdio.
import { MultiServerMCPClient } from '@langchain/mcp-adapters';
import { check, equal, failure, files, runTests, stdio, url } from './checks.mjs';

async function suite(kind) {
    const server = app => kind === 'http' ? { transport: 'http', url: url(app).href } : { transport: 'stdio', ...stdio(app) };

    async function using(apps, body) {
        const client = new MultiServerMCPClient({ mcpServers: Object.fromEntries(apps.map(app => [app, server(app)])) });
        try {
            return await body(client);
        } finally {
            await client.close();
        }
    }
    const named = (tools, name) => tools.find(tool => tool.name === name);

    async function tools_of_several_servers_are_one_list() {
        await using(['conformance', 'filesystem', 'knowledge'], async client => {
            const tools = await client.getTools();
            equal(tools.length, 37 + 14 + 9, 'tools');
            equal((await client.getTools('knowledge')).length, 9, 'tools of one server');
            equal(await named(tools, 'echo').invoke({ message: 'a "b" ü 😀' }), 'a "b" ü 😀', 'echo');
            const read = await named(tools, 'read_text_file').invoke({ path: `${files}/notes/ü.md` });
            check(JSON.stringify(read).includes('with äöü €'), `file: ${JSON.stringify(read)}`);
            const entity = { name: `langchain over ${kind}`, entityType: 'test', observations: ['was here'] };
            check(JSON.stringify(await named(tools, 'create_entities').invoke({ entities: [entity] })).includes(entity.name), 'made');
            check(JSON.stringify(await named(tools, 'search_nodes').invoke({ query: entity.name })).includes('was here'), 'found');
        });
    }

    async function what_fails_is_thrown_with_its_sentence() {
        await using(['conformance'], async client => {
            const tools = await client.getTools();
            check((await failure(named(tools, 'test_error_handling').invoke({}))).message.includes('This tool intentionally returns an error'), 'sentence');
            check(await failure(named(tools, 'echo').invoke({ message: 1 })), 'arguments that do not fit');
            equal(await named(tools, 'echo').invoke({ message: 'x' }), 'x', 'the next call');
        });
    }

    async function progress_reaches_the_callback() {
        const seen = [];
        const client = new MultiServerMCPClient({ mcpServers: { conformance: server('conformance') },
            onProgress: ({ progress }) => void seen.push(progress) });
        await named(await client.getTools(), 'test_tool_with_progress').invoke({});
        equal(seen.slice(0, 2), [0, 50], 'progress'); // the last report and the result may arrive in one piece
        await client.close();
    }

    await runTests(kind, [tools_of_several_servers_are_one_list, what_fails_is_thrown_with_its_sentence, progress_reaches_the_callback]);
}

await suite('http');
await suite('stdio');
process.exit();
