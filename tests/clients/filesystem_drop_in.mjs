// filesystem_drop_in.mjs - `node dist/index.js FOLDER...`, as clients have the reference filesystem server in their settings,
// with a dist/index.js that starts ours: what the black-box tests of that server look at, in our words.
// Those tests themselves also look for sentences of its start ("... running on stdio"), which ours does not print.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { check, equal, runTests, stdio, text } from './checks.mjs';

const root = mkdtempSync(join(tmpdir(), 'backplane-test-')), { command, env } = stdio('filesystem');
const shim = join(root, 'dist', 'index.js'), good = join(root, 'good'), other = join(root, 'other'), file = join(root, 'file.txt');
mkdirSync(join(root, 'dist'));
mkdirSync(good);
mkdirSync(other);
writeFileSync(file, 'no folder');
writeFileSync(shim, `const { spawn } = require('node:child_process');
const child = spawn(${JSON.stringify(command)}, ['mcp', '--app', 'filesystem', '--data', ${JSON.stringify(join(root, 'data'))}, ...process.argv.slice(2)], { stdio: 'inherit' });
child.on('close', code => process.exit(code ?? 1));
process.on('SIGTERM', () => child.kill());
`);
// The shim is CommonJS whatever lies above it.
writeFileSync(join(root, 'package.json'), '{}');

/** Starts it, writes the lines, ends its input; what it answers and how it ends. */
function start(folders, lines = []) {
    return new Promise(resolve => {
        const child = spawn(process.execPath, [shim, ...folders], { env: { ...process.env, ...env } });
        let stdout = '', stderr = '';
        child.stdout.on('data', data => { stdout += data; });
        child.stderr.on('data', data => { stderr += data; });
        child.on('close', status => resolve({ status, stderr, answers: stdout.split('\n').filter(Boolean).map(JSON.parse) }));
        child.stdin.on('error', () => {}); // it may be gone already
        child.stdin.end(lines.map(line => line + '\n').join(''));
    });
}
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}', PONG = { jsonrpc: '2.0', id: 1, result: {} };

async function it_starts_with_folders_that_are_there() {
    const { status, stderr, answers } = await start([good, other], [PING]);
    equal([status, answers], [0, [PONG]], 'status and answer');
    check(!/left out|WARN|ERROR/.test(stderr), `no complaint: ${stderr}`);
}

async function a_folder_that_is_not_there_is_named_and_left_out() {
    const { status, stderr, answers } = await start([join(root, 'missing'), good], [PING]);
    equal([status, answers], [0, [PONG]], 'status and answer');
    check(stderr.includes(join(root, 'missing')) && stderr.includes('left out'), `complaint: ${stderr}`);
}

async function without_any_folder_it_ends_with_an_error() {
    const { status, stderr } = await start([join(root, 'missing'), join(root, 'missing too')], [PING]);
    check(status !== 0, 'status');
    check(/no directory of the list can be opened/.test(stderr), `complaint: ${stderr}`);
}

async function a_file_in_place_of_a_folder_is_named_and_left_out() {
    const { status, stderr, answers } = await start([file, good], [PING]);
    equal([status, answers], [0, [PONG]], 'status and answer');
    check(stderr.includes(file) && /not a directory/i.test(stderr), `complaint: ${stderr}`);
}

async function after_a_line_that_is_no_json_it_goes_on() {
    const { answers } = await start([good], ['{"jsonrpc":"2.0", "method":"test", "params": ', PING]);
    equal(answers.map(answer => answer.error?.code ?? answer.id), [-32700, 1], 'answers');
    equal(answers[1], PONG, 'the second answer');
}

async function using(body) {
    const client = new Client({ name: 'drop-in', version: '1' }, { capabilities: {} });
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [shim, good], env: { ...process.env, ...env } }));
    try {
        return await body((name, args) => client.callTool({ name, arguments: args }), client);
    } finally {
        await client.close();
    }
}

