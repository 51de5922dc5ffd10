/**
 * @file The benchmark runner: `npm run bench [name…] [-- --repetitions <n> | --smoke]`.
 *
 * Each repetition of a case runs in a process of its own, so that none profits from what another one
 * compiled or left on the heap. Printed are medians over the repetitions with the smallest and the
 * largest figure; all figures go to `bench/results/` as JSON. `--smoke` runs everything once, to see
 * that it runs, and writes nothing. Cases that take minutes run only when they are named.
 */

import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import type { Benchmark, BenchmarkFigure } from './benchmark.ts';

const CASES = new URL('./cases/', import.meta.url);
const RESULTS = new URL('./results/', import.meta.url);
const MARK = 'figures:';

interface Row {
  readonly case: string;
  readonly unit: string;
  readonly median: number;
  readonly least: number;
  readonly largest: number;
  readonly limit?: BenchmarkFigure['limit'];
}

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    repetitions: { type: 'string', default: '5' },
    smoke: { type: 'boolean', default: false },
    measure: { type: 'string' },
  },
});

if (options.measure !== undefined) {
  const { run } = await load(options.measure);
  console.log(MARK + JSON.stringify(await run()));
} else {
  await runAll(options.smoke ? 1 : Number(options.repetitions));
}

async function runAll(repetitions: number): Promise<void> {
  const all = readdirSync(CASES)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -3))
    .sort();
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length > 0 || !(repetitions >= 1)) {
    console.error(`Usage: npm run bench [name…] [-- --repetitions <n> | --smoke]`);
    console.error(`Cases: ${all.join(', ')}`);
    process.exitCode = 1;
    return;
  }
  const results: Record<string, { target: string; rows: Row[] }> = {};
  for (const name of names.length > 0 ? names : all) {
    const { target, long } = await load(name);
    if (long && names.length === 0) {
      console.log(`\n${name}\n  takes minutes: npm run bench ${name}`);
      continue;
    }
    console.log(`\n${name}\n  target: ${target}`);
    const runs: BenchmarkFigure[][] = [];
    for (let i = 0; i < repetitions; i += 1) runs.push(await measureInProcess(name));
    const rows = summarise(runs);
    printRows(rows);
    results[name] = { target, rows };
  }
  if (!options.smoke) write(results, repetitions);
}

async function load(name: string): Promise<Benchmark> {
  const module: { default: Benchmark } = await import(new URL(`${name}.ts`, CASES).href);
  return module.default;
}

async function measureInProcess(name: string): Promise<BenchmarkFigure[]> {
  const self = fileURLToPath(import.meta.url);
  const measuring = promisify(execFile)(
    process.execPath,
    [...process.execArgv, self, '--measure', name],
    { maxBuffer: 2 ** 26 },
  );
  // How far it is.
  measuring.child.stderr?.pipe(process.stderr);
  const { stdout } = await measuring;
  const line = stdout.split('\n').find((text) => text.startsWith(MARK));
  if (line === undefined) throw new Error(`${name} printed no figures:\n${stdout}`);
  return JSON.parse(line.slice(MARK.length));
}

function summarise(runs: readonly (readonly BenchmarkFigure[])[]): Row[] {
  const [first = []] = runs;
  return first.map(({ case: title, unit, limit }, i) => {
    const sorted = runs.map((figures) => figures[i]?.value ?? Number.NaN).sort((a, b) => a - b);
    const middle = sorted.length / 2;
    const median = ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
    return {
      case: title,
      unit,
      median,
      least: sorted[0] ?? Number.NaN,
      largest: sorted.at(-1) ?? Number.NaN,
      ...(limit && { limit }),
    };
  });
}

function printRows(rows: readonly Row[]): void {
  const cells = rows.map((row) => [
    row.case,
    significant(row.median),
    row.unit,
    `${significant(row.least)} … ${significant(row.largest)}`,
    verdict(row),
  ]);
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  for (const row of cells) {
    const padded = row.map((text, i) => {
      const width = widths[i] ?? 0;
      return i === 1 ? text.padStart(width) : text.padEnd(width);
    });
    console.log(`  ${padded.join('  ').trimEnd()}`);
  }
}

function verdict({ median, limit }: Row): string {
  if (limit === undefined) return '';
  const [isReached, words] =
    'atMost' in limit
      ? [median <= limit.atMost, `at most ${limit.atMost}`]
      : [median >= limit.atLeast, `at least ${limit.atLeast}`];
  return `${words}: ${isReached ? 'reached' : 'MISSED'}`;
}

function significant(value: number): string {
  return value >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function write(results: object, repetitions: number): void {
  const machine = {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
  const date = new Date().toISOString();
  mkdirSync(RESULTS, { recursive: true });
  const file = `${date.replace(/[:.]/g, '-')}.json`;
  const content = { date, machine, repetitions, results };
  writeFileSync(new URL(file, RESULTS), `${JSON.stringify(content, null, 2)}\n`);
  console.log(`\nWritten to bench/results/${file}`);
}
