/** @file The stages as calls, their order, what they tell, and how they are ended. */

import type { StageEvent, SummationStage } from 'fedloom';
import { expect, test } from 'vitest';
import { hospitals, MEAN, NAMES, SUM } from './hospitals.ts';

const STAGES: readonly SummationStage[] = ['setup', 'shareKeys', 'collectMaskedVectors', 'unmask'];

test('stage by stage: each reports who answered and what it sent', async () => {
  const { workflow, peers } = hospitals({
    line: ({ name, step, answer }) =>
      name === 'lake' && step === 'mask-vectors' ? Promise.reject(new Error('gone')) : answer(),
  });
  using round = workflow.startSum(peers, SUM);
  const setup = await round.setup();
  const shared = await round.shareKeys();
  const collected = await round.collectMaskedVectors();
  expect([setup, shared].map(({ answered }) => answered)).toEqual([NAMES, NAMES]);
  expect(collected.answered).toEqual(NAMES.slice(0, 4));
  expect(collected.lost).toMatchObject([{ client: 'lake', stage: 'collectMaskedVectors' }]);
  const result = await round.unmask();
  expect([...result.sums.counts!]).toEqual([6n, 12n]);
  const sent = [setup, shared, collected].map(({ traffic }) => traffic.toServer);
  expect(result.traffic.toServer).toBeGreaterThan(sent.reduce((a, b) => a + b));
});

test('stages out of order, twice or at once are refused, and the round goes on', async () => {
  const { workflow, peers } = hospitals();
  const round = workflow.startSum(peers, SUM);
  await expect(round.shareKeys()).rejects.toThrow("its next stage is 'setup'");
  const running = round.setup();
  await expect(round.setup()).rejects.toThrow("'setup' is running");
  await running;
  await expect(round.setup()).rejects.toThrow("its next stage is 'shareKeys'");
  await expect(round.unmask()).rejects.toThrow(TypeError);
  const { sums } = await round.run();
  expect([...sums.counts!]).toEqual([10n, 20n]);
  await expect(round.run()).rejects.toThrow('it is over');
});

test('events tell of begin, each answer and end; listeners can be taken off', async () => {
  const { workflow, peers } = hospitals({
    workflow: { timeout: 5 },
    line: ({ name, step, answer }) =>
      name === 'east' && step === 'confirm-survivors'
        ? Promise.reject(new Error('gone'))
        : answer(),
  });
  const events: StageEvent[] = [];
  const stops = STAGES.map((stage) => workflow.on(stage, (event) => events.push(event)));
  const round = workflow.startMean(peers, MEAN);
  const own: StageEvent[] = [];
  round.on('unmask', (event) => own.push(event));
  await round.run();
  expect(events.every((event) => event.round === round.id)).toBe(true);
  const kinds = STAGES.map((stage) =>
    events.filter((event) => event.stage === stage).map(({ kind }) => kind),
  );
  const answers = (count: number) => Array.from({ length: count }, () => 'answer');
  expect(kinds).toEqual([
    ['begin', ...answers(5), 'end'],
    ['begin', ...answers(5), 'end'],
    ['begin', ...answers(5), 'end'],
    ['begin', ...answers(4 + 4), 'end'],
  ]);
  expect(own).toEqual(events.filter(({ stage }) => stage === 'unmask'));
  const last = own.flatMap((event) => (event.kind === 'answer' ? [event] : []));
  expect(last.map(({ step, done, total }) => `${step} ${done}/${total}`)).toEqual([
    ...[1, 2, 3, 4].map((i) => `confirm-survivors ${i}/5`),
    ...[1, 2, 3, 4].map((i) => `unmask ${i}/4`),
  ]);
  expect(last.every(({ traffic }) => traffic.toClients > 0 && traffic.toServer > 0)).toBe(true);
  expect(own.at(-1)).toMatchObject({ lost: [{ client: 'east', message: 'gone' }] });

  for (const stop of stops) stop();
  const heard = events.length;
  await workflow.startSum(peers, SUM).run();
  expect(events).toHaveLength(heard);
});

test('a round that fails tells of it', async () => {
  const { workflow, peers } = hospitals({ line: () => Promise.reject(new Error('no network')) });
  const events: StageEvent[] = [];
  workflow.on('setup', (event) => events.push(event));
  await expect(workflow.startSum(peers, SUM).run()).rejects.toMatchObject({ missing: NAMES });
  expect(events.map(({ kind }) => kind)).toEqual(['begin', 'abort']);
  expect(events.at(-1)).toMatchObject({ error: { name: 'ProtocolAbortError' } });
});

test.each(STAGES)('a signal ends the round in %s, and clients forget it', async (stage) => {
  const controller = new AbortController();
  const reason = new Error('not wanted any more');
  const step = {
    setup: 'advertise',
    shareKeys: 'share-keys',
    collectMaskedVectors: 'mask-vectors',
    unmask: 'unmask',
  }[stage];
  const { workflow, peers, clients } = hospitals({
    line: ({ name, step: asked, answer }) => {
      if (asked !== step) return answer();
      if (name === 'north') controller.abort(reason);
      return new Promise(() => {});
    },
  });
  const round = workflow.startMean(peers, { ...MEAN, signal: controller.signal });
  await expect(round.run()).rejects.toBe(reason);
  await new Promise((resolve) => setTimeout(resolve));
  expect(clients.map(({ sessions }) => sessions)).toEqual([0, 0, 0, 0, 0]);
});

test('a round that is closed in the middle of a stage rejects it, and tells of it', async () => {
  const { workflow, peers, clients } = hospitals({
    line: ({ step, answer }) => (step === 'share-keys' ? new Promise(() => {}) : answer()),
  });
  const events: string[] = [];
  workflow.on('shareKeys', ({ kind }) => events.push(kind));
  const round = workflow.startSum(peers, SUM);
  await round.setup();
  const sharing = round.shareKeys();
  round.close();
  await expect(sharing).rejects.toMatchObject({ code: 'context.closed' });
  expect(events).toEqual(['begin', 'abort']);
  await new Promise((resolve) => setTimeout(resolve));
  expect(clients.map(({ sessions }) => sessions)).toEqual([0, 0, 0, 0, 0]);
  await expect(round.run()).rejects.toThrow('it is over');
});

test('a signal that was aborted before lets no message out', async () => {
  let messages = 0;
  const { workflow, peers } = hospitals({
    line: ({ answer }) => {
      messages += 1;
      return answer();
    },
  });
  const round = workflow.startMean(peers, { ...MEAN, signal: AbortSignal.abort(new Error('no')) });
  await expect(round.run()).rejects.toThrow('no');
  expect(messages).toBe(0);
});

test('an answer that is too long, none, or of another request loses its client', async () => {
  const { workflow, peers } = hospitals({
    names: ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
    workflow: { reconstructionThreshold: 4 },
    line: async ({ name, step, answer }) => {
      const bytes = await answer();
      if (step !== 'share-keys') return bytes;
      if (name === 'a') return new Uint8Array(100_000);
      if (name === 'b') return bytes.subarray(1);
      if (name !== 'c') return bytes;
      const other = bytes.slice();
      other[20]! ^= 1;
      return other;
    },
  });
  const { lost, clients } = await workflow.startSum(peers, SUM).run();
  expect(clients).toEqual(['d', 'e', 'f', 'g']);
  expect(lost.map(({ client, code }) => [client, code])).toEqual([
    ['a', 'message-too-large'],
    ['b', 'malformed-message'],
    ['c', 'wrong-session'],
  ]);
});
