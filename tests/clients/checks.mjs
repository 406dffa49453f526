// checks.mjs - what the scripts of the clients share: checks, a runner, and where the servers are.
import assert from 'node:assert/strict';

export const http = process.env.MCP_HTTP;
export const files = process.env.MCP_FILES;
const stdioCommand = JSON.parse(process.env.MCP_STDIO);

export const url = app => new URL(`${http}/mcp/${app}`);

/** The command that serves the app over standard input and output, as the transports of clients take it. */
export function stdio(app) {
    const [command, ...args] = stdioCommand;
    return {
        command, args: [...args, '--app', app], stderr: 'inherit',
        env: { PATH: process.env.PATH, BACKPLANE_PLUGINS: process.env.BACKPLANE_PLUGINS },
    };
}

export const check = (isSo, sentence) => assert.ok(isSo, sentence);
export const equal = (found, wanted, what) => assert.deepStrictEqual(found, wanted, what &&
    `${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);

/** The error that the promise fails with. */
export async function failure(promise) {
    let value;
    try {
        value = await promise;
    } catch (error) {
        return error;
    }
    throw new Error(`this should have failed: ${JSON.stringify(value)}`);
}

/** Resolves as soon as `holds` gives something true. */
export async function until(holds, sentence, seconds = 10) {
    for (const end = Date.now() + seconds * 1000; ;) {
        const value = await holds();
        if (value)
            return value;
        if (Date.now() > end)
            throw new Error(`${sentence} (waited ${seconds} s)`);
        await sleep(20);
    }
}

export const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));
export const text = result => result.content[0].text;

/** How often an operation of a plugin ended so, as the server's metrics tell. */
export async function outcomes(op, outcome) {
    const lines = (await (await fetch(`${http}/metrics`)).text()).split('\n');
    const mine = lines.filter(line => line.startsWith('backplane_plugin_calls_total') && line.includes(`op="${op}"`) &&
                                      line.includes(`outcome="${outcome}"`));
    return mine.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** Each test is a function whose name is a sentence; a test that takes longer than `seconds` has failed. */
export async function runTests(where, tests, seconds = 30) {
    for (const test of tests) {
        const started = Date.now();
        let timer;
        const late = new Promise((_, reject) => {
            timer = setTimeout(() => reject(new Error(`no end within ${seconds} s`)), seconds * 1000);
        });
        try {
            await Promise.race([test(), late]);
            console.log(`ok      ${where}: ${test.name} (${Date.now() - started} ms)`);
        } catch (error) {
            console.log(`FAILED  ${where}: ${test.name}`);
            console.error(`${where}: ${test.name}:`, error);
            process.exitCode = 1;
        }
        clearTimeout(timer);
    }
}
