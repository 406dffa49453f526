// vercel.mjs - the MCP client of Vercel's AI SDK, over HTTP and stdio: it asks server/discover first and speaks what it learns.
import { createMCPClient } from '@ai-sdk/mcp';
import { Experimental_StdioMCPTransport as Stdio } from '@ai-sdk/mcp/mcp-stdio';
import { check, equal, failure, files, runTests, stdio, text, url } from './checks.mjs';

async function suite(kind, protocolVersionDiscovery) {
    async function using(app, body) {
        const client = await createMCPClient({ protocolVersionDiscovery,
            transport: kind === 'http' ? { type: 'http', url: url(app).href } : new Stdio(stdio(app)) });
        try {
            return await body(client);
        } finally {
            await client.close();
        }
    }
    const execute = (tools, name, args = {}) => tools[name].execute(args, { toolCallId: '1', messages: [] });

    async function it_learns_who_serves() {
        await using('conformance', async client => {
            equal(client.instructions, 'Tools, resources and prompts of the conformance suite.', 'instructions');
            check(client.serverInfo.name, 'the server has a name');
        });
    }

    async function tools_become_tools_of_the_model() {
        await using('conformance', async client => {
            const tools = await client.tools();
            equal(Object.keys(tools).length, 37, 'tools');
            equal(text(await execute(tools, 'echo', { message: 'a "b" ü 😀' })), 'a "b" ü 😀', 'echo');
            const mixed = await execute(tools, 'test_multiple_content_types');
            equal(mixed.content.map(block => block.type), ['text', 'image', 'resource'], 'types of content');
        });
        await using('filesystem', async client => {
            const read = await execute(await client.tools(), 'read_text_file', { path: `${files}/notes/ü.md` });
            equal(read.structuredContent, { content: '# Notes\nwith äöü €\n' }, 'structured content');
        });
        await using('knowledge', async client => {
            const found = await execute(await client.tools(), 'search_nodes', { query: 'nothing of that kind' });
            equal(found.structuredContent, { entities: [], relations: [] }, 'search');
        });
    }

    async function what_fails_is_told() {
        await using('conformance', async client => {
            // It throws what a tool reports, or hands it on, by version; either way the sentence has to be there.
            const failed = await client.callTool({ name: 'test_error_handling', arguments: {} }).catch(error => error);
            check(JSON.stringify([failed, failed.message]).includes('This tool intentionally returns an error'), `a tool that fails: ${JSON.stringify(failed)}`);
            check((await failure(client.callTool({ name: 'no_such_tool', arguments: {} }))).message, 'unknown tool');
            check((await failure(client.readResource({ uri: 'test://nothing' }))).message, 'unknown resource');
        });
    }

    async function resources_and_prompts_are_served() {
        await using('conformance', async client => {
            equal((await client.listResources()).resources.length, 3, 'resources');
            equal((await client.listResourceTemplates()).resourceTemplates.length, 1, 'templates');
            equal((await client.readResource({ uri: 'test://static-text' })).contents[0].text, 'This is the content of the static text resource.', 'resource');
            equal((await client.listPrompts()).prompts.length, 5, 'prompts');
            const got = await client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } });
            equal(got.messages[0].content.text, "Prompt with arguments: arg1='a', arg2='b'", 'prompt');
        });
    }

    await runTests(`${kind}, ${protocolVersionDiscovery ? 'discovering' : 'initialize first'}`,
        [it_learns_who_serves, tools_become_tools_of_the_model, what_fails_is_told, resources_and_prompts_are_served]);
}

await suite('http', true);
await suite('http', false);
await suite('stdio', true);
await suite('stdio', false);
process.exit();
