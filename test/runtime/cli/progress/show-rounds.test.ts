/** @file Where rounds are shown: on a terminal with all else that is printed, in lines, at a parent. */

import type { Round, RoundStatus } from 'fedloom';
import { expect, test } from 'vitest';
import type { Surroundings } from '../../../../runtime/cli/command.ts';
import {
  beside,
  roundsFrom,
  roundsView,
  showRounds,
} from '../../../../runtime/cli/progress/show-rounds.ts';
import { errorScreen } from '../../../../runtime/cli/screen.node.ts';
import { FakeTerminal } from './fake-terminal.ts';

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

test('a coordinator tells the process that started it, in messages that are plain data', () => {
  const messages: object[] = [];
  const tellParent = (message: object): void => void messages.push(message);
  const surroundings = onTerminal(new FakeTerminal(), { tellParent });
  using shown = showRounds(surroundings, { progress: false, parent: true });
  const round = runningRound();
  shown.onRound?.(round);
  expect(messages.flatMap((message) => roundsFrom(message) ?? [])).toEqual([round.status()]);
  expect(JSON.parse(JSON.stringify(messages))).toEqual(messages);
  expect(shown.surroundings).toBe(surroundings);
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
