/** @file Runs of processes: in rounds, resumed, and killed in the middle. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Context,
  ExecutionContext,
  localExecutorFactory,
  memoryProgramStateManager,
  processRounds,
  runProcess,
  withContext,
} from 'fedloom';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fileProgramStateManager } from '../../../runtime/node.ts';
import { counter, training } from './processes.ts';
import { ROUNDS, targetsOf } from './resumed-run.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fedloom-run-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('runs all rounds, and tells of each', async () => {
  const seen: unknown[] = [];
  const run = await runProcess(counter, {
    rounds: 3,
    data: (round) => [round],
    onRound: (done) => void seen.push(done),
  });
  expect(run).toEqual({ state: 6, round: 3, resumedFrom: null });
  expect(seen).toEqual([
    { round: 1, state: 1, output: 1 },
    { round: 2, state: 3, output: 3 },
    { round: 3, state: 6, output: 6 },
  ]);
});

test('rounds come one at a time, in the context in which they were asked for', async () => {
  const invoked: string[] = [];
  await using inner = new ExecutionContext(localExecutorFactory());
  const context: Context = {
    invoke: (computation, args) => {
      invoked.push(computation.name);
      return inner.invoke(computation, args);
    },
  };
  const rounds = withContext(context, () =>
    processRounds(counter, { rounds: 5, data: async (round) => [round] }),
  );
  const states: number[] = [];
  for await (const { round, state } of rounds) {
    states.push(state);
    if (round === 2) break;
  }
  expect(states).toEqual([1, 3]);
  expect(invoked.filter((name) => name === 'add')).toHaveLength(2);
});

test('goes on from what was saved, and does no round twice', async () => {
  const stateManager = memoryProgramStateManager();
  const asked: number[] = [];
  const data = (round: number): readonly [number] => {
    asked.push(round);
    return [round];
  };
  await runProcess(counter, { rounds: 2, data, stateManager });
  const run = await runProcess(counter, { rounds: 4, data, stateManager });
  expect(run).toEqual({ state: 10, round: 4, resumedFrom: 2 });
  expect(asked).toEqual([1, 2, 3, 4]);
  const again = await runProcess(counter, { rounds: 4, data, stateManager });
  expect(again).toEqual({ state: 10, round: 4, resumedFrom: 4 });
  expect(asked).toHaveLength(4);
});

test('a round that fails is not saved', async () => {
  const stateManager = memoryProgramStateManager();
  const failing = runProcess(counter, {
    rounds: 3,
    stateManager,
    data: (round) => {
      if (round === 2) throw new Error('no data today');
      return [round];
    },
  });
  await expect(failing).rejects.toThrow('no data today');
  expect((await stateManager.latest())?.version).toBe(1);
});

test('saves as often as asked, and the last round always', async () => {
  const stateManager = memoryProgramStateManager({ keep: 10 });
  await runProcess(counter, { rounds: 5, data: () => [1], stateManager, saveEvery: 2 });
  expect(await stateManager.versions()).toEqual([0, 2, 4, 5]);
});

test('does not go on from the state of another process, or of more rounds', async () => {
  const stateManager = memoryProgramStateManager();
  await runProcess(counter, { rounds: 2, data: () => [1], stateManager });
  const other = runProcess(training, { rounds: 3, data: () => [[[1, 2, 3]]], stateManager });
  await expect(other).rejects.toMatchObject({ code: 'state.mismatch' });
  await expect(other).rejects.toThrow(
    /expected: <weights=float32\[3\],steps=int32>@SERVER\n.*\n.*given: {4}int32\n/,
  );
  const fewer = runProcess(counter, { rounds: 1, data: () => [1], stateManager });
  await expect(fewer).rejects.toThrow('has done 2 rounds');
  const foreign = memoryProgramStateManager();
  await foreign.save({ epoch: 4 }, 4);
  await expect(
    runProcess(counter, { rounds: 9, data: () => [1], stateManager: foreign }),
  ).rejects.toThrow('was not saved by runProcess');
});

test('ends between rounds if asked', async () => {
  const controller = new AbortController();
  const stateManager = memoryProgramStateManager();
  const run = runProcess(counter, {
    rounds: 100,
    data: () => [1],
    stateManager,
    signal: controller.signal,
    onRound: ({ round }) => {
      if (round === 3) controller.abort(new Error('enough'));
    },
  });
  await expect(run).rejects.toMatchObject({
    code: 'context.cancelled',
    cause: new Error('enough'),
  });
  expect((await stateManager.latest())?.version).toBe(3);
});

test('ends in a round if asked, and does not save that one', async () => {
  const controller = new AbortController();
  const stateManager = memoryProgramStateManager();
  const run = runProcess(counter, {
    rounds: 100,
    stateManager,
    signal: controller.signal,
    data: (round) => {
      if (round === 3) controller.abort(new Error('enough'));
      return [1];
    },
  });
  await expect(run).rejects.toMatchObject({ code: 'context.cancelled' });
  expect((await stateManager.latest())?.version).toBe(2);
});

test('options that make no sense are refused', async () => {
  await expect(runProcess(counter, { rounds: -1, data: () => [1] })).rejects.toThrow('rounds is');
  await expect(runProcess(counter, { rounds: 1, data: () => [1], saveEvery: 0 })).rejects.toThrow(
    'saveEvery is',
  );
  await expect(runProcess(counter, { rounds: 1 })).rejects.toThrow('next takes data');
});

test('a run that is killed in the middle ends as if it had not been', {
  timeout: 120_000,
}, async () => {
  const uninterrupted = await runProcess(training, {
    rounds: ROUNDS,
    data: (round) => [targetsOf(round)],
  });
  const reached: number[] = [];
  for (const killAfter of [5, 15]) reached.push(await runAndKill(killAfter));
  const stateManager = fileProgramStateManager(directory);
  const { version } = (await stateManager.latest()) ?? { version: 0 };
  // The kill comes after a round was reported, so at most that one was not saved.
  expect(version).toBeGreaterThanOrEqual((reached.at(-1) ?? 0) - 1);
  expect(version).toBeLessThan(ROUNDS);
  const resumed = await runProcess(training, {
    rounds: ROUNDS,
    data: (round) => [targetsOf(round)],
    stateManager,
  });
  expect(resumed.resumedFrom).toBe(version);
  expect(resumed.state).toStrictEqual(uninterrupted.state);
});

/** Starts the program, kills it once it says that a round is done, and tells which it reached. */
async function runAndKill(afterRound: number): Promise<number> {
  const root = join(import.meta.dirname, '../../..');
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(import.meta.dirname, 'resumed-run.ts'), directory],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  child.stdout.on('data', (text) => {
    output += text;
    if (lastRound(output) >= afterRound) child.kill('SIGKILL');
  });
  const signal = await new Promise((resolve) => child.on('close', (_, by) => resolve(by)));
  expect(signal, errors).toBe('SIGKILL');
  return lastRound(output);
}

function lastRound(output: string): number {
  return Math.max(0, ...[...output.matchAll(/^round (\d+)$/gm)].map(([, round]) => Number(round)));
}
