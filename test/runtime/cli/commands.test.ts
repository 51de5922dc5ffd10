/** @file The commands that serve: what they refuse on the command line, and how they start and stop. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedSum,
  int32,
  remoteExecutorFactory,
  withContext,
} from 'fedloom';
import { grpcCalls, makeDevelopmentKeys } from 'fedloom/node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ExecutorGroup } from '../../../computations/wire/index.ts';
import type { Surroundings } from '../../../runtime/cli/command.ts';
import { runCommand } from '../../../runtime/cli/commands/run-command.node.ts';
import { readKeyFolder } from '../../../runtime/cli/key-folder.node.ts';
import { FakeTerminal } from './progress/fake-terminal.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-commands-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function running(args: readonly string[], more: Partial<Surroundings> = {}) {
  const stop = new AbortController();
  const printed = { out: '', error: '' };
  const status = runCommand(args, {
    out: (text) => {
      printed.out += `${text}\n`;
    },
    error: (text) => {
      printed.error += `${text}\n`;
    },
    env: { FEDLOOM_LOG: 'error' },
    isTerminal: false,
    signal: stop.signal,
    ...more,
  });
  return { status, printed, stop: () => stop.abort(new Error('enough')) };
}

async function announced(path: string): Promise<string> {
  while (!existsSync(path) || readFileSync(path, 'utf8') === '') await wait(20);
  return readFileSync(path, 'utf8');
}

test('--help lists the commands, and each has its own', async () => {
  const { status, printed } = running(['--help']);
  expect(await status).toBe(0);
  const names = [...printed.out.matchAll(/^ {2}(\w+) {2}/gm)].map(([, name]) => name as string);
  expect(names).toEqual(['inspect', 'up', 'coordinator', 'client', 'role', 'worker', 'keys']);
  for (const name of names) {
    const help = running([name, '--help']);
    expect(await help.status).toBe(0);
    expect(help.printed.out).toMatch(new RegExp(`^Usage: fedloom ${name}`));
  }
});

describe.each([
  [['client', '--keys', 'k'], /--connect is missing/],
  [['client', '--connect', 'localhost:1'], /--keys is missing/],
  [['client', '--connect', 'a:1', '--keys', 'k', '--max-failures', '-1'], /--max-failures/],
  [['coordinator', '--listen', 'a:1'], /takes the module/],
  [['coordinator', 'x.ts', '--keys', 'k'], /--listen is missing/],
  [['role', '--connect', 'a:1', '--keys', 'k'], /--policy is missing/],
  [['keys', '--role', 'clerk'], /--role takes aggregator or key_holder/],
  [['worker', '--listen', '127.0.0.1:0'], /--keys, or --simulate/],
  [['worker', '--listen', 'a:1', '--simulate', '--keys', 'k'], /--keys, or --simulate/],
  [['up', '--clients', '2'], /--clients takes a whole number from 3/],
  [['up', '--nonsense'], /nonsense/],
  [['weave'], /no command 'weave'/],
])('fedloom %j', (args, message) => {
  test('is a wrong command line', async () => {
    const { status, printed } = running(args);
    expect(await status).toBe(2);
    expect(printed.error).toMatch(message);
    expect(printed.error).toContain('Usage:');
  });
});

test('a worker of a simulation serves until it is stopped', async () => {
  const file = join(folder, 'address');
  const worker = running([
    ...['worker', '--listen', '127.0.0.1:0', '--simulate', '--announce', file],
  ]);
  const address = await announced(file);
  {
    const calls = grpcCalls(address);
    await using context = new ExecutionContext(
      remoteExecutorFactory([{ calls, close: async () => calls[Symbol.asyncDispose]() }], {
        remote: { answers: 'at-once' },
      }),
    );
    const sum = federatedComputation([atClients(int32())], (x) => federatedSum(x));
    expect(await withContext(context, () => sum([1, 2, 3]))).toBe(6);
  }
  worker.stop();
  expect(await worker.status).toBe(0);
});

test('a worker that is a client is called by the server, and by no other client', async () => {
  const keys = join(folder, 'keys');
  const file = join(folder, 'address');
  await makeDevelopmentKeys(keys, { clients: ['a', 'b'], clientHosts: ['localhost'] });
  const worker = running([
    ...['worker', '--listen', '127.0.0.1:0', '--keys', join(keys, 'a'), '--announce', file],
  ]);
  const port = (await announced(file)).split(':').at(-1);
  const asked = create(ExecutorGroup.method.getExecutor.input);
  for (const [caller, outcome] of [
    ['server', 'answered'],
    ['b', 'transport.permission_denied'],
  ] as const) {
    const { credentials } = await readKeyFolder(join(keys, caller));
    await using calls = grpcCalls(`localhost:${port}`, { credentials });
    const answer = calls.call('getExecutor', asked, { timeoutMs: 20_000 });
    expect(
      await answer.then(
        () => 'answered',
        (error) => error.code,
      ),
    ).toBe(outcome);
  }
  worker.stop();
  expect(await worker.status).toBe(0);
});

test('a coordinator ends with its program, and says how that ended', async () => {
  await makeDevelopmentKeys(join(folder, 'keys'), { clients: ['a', 'b', 'c'] });
  const program = (body: string): string => {
    const path = join(folder, `${Math.random()}.mjs`);
    writeFileSync(path, `export default async ({ out, args, signal }) => { ${body} };`);
    return path;
  };
  const coordinator = (module: string, ...more: readonly string[]) =>
    running([
      ...['coordinator', module, '--listen', '127.0.0.1:0'],
      ...['--keys', join(folder, 'keys/server'), ...more],
    ]);
  const done = coordinator(program("out('done ' + args.join());"), '--', '--rounds', '3');
  expect(await done.status).toBe(0);
  expect(done.printed.out).toBe('done --rounds,3\n');

  // What peers said is in errors of programs; it does not move the cursor.
  const failed = coordinator(program("throw new Error('no \\u001b[2Jluck\\nat all');"));
  expect(await failed.status).toBe(1);
  expect(failed.printed.error).toBe('no \\u001b[2Jluck\nat all\n');

  const file = join(folder, 'address');
  const endless = program(
    'await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));',
  );
  const stopped = coordinator(endless, '--announce', file);
  await announced(file);
  stopped.stop();
  expect(await stopped.status).toBe(130);

  const nothing = join(folder, 'nothing.mjs');
  writeFileSync(nothing, 'export const x = 1;');
  const none = coordinator(nothing);
  expect(await none.status).toBe(1);
  expect(none.printed.error).toMatch(/no default export that is a function/);
});

test('a client whose coordinator cannot be reached gives up with 4, and one without an identity is a wrong command line', async () => {
  const keys = join(folder, 'keys');
  await makeDevelopmentKeys(keys, { clients: ['a'] });
  const lonely = running([
    ...['client', '--connect', 'localhost:1', '--keys', join(keys, 'a'), '--max-failures', '1'],
  ]);
  expect(await lonely.status).toBe(4);
  expect(lonely.printed.error).toMatch(/transport\./);
  const wrong = running([
    ...['client', '--connect', 'localhost:1', '--keys', join(keys, 'server')],
  ]);
  expect(await wrong.status).toBe(2);
  expect(wrong.printed.error).toMatch(/is not the folder of one/);
});

describe('coordinator --progress', () => {
  const PROGRAM = join(import.meta.dirname, '../../../runtime/cli/mean-program.node.ts');
  const NAMES = ['north', 'south', 'east'];

  /** The program of `fedloom up`, with standard output and error on one terminal. */
  async function round(terminal: FakeTerminal, policy: object) {
    const keys = join(folder, 'keys');
    const file = join(folder, 'address');
    const allowed = join(folder, 'policy.json');
    await makeDevelopmentKeys(keys, { clients: NAMES });
    writeFileSync(allowed, JSON.stringify({ format: 'fedloom policy', version: 1, ...policy }));
    writeFileSync(join(folder, 'readings.csv'), 'celsius\n20\n22\n24\n');
    const print = (text: string): void => terminal.write(`${text}\n`);
    const coordinator = running(
      [
        ...['coordinator', PROGRAM, '--listen', '127.0.0.1:0', '--keys', join(keys, 'server')],
        ...['--announce', file, '--progress', '--', '--clients', '3'],
      ],
      {
        out: print,
        error: print,
        env: { FEDLOOM_LOG: 'warn' },
        isTerminal: true,
        screen: terminal,
      },
    );
    const address = await announced(file);
    const clients = NAMES.map((name) =>
      running([
        ...['client', '--connect', address, '--keys', join(keys, name), '--policy', allowed],
        ...['--data', `readings=${join(folder, 'readings.csv')}`, '--clipping-range', '100'],
        ...['--max-failures', '1'],
      ]),
    );
    const code = await coordinator.status;
    for (const client of clients) client.stop();
    await Promise.all(clients.map(({ status }) => status));
    return code;
  }

  test('leaves a line of the round, above what the program prints', async () => {
    const terminal = new FakeTerminal(100);
    expect(await round(terminal, {})).toBe(0);
    // Sums of floats are rounded at random.
    expect(terminal.text).toMatch(
      /^round 1 {2}mean {2}done with 3 of 3 clients; sent [\d.]+ kB, received [\d.]+ kB, [\d.]+ m?s\nmean of the readings {2}2[12]\.\d\d\nclients in the sum {4}3 of 3$/,
    );
    expect(terminal.isClean).toBe(true);
    expect(terminal.written).toMatch(/missing .*(north|south|east)/);
  });

  test('says of a round that ends early where, why and who, and leaves a clean terminal', async () => {
    const terminal = new FakeTerminal(200);
    expect(await round(terminal, { smallestCohort: 50 })).toBe(1);
    const [first = '', second = ''] = terminal.text.split('\n');
    expect(first).toMatch(
      /^round 1 {2}mean {2}failed in advertise: too-few-clients, missing north, south, east; sent/,
    );
    expect(second).toMatch(/^\[protocol\.too_few_clients\]/);
    expect(terminal.isClean).toBe(true);
  });
});
