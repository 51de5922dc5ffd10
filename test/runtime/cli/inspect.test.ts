/** @file `fedloom inspect` shows what a computation is, what becomes of it, and what it discloses. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Surroundings } from '../../../runtime/cli/command.ts';
import { runCommand } from '../../../runtime/cli/commands/run-command.node.ts';
import { inspect } from '../../../runtime/cli/inspect.ts';
import { toMermaid } from '../../../runtime/cli/mermaid.ts';
import { plainText } from '../../../runtime/cli/paint.ts';
import { scaledMean, secureSum } from './rounds.fixture.ts';

const ROOT = join(import.meta.dirname, '../../..');
const FIXTURE = join(import.meta.dirname, 'rounds.fixture.ts');

async function fedloom(
  args: readonly string[],
  { env = {}, isTerminal = false }: Partial<Pick<Surroundings, 'env' | 'isTerminal'>> = {},
) {
  const printed = { stdout: '', stderr: '' };
  const status = await runCommand(args, {
    out: (text) => {
      printed.stdout += text;
    },
    error: (text) => {
      printed.stderr += text;
    },
    env,
    isTerminal,
  });
  return { status, ...printed };
}

describe('an inspection', () => {
  const text = inspect(scaledMean, { paint: plainText });

  test('shows the type and the building blocks as written', () => {
    expect(text).toContain('scaledMean');
    expect(text).toContain('fc_scaledMean_symbol_0=federated_broadcast(arg.factor)');
  });

  test('shows the compiled form, with merged maps', () => {
    expect(text).toMatch(/Compiled \(5 calls of intrinsics before, 4 after\)/);
    expect(text).toContain('comp#scale+shift');
  });

  test('shows kernel graphs and their sizes', () => {
    expect(text).toMatch(/shift +\d+ nodes +\d+ constants +\d+ B/);
    expect(text).not.toContain('AddN(');
    expect(inspect(scaledMean, { paint: plainText, graphs: true })).toContain('= Multiply(');
  });

  test('shows what leaves the clients', () => {
    expect(text).toContain('What leaves the clients');
    expect(text).toContain('federated_mean');
    expect(inspect(secureSum, { paint: plainText })).toContain('federated_secure_sum_bitwidth');
  });

  test('marks what is to be marked', () => {
    const marked = inspect(secureSum, { paint: (mark, piece) => `[${mark}|${piece}]` });
    expect(marked).toContain('[heading|What leaves the clients]');
    expect(marked).toContain('[safe|');
    expect(inspect(scaledMean, { paint: (mark, piece) => `[${mark}|${piece}]` })).toContain(
      '[warning|',
    );
  });
});

test('a flowchart in Mermaid', () => {
  expect(toMermaid(scaledMean)).toMatchInlineSnapshot(`
    "flowchart TD
      subgraph clients
        n0(["values: {float32}@CLIENTS"])
        n2["federated_broadcast"]
        n3["federated_zip_at_clients"]
        n4["federated_map scale+shift"]
      end
      subgraph server
        n1(["factor: float32@SERVER"])
        n5["federated_mean"]
        n6(["result: float32@SERVER"])
      end
      n1 --> n2
      n0 --> n3
      n2 --> n3
      n3 --> n4
      n4 ==> n5
      n5 --> n6"
  `);
});

describe('the command', () => {
  test('inspects what a module exports, one of it by name', async () => {
    const all = await fedloom(['inspect', FIXTURE]);
    expect(all).toMatchObject({ status: 0, stderr: '' });
    expect(all.stdout).toContain('scaledMean');
    expect(all.stdout).toContain('secureSum');
    const one = await fedloom(['inspect', FIXTURE, 'secureSum', '--mermaid']);
    expect(one.stdout).toContain('flowchart TD');
    expect(one.stdout).not.toContain('scaledMean');
  });

  test('has colour on a terminal or if forced, and none in a pipe or with NO_COLOR', async () => {
    const isColoured = async (surroundings: Parameters<typeof fedloom>[1]): Promise<boolean> =>
      (await fedloom(['inspect', FIXTURE, 'secureSum'], surroundings)).stdout.includes('\u001b[');
    expect(await isColoured({})).toBe(false);
    expect(await isColoured({ isTerminal: true })).toBe(true);
    expect(await isColoured({ env: { FORCE_COLOR: '1' } })).toBe(true);
    expect(await isColoured({ env: { NO_COLOR: '1' }, isTerminal: true })).toBe(false);
    expect(await isColoured({ env: { NO_COLOR: '1', FORCE_COLOR: '1' } })).toBe(false);
  });

  test.each([
    ['without a command', [], 2, /Usage/],
    ['with an unknown option', ['inspect', FIXTURE, '--loud'], 2, /--loud/],
    ['with a module that is not there', ['inspect', './nowhere.ts'], 1, /nowhere/],
    ['with an unknown name', ['inspect', FIXTURE, 'mean'], 1, /exports: scaledMean, secureSum/],
    [
      'with a module without computations',
      ['inspect', join(ROOT, 'computations/wire/faults.ts')],
      1,
      /exports no computation/,
    ],
  ])('%s it says what is wrong', async (_what, args, status, words) => {
    const result = await fedloom(args);
    expect(result.status).toBe(status);
    expect(result.stderr).toMatch(words);
    expect(result.stdout).toBe('');
  });

  test('prints its usage when asked', async () => {
    const { status, stdout } = await fedloom(['--help']);
    expect([status, stdout.startsWith('Usage')]).toEqual([0, true]);
  });

  test('is a program', () => {
    const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env;
    const program = [
      '--import',
      'tsx',
      'runtime/cli/main.node.ts',
      'inspect',
      FIXTURE,
      'secureSum',
    ];
    const { status, stdout } = spawnSync(process.execPath, program, {
      cwd: ROOT,
      encoding: 'utf8',
      env,
    });
    expect(status).toBe(0);
    expect(stdout).toContain('federated_secure_sum_bitwidth');
  });
});
