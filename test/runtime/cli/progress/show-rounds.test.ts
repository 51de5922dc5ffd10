/** @file `--progress` of commands: a coordinator and its clients, in this process. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Round, RoundStatus } from 'fedloom';
import { makeDevelopmentKeys } from 'fedloom/node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Surroundings } from '../../../../runtime/cli/command.ts';
import {
  beside,
  roundsFrom,
  roundsView,
  showRounds,
} from '../../../../runtime/cli/progress/show-rounds.ts';
import { runCommand } from '../../../../runtime/cli/run-command.node.ts';
import { errorScreen } from '../../../../runtime/cli/screen.node.ts';
import { FakeTerminal } from './fake-terminal.ts';

const PROGRAM = join(import.meta.dirname, '../../../../runtime/cli/mean-program.node.ts');
const NAMES = ['north', 'south', 'east'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-progress-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Standard output and error on one terminal, as people have it. */
function onTerminal(terminal: FakeTerminal, more: Partial<Surroundings> = {}): Surroundings {
  return {
    out: (text) => terminal.write(`${text}\n`),
    error: (text) => terminal.write(`${text}\n`),
    env: { FEDLOOM_LOG: 'warn' },
    isTerminal: true,
    screen: terminal,
    ...more,
  };
}

/** A coordinator with the program of `fedloom up`, and its clients. @returns how it ended. */
async function round(surroundings: Surroundings, option: string, policy: object) {
  const keys = join(folder, 'keys');
  const address = join(folder, 'address');
  await makeDevelopmentKeys(keys, { clients: NAMES });
  writeFileSync(
    join(folder, 'policy.json'),
    JSON.stringify({ format: 'fedloom policy', version: 1, ...policy }),
  );
  writeFileSync(join(folder, 'readings.csv'), 'celsius\n20\n22\n24\n');
  const ended = runCommand(
    [
      ...['coordinator', PROGRAM, '--listen', '127.0.0.1:0', '--keys', join(keys, 'server')],
      ...['--announce', address, option, '--', '--clients', '3'],
    ],
    surroundings,
  );
  while (!existsSync(address) || readFileSync(address, 'utf8') === '') await wait(20);
  const stop = new AbortController();
  const clients = NAMES.map((name) =>
    runCommand(
      [
        ...['client', '--connect', readFileSync(address, 'utf8'), '--keys', join(keys, name)],
        ...['--data', `readings=${join(folder, 'readings.csv')}`, '--clipping-range', '100'],
        ...['--policy', join(folder, 'policy.json'), '--max-failures', '1'],
      ],
      {
        out: () => {},
        error: () => {},
        env: { FEDLOOM_LOG: 'error' },
        isTerminal: false,
        signal: stop.signal,
      },
    ),
  );
  const code = await ended;
  stop.abort();
  await Promise.all(clients);
  return code;
}

describe('a coordinator', () => {
  test('on a terminal: a line stays of the round, above what the program prints', async () => {
    const terminal = new FakeTerminal(100);
    expect(await round(onTerminal(terminal), '--progress', {})).toBe(0);
    expect(terminal.text).toMatch(
      /^round 1 {2}mean {2}done with 3 of 3 clients; sent [\d.]+ kB, received [\d.]+ kB, [\d.]+ m?s\nmean of the readings {2}22\.00\nclients in the sum {4}3 of 3$/,
    );
    expect(terminal.isClean).toBe(true);
    expect(terminal.written).toContain('mask-vectors');
    expect(terminal.written).toMatch(/missing .*(north|south|east)/);
  }, 30_000);

  test('a round that is refused: stage, reason and who, and the error below', async () => {
    const terminal = new FakeTerminal(200);
    const policy = { smallestCohort: 50 };
    expect(await round(onTerminal(terminal), '--progress', policy)).toBe(1);
    const [first = '', second = ''] = terminal.text.split('\n');
    expect(first).toMatch(
      /^round 1 {2}mean {2}failed in advertise: too-few-clients, missing north, south, east; sent/,
    );
    expect(second).toMatch(/^\[protocol\.too_few_clients\]/);
    expect(terminal.isClean).toBe(true);
  }, 30_000);

  test('tells the process that started it, in messages that are plain data', async () => {
    const messages: object[] = [];
    const printed: string[] = [];
    const surroundings: Surroundings = {
      out: () => {},
      error: (text) => printed.push(text),
      env: { FEDLOOM_LOG: 'error' },
      isTerminal: false,
      tellParent: (message) => messages.push(message),
    };
    expect(await round(surroundings, '--progress-to-parent', {})).toBe(0);
    expect(printed).toEqual([]);
    const rounds = messages.flatMap((message) => roundsFrom(message) ?? []);
    expect(rounds.at(-1)).toMatchObject({ state: 'done', clients: 3, counted: 3 });
    expect(JSON.parse(JSON.stringify(messages))).toEqual(messages);
  }, 30_000);
});

function runningRound(): Round {
  const status: RoundStatus = {
    round: 1,
    computation: 'mean',
    clients: 3,
    state: 'running',
    milliseconds: 5,
    stages: [],
    lost: [],
    counted: 3,
    traffic: { toClients: 0, toServer: 0 },
  };
  return { isOver: false, status: () => status } as Round;
}

test('an end in the middle of a round leaves the terminal as it was', () => {
  const terminal = new FakeTerminal();
  const shown = showRounds(onTerminal(terminal), { progress: true, parent: false });
  shown.onRound?.(runningRound());
  expect(terminal.text).toContain('starting');
  shown.logStream?.write('12:00:00 warn  Client lost\n');
  shown.surroundings.out('a result');
  expect(terminal.text.split('\n').slice(0, 2)).toEqual(['12:00:00 warn  Client lost', 'a result']);
  shown[Symbol.dispose]();
  shown.surroundings.error('it was interrupted');
  expect(terminal.text).toBe('12:00:00 warn  Client lost\na result\nit was interrupted');
  expect(terminal.isClean).toBe(true);
});

test('without --progress nobody asks how rounds stand', () => {
  const surroundings = onTerminal(new FakeTerminal());
  using shown = showRounds(surroundings, { progress: false, parent: false });
  expect(shown.onRound).toBeUndefined();
  expect(shown.logStream).toBeUndefined();
  expect(shown.surroundings).toBe(surroundings);
});

test('what others send to this process is no round', () => {
  for (const message of [undefined, null, 'rounds', 7, {}, { rounds: 'x' }]) {
    expect(roundsFrom(message)).toBeNull();
  }
});

test('where there is no terminal, lines go to standard error', () => {
  const printed: string[] = [];
  const surroundings: Surroundings = {
    out: (text) => printed.push(`out ${text}`),
    error: (text) => printed.push(`error ${text}`),
    env: {},
    isTerminal: false,
  };
  using view = roundsView(surroundings);
  beside(view, surroundings).out('x');
  view.show([{ ...runningRound().status(), state: 'done' }]);
  expect(printed).toEqual([
    'out x',
    'error round 1  mean  done with 3 of 3 clients; sent 0 B, received 0 B, 5 ms',
  ]);
});

test('only a terminal that moves its cursor is one', () => {
  const stream = (isTTY: boolean, columns = 0) =>
    ({ isTTY, columns, rows: 0 }) as NodeJS.WriteStream;
  expect(errorScreen(stream(false), {})).toEqual({});
  expect(errorScreen(stream(true), { TERM: 'dumb' })).toEqual({});
  expect(errorScreen(stream(true, 132), { TERM: 'xterm' }).screen?.columns).toBe(132);
  expect(errorScreen(stream(true), {}).screen).toMatchObject({ columns: 80, rows: 24 });
});
