// inspector.mjs - the official inspector on the command line, in its three eras: what it prints, and the status it ends with.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, equal, files, runTests, stdio, url } from './checks.mjs';

const PROGRAM = 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js';
const STATUS = { usage: 1, unreachable: 4, tool: 5 };
const home = mkdtempSync(join(tmpdir(), 'backplane-test-')); // it writes settings there

/** Runs the inspector; its status and what it printed. */
function inspect(...args) {
    return new Promise(resolve => {
        const child = spawn(process.execPath, [PROGRAM, '--cli', ...args, '--format', 'json'], { env: { ...process.env, HOME: home } });
        let stdout = '', stderr = '';
        child.stdout.on('data', data => { stdout += data; });
        child.stderr.on('data', data => { stderr += data; });
        child.on('close', status => resolve({ status, stdout, stderr }));
    });
}

async function result(...args) {
    const done = await inspect(...args);
    equal(done.status, 0, `status of ${args.join(' ')}: ${done.stderr}`);
    const found = JSON.parse(done.stdout);
    return found.result ?? found;
}

// The command comes last: what follows it is its own.
function overStdio(app) {
    const { command, args, env } = stdio(app);
    return [...Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`]), '--transport', 'stdio', command, ...args];
}
const http = app => ['--transport', 'http', url(app).href];

async function suite(era) {
    const asked = ['--protocol-era', era];

    async function it_finds_nothing_to_blame_in_the_schemas_of_the_apps() {
        for (const [app, count] of [['filesystem', 14], ['knowledge', 9], ['conformance', 37]]) {
            const { tools } = await result(...http(app), ...asked, '--method', 'tools/list', '--strict');
            equal(tools.length, count, `tools of ${app}`);
        }
    }

    async function it_calls_reads_and_gets() {
        const echo = await result(...http('conformance'), ...asked, '--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', 'message=hello');
        equal(echo.content, [{ type: 'text', text: 'hello' }], 'echo');
        const read = await result(...http('filesystem'), ...asked, '--method', 'tools/call', '--tool-name', 'read_text_file', '--tool-arg', `path=${files}/a.txt`);
        equal(read.structuredContent, { content: 'one\ntwo\nthree\n' }, 'file');
        const resource = await result(...http('conformance'), ...asked, '--method', 'resources/read', '--uri', 'test://static-text');
        equal(resource.contents[0].text, 'This is the content of the static text resource.', 'resource');
        const prompt = await result(...http('conformance'), ...asked, '--method', 'prompts/get', '--prompt-name', 'test_prompt_with_arguments',
            '--prompt-args', 'arg1=a', 'arg2=b');
        equal(prompt.messages[0].content.text, "Prompt with arguments: arg1='a', arg2='b'", 'prompt');
    }

    async function it_lists_and_calls_over_stdio() {
        const { tools } = await result(...asked, '--method', 'tools/list', '--strict', ...overStdio('knowledge'));
        equal(tools.length, 9, 'tools');
        const found = await result(...asked, '--method', 'tools/call', '--tool-name', 'search_nodes', '--tool-arg', 'query=nothing', ...overStdio('knowledge'));
        equal(found.structuredContent, { entities: [], relations: [] }, 'search');
    }

    async function a_tool_that_fails_is_its_own_status() {
        const failed = await inspect(...http('conformance'), ...asked, '--method', 'tools/call', '--tool-name', 'test_error_handling');
        equal(failed.status, STATUS.tool, `status of a tool that fails: ${failed.stderr}`);
        check((failed.stdout + failed.stderr).includes('This tool intentionally returns an error'), 'its sentence');
        const unknown = await inspect(...http('conformance'), ...asked, '--method', 'tools/call', '--tool-name', 'no_such_tool');
        check(unknown.status !== 0, 'an unknown tool');
    }

    await runTests(`inspector, ${era}`, [it_finds_nothing_to_blame_in_the_schemas_of_the_apps, it_calls_reads_and_gets, it_lists_and_calls_over_stdio,
        a_tool_that_fails_is_its_own_status], 100);
}

async function nothing_to_reach_is_another_status_than_a_wrong_command() {
    equal((await inspect('--transport', 'http', 'http://127.0.0.1:9/mcp', '--method', 'tools/list')).status, STATUS.unreachable, 'nobody listens');
    equal((await inspect(...http('conformance'), '--method', 'no/such')).status, STATUS.usage, 'no such method');
}

await suite('legacy');
await suite('auto');
await suite('modern');
await runTests('inspector', [nothing_to_reach_is_another_status_than_a_wrong_command], 100);
rmSync(home, { recursive: true, force: true });
