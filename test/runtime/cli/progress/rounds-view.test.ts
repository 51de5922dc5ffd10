/** @file What `--progress` prints, on a terminal and elsewhere. */

import fc from 'fast-check';
import type { RoundStatus, StageStatus } from 'fedloom';
import { describe, expect, test } from 'vitest';
import { paintFor, plainText } from '../../../../runtime/cli/paint.ts';
import { bytesText, durationText, namesText } from '../../../../runtime/cli/progress/quantities.ts';
import { LiveRounds, PlainRounds } from '../../../../runtime/cli/progress/rounds-view.ts';
import { lineText, widthOf } from '../../../../runtime/cli/progress/text-width.ts';
import { FakeTerminal } from './fake-terminal.ts';

const NO_TRAFFIC = { toClients: 0, toServer: 0 };

function names(count: number, from = 1): string[] {
  return Array.from({ length: count }, (_, i) => `client-${from + i}`);
}

function stage(name: string, asked: number, missing: readonly string[], more = {}): StageStatus {
  const answered = names(asked).filter((client) => !missing.includes(client));
  return {
    stage: name,
    by: 'clients',
    isOver: false,
    done: answered.length,
    total: asked,
    answered,
    missing,
    milliseconds: 250,
    traffic: { toClients: 1_200, toServer: 34_567 },
    ...more,
  };
}

function round(more: Partial<RoundStatus> = {}): RoundStatus {
  return {
    round: 1,
    computation: 'mean',
    clients: 5,
    state: 'running',
    milliseconds: 1_234,
    stages: [],
    lost: [],
    counted: 5,
    traffic: { toClients: 12_345, toServer: 4_500_000 },
    ...more,
  };
}

const WAITING = stage('mask-vectors', 5, ['client-2', 'client-5']);
const OVER = stage('advertise', 5, [], { isOver: true });
const LOST = { client: 'client-2', stage: 'share-keys', reason: 'timeout' } as const;
const DONE = round({ state: 'done', stages: [OVER] });
const FAILED = round({
  state: 'failed',
  stages: [OVER, { ...WAITING, isOver: true }],
  failure: {
    code: 'protocol.too_few_clients',
    message: 'long',
    stage: 'unmask',
    reason: 'too-few-survivors',
    missing: ['client-2', 'client-5'],
  },
});

function live(columns = 80, rows = 24, env = {}) {
  const terminal = new FakeTerminal(columns, rows);
  const view = new LiveRounds(terminal, paintFor({ env: { ...env }, isTerminal: true }));
  return { terminal, view };
}

