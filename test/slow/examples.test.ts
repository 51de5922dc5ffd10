/** @file Every example runs as a user runs it, and prints what is true of its data. */

import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { groupBy, loadFlights, loadWeather } from '../../examples/support/data.ts';
import { root } from '../package/code-blocks.ts';

const checks: Record<string, (output: string) => void> = {
  'secure-addition': (output) => {
    expect(line(output, 'Paillier encryption')).toContain('[10, 15]');
    expect(line(output, 'pairwise masks')).toContain('[10, 15]');
    expect(line(output, 'no secure stack')).toContain('UnsupportedAggregationError');
  },
  'trusted-aggregator': (output) => {
    expect(line(output, 'sum')).toContain('[10, 15]');
  },
  dropouts: (output) => {
    expect(line(output, 'in the sum')).toContain('107');
    expect(line(output, 'vanished')).toContain('12');
    expect(line(output, 'refused')).toContain('clients/119');
    const first = line(output, 'sum of the first values').match(/\d+/g) ?? [];
    expect(first).toEqual(['6955', '6955']);
  },
  perturbations: (output) => {
    expect(line(output, 'without Cleo')).toContain('missing-clients');
    expect(number(line(output, 'with everyone'))).toBe(59);
    expect(number(line(output, 'in the clear'))).toBe(59);
    expect(number(line(output, 'perturbations({ base })'))).toBe(59);
  },
  'mnist-cluster': (output) => {
    expect(output).toContain('5 clients dial in');
    expect(number(line(output, 'round  2').split('accuracy')[1] ?? '')).toBeGreaterThan(70);
  },
  'secure-mean-service': (output) => {
    expect(line(output, 'collectMaskedVectors')).toContain('Lake: the line is dead');
    expect(line(output, 'in it')).toContain('North, East, South, West');
    const [secure, plain] = ['secure', 'plain'].map((label) =>
      line(output, `${label} `).trim().split(/ +/).slice(1).map(Number),
    );
    for (const [i, value] of secure!.entries()) expect(value).toBeCloseTo(plain![i]!, 3);
  },
  'temperature-sensors': (output) => {
    const temperatures = loadWeather().map(({ temperature }) => temperature);
    const average = temperatures.reduce((sum, value) => sum + value, 0) / temperatures.length;
    expect(number(line(output, 'average'))).toBeCloseTo(average, 1);
    const sensors = [...groupBy(loadWeather(), ({ location, year }) => location + year).values()];
    const shares = sensors.map(
      (days) => days.filter(({ temperature }) => temperature > 20).length / days.length,
    );
    const share = shares.reduce((sum, value) => sum + value, 0) / shares.length;
    expect(number(line(output, 'share over 20 °C').slice('  share over 20 °C'.length))).toBeCloseTo(
      share * 100,
      1,
    );
  },
  analytics: (output) => {
    const airports = [...groupBy(loadFlights(), ({ origin }) => origin).values()];
    const flights = airports.filter((group) => group.length >= 50).flat();
    const count = (low: number, high: number): number =>
      flights.filter(({ delay }) => delay > low && delay <= high).length;
    expect(number(line(output, 'none').slice(6))).toBe(count(-Infinity, 0));
    expect(number(line(output, 'over 1 h').slice(10))).toBe(count(60, Infinity));
    const minutes = flights.reduce((sum, { delay }) => sum + Math.max(delay, 0), 0);
    expect(number(line(output, 'average delay'))).toBeCloseTo(minutes / flights.length, 1);
  },
  mnist: (output) => {
    const accuracies = [...output.matchAll(/^ +\d+ +([\d.]+) %/gm)].map((match) =>
      Number(match[1]),
    );
    expect(accuracies).toHaveLength(4);
    expect(accuracies.at(-1)).toBeGreaterThan(85);
  },
  'custom-executor': (output) => {
    expect(output).toMatch(/clients\/2 createValue float32/);
    expect(output).toMatch(/server\/0 createCall/);
    expect(number(line(output, 'mean'))).toBe(2);
  },
};

test('every example has a check', () => {
  const names = readdirSync(join(root, 'examples')).filter((file) => file.endsWith('.ts'));
  expect(names.map((file) => file.slice(0, -3)).sort()).toEqual(Object.keys(checks).sort());
});

// Its processes are the same, whatever computes in them.
const isRepeated = process.env.FEDLOOM_BACKEND === 'native';
const examples = Object.entries(checks).filter(([name]) => !isRepeated || name !== 'mnist-cluster');

test.each(examples)('%s', async (name, check) => {
  const { stdout, stderr } = await runScript('run-example.ts', [name]);
  expect(stderr).toBe('');
  check(stdout);
});

test('an unknown name lists the examples', async () => {
  const error = await runScript('run-example.ts', ['nothing']).catch((failure) => failure);
  expect(error.code).toBe(1);
  expect(error.stderr).toContain('secure-addition');
});

function runScript(script: string, args: readonly string[]) {
  // Vitest sets FORCE_COLOR in its workers.
  const { FORCE_COLOR: _, ...env } = process.env;
  return promisify(execFile)(
    join(root, 'node_modules/.bin/tsx'),
    [join(root, 'scripts', script), ...args],
    { cwd: root, env: { ...env, ROUNDS: '4', NO_COLOR: '1' } },
  );
}

/** The line of the output that begins with a label. */
function line(output: string, label: string): string {
  const found = output.split('\n').find((text) => text.trimStart().startsWith(label));
  if (found === undefined) throw new Error(`No line begins with '${label}':\n${output}`);
  return found;
}

/** The first number of a line. */
function number(text: string): number {
  return Number(/-?\d+(\.\d+)?/.exec(text)?.[0]);
}