async function structured_content_is_a_string_and_the_same_as_the_text() {
    writeFileSync(join(good, 'test.txt'), 'test content');
    mkdirSync(join(good, 'subdir'));
    writeFileSync(join(good, 'subdir', 'nested.txt'), 'nested content');
    await using(async call => {
        const said = {};
        for (const [name, args] of [['directory_tree', { path: good }], ['list_directory_with_sizes', { path: good }], ['list_directory', { path: good }],
            ['search_files', { path: good, pattern: '*.txt' }], ['move_file', { source: join(good, 'test.txt'), destination: join(good, 'moved.txt') }]]) {
            const result = await call(name, args);
            equal(typeof result.structuredContent.content, 'string', `content of ${name}`);
            equal(result.structuredContent.content, text(result), `text of ${name}`);
            said[name] = text(result);
        }
        equal(JSON.parse(said.directory_tree).map(entry => entry.name).sort(), ['subdir', 'test.txt'], 'tree');
        check(said.list_directory_with_sizes.includes('[FILE] test.txt'), 'list');
        check(said.move_file.startsWith('Successfully moved'), 'move');
    });
}

async function nothing_that_is_there_is_moved_over() {
    for (const name of ['from', 'to']) {
        writeFileSync(join(good, `${name}.txt`), name);
        mkdirSync(join(good, name, 'nested'), { recursive: true });
        writeFileSync(join(good, name, 'nested', `${name}.txt`), name);
    }
    await using(async call => {
        for (const [source, destination] of [['from.txt', 'to.txt'], ['from', 'to']])
            check((await call('move_file', { source: join(good, source), destination: join(good, destination) })).isError, `${source} to ${destination}`);
        equal([readFileSync(join(good, 'from.txt'), 'utf8'), readFileSync(join(good, 'to.txt'), 'utf8')], ['from', 'to'], 'files');
        check(existsSync(join(good, 'from/nested/from.txt')) && !existsSync(join(good, 'to/nested/from.txt')), 'folders');
        check(!(await call('move_file', { source: join(good, 'from'), destination: join(good, 'gone') })).isError, 'a folder to a name that is free');
        equal(readFileSync(join(good, 'gone/nested/from.txt'), 'utf8'), 'from', 'what was in it');
        check(!existsSync(join(good, 'from')), 'the old name');
    });
}

async function media_come_as_blocks_that_every_client_knows() {
    const bytes = Buffer.from([0x89, 0x50, 0x00, 0xff, 0xfe, 0x0a]);
    await using(async (call, client) => {
        for (const [name, type, mime] of [['p.png', 'image', 'image/png'], ['c.mp3', 'audio', 'audio/mpeg'], ['my café.bin', 'resource', 'application/octet-stream']]) {
            writeFileSync(join(good, name), bytes);
            const result = await call('read_media_file', { path: join(good, name) }), [block] = result.content;
            equal([result.content.length, block.type], [1, type], `type of ${name}`);
            equal(block.mimeType ?? block.resource.mimeType, mime, `MIME type of ${name}`);
            check(Buffer.from(block.data ?? block.resource.blob, 'base64').equals(bytes), `bytes of ${name}`);
            equal(result.structuredContent, { content: result.content }, `structured content of ${name}`);
            if (block.resource) {
                check(/%20caf%C3%A9/.test(block.resource.uri), `URI: ${block.resource.uri}`);
                equal(fileURLToPath(block.resource.uri), join(good, name), 'path of the URI');
            }
        }
        const schema = JSON.stringify((await client.listTools()).tools.find(tool => tool.name === 'read_media_file').outputSchema);
        check(['image', 'audio', 'resource'].every(type => schema.includes(type)), `schema: ${schema}`);
    });
}

await runTests('drop-in', [it_starts_with_folders_that_are_there, a_folder_that_is_not_there_is_named_and_left_out, without_any_folder_it_ends_with_an_error,
    a_file_in_place_of_a_folder_is_named_and_left_out, after_a_line_that_is_no_json_it_goes_on, structured_content_is_a_string_and_the_same_as_the_text,
    nothing_that_is_there_is_moved_over, media_come_as_blocks_that_every_client_knows]);
rmSync(root, { recursive: true, force: true });