describe('on a terminal', () => {
  test('a round that runs has its stage, who is missing, and bytes each way', () => {
    const { terminal, view } = live();
    view.show([round({ stages: [OVER, WAITING], lost: [LOST] })]);
    expect(terminal.text).toBe(`round 1  mean  5 clients  1.2 s
  mask-vectors  ━━━━━━━━━━──────  3 of 5, missing client-2, client-5
  sent 12.3 kB, received 4.5 MB
  lost client-2 in share-keys (timeout)`);
  });

  test('is drawn in its place, again and again, and leaves one line', () => {
    const { terminal, view } = live();
    view.show([round()]);
    expect(terminal.text).toContain('  starting\n');
    view.show([round({ stages: [WAITING], lost: [LOST] })]);
    view.show([round({ stages: [OVER] })]);
    expect(terminal.text).toBe(`round 1  mean  5 clients  1.2 s
  the server works, after advertise
  sent 12.3 kB, received 4.5 MB`);
    view.show([DONE]);
    view.show([round({ round: 2 })]);
    view.show([{ ...DONE, round: 2, counted: 4, lost: [LOST] }]);
    expect(
      terminal.text,
    ).toBe(`round 1  mean  done with 5 of 5 clients; sent 12.3 kB, received 4.5 MB, 1.2 s
round 2  mean  done with 4 of 5 clients, lost client-2 in share-keys (timeout);
sent 12.3 kB, received 4.5 MB, 1.2 s`);
    expect(terminal.isClean).toBe(true);
  });

  test('a round that failed says in which stage, why, and who was missing', () => {
    const { terminal, view } = live(200);
    view.show([FAILED]);
    expect(terminal.text).toBe(
      'round 1  mean  failed in unmask: too-few-survivors, missing client-2, client-5; sent 12.3 kB, received 4.5 MB, 1.2 s',
    );
    view.show([round({ round: 2, state: 'failed', failure: { message: 'x', missing: [] } })]);
    expect(terminal.text).toContain('\nround 2  mean  failed; sent');
  });

  test('of many clients that are missing some are named', () => {
    const missing = (most: number) => names(50).filter((_, i) => i < most);
    const { terminal, view } = live();
    view.show([round({ clients: 50, stages: [stage('unmask', 50, missing(3))] })]);
    expect(terminal.text).toContain('  47 of 50, missing client-1, client-2, client-3\n');
    view.show([round({ clients: 50, stages: [stage('unmask', 50, missing(40))] })]);
    expect(terminal.text).toContain('  10 of 50, missing client-1, client-2 and 38 more\n');
  });

  test('a narrow one has shorter lines, and no bar', () => {
    const { terminal, view } = live(40);
    view.show([round({ clients: 50, stages: [stage('unmask', 50, names(3))] })]);
    expect(terminal.text.split('\n')[1]).toBe('  unmask  47 of 50, 3 missing');
    for (const columns of [1, 2, 5, 12]) {
      const tiny = live(columns);
      tiny.view.show([round({ stages: [WAITING] })]);
      tiny.view.show([round({ stages: [WAITING] })]);
      expect(tiny.terminal.text.split('\n')).toHaveLength(3);
    }
  });

  test('that becomes narrower meanwhile is drawn anew', () => {
    const { terminal, view } = live(100);
    view.show([round({ stages: [WAITING] })]);
    terminal.resize(30);
    view.show([round({ stages: [WAITING] })]);
    const lines = terminal.text.split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toBe('round 1  mean  5 clients  1.…');
    view[Symbol.dispose]();
    expect(terminal.text).toBe('');
  });

  test('rounds that run at the same time are below each other, as many as there is room for', () => {
    const { terminal, view } = live(80, 6);
    view.show([1, 2, 3].map((number) => round({ round: number })));
    expect(terminal.text.split('\n').filter((line) => line.startsWith('round'))).toEqual([
      'round 1  mean  5 clients  1.2 s',
      'round 2  mean  5 clients  1.2 s',
    ]);
    view.show([DONE]);
    view.show([{ ...DONE, round: 2 }]);
    view.show([{ ...DONE, round: 3 }]);
    expect(terminal.text.split('\n').map((line) => line.slice(0, 19))).toEqual([
      'round 1  mean  done',
      'round 2  mean  done',
      'round 3  mean  done',
    ]);
  });

  test('what else is printed stays above the lines', () => {
    const { terminal, view } = live();
    view.show([round({ stages: [WAITING] })]);
    view.around(() => terminal.write('12:00 warn  Client lost  client=client-2\n'));
    view.around(() => terminal.write('mean 24\n'));
    expect(terminal.text.split('\n').map((line) => line.slice(0, 11))).toEqual([
      '12:00 warn ',
      'mean 24',
      'round 1  me',
      '  mask-vect',
      '  sent 12.3',
    ]);
  });

  test('is left clean when nothing more is shown, with the cursor where it can be seen', () => {
    const { terminal, view } = live();
    terminal.write('$ fedloom up\n');
    view.show([round({ stages: [WAITING] })]);
    // Whatever happens between two drawings, a shell finds an empty line to write on.
    expect(terminal.isClean).toBe(true);
    view[Symbol.dispose]();
    expect(terminal.text).toBe('$ fedloom up');
    expect(terminal.isClean).toBe(true);
    expect(terminal.written).not.toContain('\u001b[?25');
    view[Symbol.dispose]();
    view.around(() => terminal.write('an error\n'));
    expect(terminal.text).toBe('$ fedloom up\nan error');
  });

  test('has colours, unless NO_COLOR says otherwise', () => {
    const coloured = live();
    coloured.view.show([round({ stages: [WAITING] })]);
    expect(coloured.terminal.written).toContain('\u001b[33mmissing client-2, client-5\u001b[39m');
    const plain = live(80, 24, { NO_COLOR: '1' });
    plain.view.show([round({ stages: [WAITING] })]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it begins an escape sequence.
    expect(plain.terminal.written).not.toMatch(/\u001b\[[0-9;]*m/);
    expect(plain.terminal.text).toBe(coloured.terminal.text);
  });

  test('what a client says cannot fill it', () => {
    const { terminal, view } = live();
    const failure = { message: 'x', stage: 'unmask', reason: 'y'.repeat(1e6), missing: [] };
    view.show([round({ state: 'failed', failure })]);
    expect(terminal.text.length).toBeLessThan(2_100);
    expect(terminal.text).toMatch(/y…$/);
  });

  test('a name cannot move the cursor', () => {
    const { terminal, view } = live();
    const hostile = 'eve\u001b[2J\u202e\n';
    view.show([round({ stages: [stage('unmask', 3, [hostile])] })]);
    expect(terminal.text).toContain('missing eve\\u001b[2J\\u202e\\u000a');
  });
});

describe('elsewhere', () => {
  function plain() {
    const lines: string[] = [];
    return { lines, view: new PlainRounds((line) => lines.push(line)) };
  }

  test('there is a line for each stage, once it is over, and one for the round', () => {
    const { lines, view } = plain();
    const over = { ...WAITING, isOver: true };
    const role = stage('aggregate', 1, [], { by: 'role', isOver: true });
    const here = stage('expand-masks', 4, [], { by: 'server', isOver: true });
    view.show([round()]);
    view.show([round({ stages: [OVER, WAITING] })]);
    view.show([round({ stages: [OVER, WAITING] })]);
    view.show([round({ stages: [OVER, over, role, here] })]);
    view.show([round({ state: 'done', stages: [OVER, over, role, here], lost: [LOST] })]);
    expect(lines).toEqual([
      'round 1  mean  advertise: 5 of 5; sent 1.2 kB, received 34.6 kB, 250 ms',
      'round 1  mean  mask-vectors: 3 of 5, missing client-2, client-5; sent 1.2 kB, received 34.6 kB, 250 ms',
      'round 1  mean  aggregate: 1 of 1',
      'round 1  mean  expand-masks: 4 of 4 parts',
      'round 1  mean  done with 5 of 5 clients, lost client-2 in share-keys (timeout); sent 12.3 kB, received 4.5 MB, 1.2 s',
    ]);
  });

  test('a computation without a name has its number', () => {
    const { lines, view } = plain();
    view.show([{ ...DONE, computation: 'computation', stages: [], traffic: NO_TRAFFIC }]);
    expect(lines).toEqual(['round 1  done with 5 of 5 clients; sent 0 B, received 0 B, 1.2 s']);
  });

  test('the stage in which a round failed is told before that', () => {
    const { lines, view } = plain();
    view.show([FAILED]);
    expect(lines.map((line) => line.slice(0, 27))).toEqual([
      'round 1  mean  advertise: 5',
      'round 1  mean  mask-vectors',
      'round 1  mean  failed in un',
    ]);
  });
});

describe('quantities', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [99_940, '99.9 kB'],
    [202_499, '202 kB'],
    [999_600, '1.0 MB'],
    [4_500_000, '4.5 MB'],
    [1.2e12, '1.2 TB'],
  ])('%d bytes', (bytes, text) => expect(bytesText(bytes)).toBe(text));

  test.each([
    [0, '0 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [9_949, '9.9 s'],
    [9_951, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min 00 s'],
    [125_000, '2 min 05 s'],
  ])('%d milliseconds', (milliseconds, text) => expect(durationText(milliseconds)).toBe(text));

  test('names', () => {
    expect(namesText(['a'], 5)).toBe('a');
    expect(namesText(['a', 'b', 'c'], 2)).toBe('a, b and 1 more');
  });

  test('no text is wider than its room, wide characters included', () => {
    expect(widthOf('日本e\u0301🚀')).toBe(7);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(30), (text, columns) => {
        expect(widthOf(lineText(['a ', ['name', text]], columns, plainText))).toBeLessThanOrEqual(
          columns,
        );
      }),
    );
  });
});
