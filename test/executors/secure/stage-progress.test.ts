/** @file What a stage of a protocol tells of those who take part in it. */

import { expect, test } from 'vitest';
import type { ProgressStep, ProtocolStep } from '../../../executors/progress.ts';
import { atSurvivors, type Reachable } from '../../../executors/secure/cohort.ts';

interface Party extends Reachable<Party> {
  readonly answer: Promise<string>;
}

function party(name: string, answer: Promise<string>): Party {
  const made: Party = { name, answer, within: () => made };
  return made;
}

async function stage(parties: readonly Party[]) {
  const steps: ProtocolStep[] = [];
  const onProgress = (step: ProgressStep): void => void steps.push(step as ProtocolStep);
  const options = { stage: 'unmask', timeoutMs: 5, request: { onProgress } };
  const { lost } = await atSurvivors(parties, options, ({ answer }) => answer);
  return { steps, lost };
}

test('who answers is named in that order; who fails is missing at the end', async () => {
  const { steps } = await stage([
    party('clients/0', Promise.reject(new Error('no'))),
    party(
      'clients/1',
      Promise.resolve('later').then(async (text) => text),
    ),
    party('clients/2', Promise.resolve('at once')),
  ]);
  expect(steps.map(({ roll }) => roll?.answered)).toEqual([
    [],
    ['clients/2'],
    ['clients/2', 'clients/1'],
    ['clients/2', 'clients/1'],
  ]);
  expect(steps.map(({ roll }) => roll?.missing.length)).toEqual([3, 2, 1, 1]);
  expect(steps.map(({ roll }) => roll?.isOver)).toEqual([false, false, false, true]);
  expect(steps.at(-1)).toMatchObject({ done: 2, total: 3, roll: { missing: ['clients/0'] } });
});

test('it is over with the last answer, and told so once', async () => {
  const { steps } = await stage([party('clients/0', Promise.resolve('here'))]);
  expect(steps.map(({ roll }) => roll?.isOver)).toEqual([false, true]);
});

test('an answer after the time is up is none', async () => {
  let answer = (_: string): void => {};
  const late = new Promise<string>((resolve) => {
    answer = resolve;
  });
  const { steps, lost } = await stage([
    party('clients/0', late),
    party('clients/1', Promise.resolve('here')),
  ]);
  expect(lost).toMatchObject([{ client: 'clients/0', reason: 'timeout' }]);
  const told = steps.length;
  answer('too late');
  await late;
  await new Promise((resolve) => setImmediate(resolve));
  expect(steps).toHaveLength(told);
  // What was told stays as it was, whenever it is read.
  expect(steps.at(-1)?.roll?.missing).toEqual(['clients/0']);
});

test('each stage has a number of its own', async () => {
  const first = await stage([party('clients/0', Promise.resolve('here'))]);
  const second = await stage([party('clients/0', Promise.resolve('here'))]);
  const runs = [...first.steps, ...second.steps].map(({ roll }) => roll?.run);
  expect(new Set(runs).size).toBe(2);
});
