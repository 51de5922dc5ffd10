/**
 * @file Simulates secure aggregation with dropouts: `npx tsx scripts/simulate-secagg.ts --seed 1234
 * --trace` shows one seed again, `--seed 0 --count 1000` goes through many and sums up. `--model`,
 * `--graph`, `--server` and `--clients` put something in the place of what the seed says.
 */

import { parseArgs } from 'node:util';
import { replayCommand, simulate } from '../test/protocols/secagg/simulator/index.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '0' },
    count: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
    model: { type: 'string' },
    graph: { type: 'string' },
    server: { type: 'string' },
    clients: { type: 'string' },
  },
});
const first = wholeNumber('--seed', values.seed);
const count = wholeNumber('--count', values.count);

const changes = {
  ...oneOf('model', values.model, ['semi-honest', 'active'] as const),
  ...oneOf('graph', values.graph, ['complete', 'sparse'] as const),
  ...oneOf('server', values.server, ['honest', 'meddling', 'equivocating'] as const),
  ...(values.clients && { clients: wholeNumber('--clients', values.clients) }),
};

const ends = new Map<string, number>();
const began = process.cpuUsage();
for (let seed = first; seed < first + count; seed += 1) {
  const trace = values.trace ? { trace: (line: string) => console.log(line) } : {};
  const result = simulate(seed, { changes, ...trace });
  for (const end of result.ends) {
    const name = end.kind === 'fault' ? end.code : end.kind;
    ends.set(name, (ends.get(name) ?? 0) + 1);
  }
  if (result.ends.length === 0) ends.set('liar', (ends.get('liar') ?? 0) + 1);
  for (const { rule, text } of result.violations) {
    process.exitCode = 1;
    console.error(`seed ${seed}: [${rule}] ${text}\n  ${replayCommand({ seed }, changes)}`);
  }
}
const { user, system } = process.cpuUsage(began);
const summary = [...ends].sort(([, a], [, b]) => b - a).map(([name, times]) => `${name} ${times}`);
console.log(`${count} seeds in ${((user + system) / 1e6).toFixed(1)} s: ${summary.join(', ')}`);

function oneOf<Name extends string, Value extends string>(
  name: Name,
  given: string | undefined,
  allowed: readonly Value[],
): { readonly [name in Name]?: Value } {
  if (given === undefined) return {};
  const found = allowed.find((value) => value === given);
  if (found === undefined) fail(`--${name} is ${allowed.join(' or ')}, got ${given}`);
  return { [name]: found } as { [name in Name]: Value };
}

function wholeNumber(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) {
    fail(`${option} is a whole number, got ${text}`);
  }
  return number;
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
