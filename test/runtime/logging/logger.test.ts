/** @file Logs: levels, fields, formats, and texts of peers that mean ill. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SecretBytes } from '../../../protocols/index.ts';
import {
  createLogger,
  type LogLevel,
  type LogTextOptions,
  logText,
  silentLogger,
} from '../../../runtime/logging/index.ts';
import { stderrLogger } from '../../../runtime/logging/stderr-logger.node.ts';

const NOW = Date.parse('2030-01-02T03:04:05.678Z');

function recorded(options: Omit<LogTextOptions, 'write'> = {}, level: LogLevel = 'info') {
  const lines: string[] = [];
  const sink = logText({ write: (line) => lines.push(line), ...options });
  return { lines, logger: createLogger({ sink, level, now: () => NOW }) };
}

test('text for people', () => {
  const { lines, logger } = recorded();
  logger.info('client joined', {
    client: 'ada',
    bytes: 12n,
    why: 'two words',
    more: { a: [1, null] },
  });
  logger.debug('not shown');
  logger.error('round failed');
  expect(lines).toEqual([
    '03:04:05.678 info  client joined  client=ada bytes="12" why="two words" more={"a":[1,null]}\n',
    '03:04:05.678 error round failed\n',
  ]);
  const coloured = recorded({ colour: true });
  coloured.logger.warn('x');
  expect(coloured.lines[0]).toContain('\u001b[33mwarn \u001b[0m');
});

test('JSON for programs', () => {
  const { lines, logger } = recorded({ format: 'json' }, 'debug');
  const cause = new Error('inner');
  logger
    .with({ client: 'ada', round: 1 })
    .with({ round: 2 })
    .debug('m', { level: 'fake', time: 0, error: new TypeError('outer', { cause }) });
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    time: '2030-01-02T03:04:05.678Z',
    level: 'debug',
    message: 'm',
    client: 'ada',
    round: 2,
    error: { name: 'TypeError', message: 'outer', cause: { name: 'Error', message: 'inner' } },
  });
});

test('secrets do not print', () => {
  const secret = new SecretBytes(new TextEncoder().encode('hunter2'));
  for (const format of ['json', 'text'] as const) {
    const { lines, logger } = recorded({ format });
    logger
      .with({ secret })
      .info('m', { nested: { keys: [secret] }, raw: new Uint8Array([104, 117]) });
    expect(lines[0]).toContain('[secret of 7 bytes]');
    expect(lines[0]).not.toMatch(/hunter2|104/);
  }
});

test('whatever is logged is one line, and writes to no terminal', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.dictionary(
        fc.string({ unit: 'binary' }),
        fc.anything({ withBigInt: true, withMap: true }),
      ),
      fc.constantFrom<'json' | 'text'>('json', 'text'),
      (message, fields, format) => {
        const { lines, logger } = recorded({ format });
        logger.info(message, fields);
        expect(lines).toHaveLength(1);
        expect(lines[0]?.indexOf('\n')).toBe((lines[0]?.length ?? 0) - 1);
        expect(lines[0]?.slice(0, -1)).not.toMatch(/\p{Cc}|\p{Cf}/u);
      },
    ),
  );
});

test('levels, and sinks that fail', () => {
  const seen: string[] = [];
  const logger = createLogger({ sink: ({ level }) => seen.push(level), level: 'warn' });
  for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level]('x');
  expect(seen).toEqual(['warn', 'error']);
  const failing = createLogger({
    sink: () => {
      throw new Error('full');
    },
  });
  expect(() => failing.info('x')).not.toThrow();
  expect(() => silentLogger.with({}).error('x')).not.toThrow();
});

test('standard error: by its kind, and by the environment', () => {
  const print = (isTTY: boolean, env: { readonly [name: string]: string }): string => {
    let text = '';
    const write = (line: string): void => {
      text += line;
    };
    const logger = stderrLogger({ env, stream: { isTTY, write } });
    logger.debug('d');
    logger.info('m');
    return text;
  };
  expect(JSON.parse(print(false, {}))).toMatchObject({ level: 'info', message: 'm' });
  expect(print(true, {})).toContain('\u001b[36m');
  expect(print(true, { NO_COLOR: '1' })).not.toContain('\u001b');
  expect(print(true, { NO_COLOR: '1', FORCE_COLOR: '1' })).not.toContain('\u001b');
  expect(print(false, { FEDLOOM_LOG: 'error' })).toBe('');
  expect(print(false, { FEDLOOM_LOG: 'debug' }).split('\n')).toHaveLength(3);
  expect(() => print(false, { FEDLOOM_LOG: 'loud' })).toThrow(/debug, info, warn, error/);
});

test('what cannot be seen is escaped, and read again as it was', () => {
  const text = 'a\u0085b\u009b2J\u202e\u2028\u{e0001}z';
  const { lines, logger } = recorded({ format: 'json' });
  logger.info(text);
  expect(lines[0]).toContain('a\\u0085b\\u009b2J\\u202e\\u2028\\udb40\\udc01z');
  expect(JSON.parse(lines[0] ?? '').message).toBe(text);
});
