/** @file How a round stands, after what the progress events of its context said. */

import type { RoundStatus } from 'fedloom';
import { expect, test } from 'vitest';
import { ContextError, ProtocolAbortError } from '../../../computations/types/index.ts';
import type { ProgressEvent } from '../../../runtime/invocation.ts';
import { Round } from '../../../runtime/rounds/round.ts';

const NO_TRAFFIC = { toClients: 0, toServer: 0 };

function roundOf(...events: readonly object[]): RoundStatus {
  const round = new Round({
    number: 1,
    computation: 'x',
    clients: 3,
    nameOf: (party) => party.replace('clients/', 'site '),
    traffic: () => NO_TRAFFIC,
  });
  for (const event of events) {
    round.take({ invocation: 1, computation: 'x', ...event } as ProgressEvent);
  }
  return round.status();
}

const step = (step: object) => ({ stage: 'run', step });

test('an abort names stage, reason and who was missing, or offended', () => {
  const abort = (options: { missing?: string[]; offender?: string }) =>
    new ProtocolAbortError('protocol.too_few_clients', 'no', {
      stage: 'unmask',
      reason: 'too-few-survivors',
      ...options,
    });
  const failed = (error: Error) => roundOf({ stage: 'failed', milliseconds: 1, error }).failure;
  expect(failed(abort({ missing: ['clients/2', 'clients/0'] }))).toMatchObject({
    code: 'protocol.too_few_clients',
    stage: 'unmask',
    reason: 'too-few-survivors',
    missing: ['site 2', 'site 0'],
  });
  expect(failed(abort({ offender: 'clients/1' }))?.missing).toEqual(['site 1']);
  expect(failed(abort({}))?.missing).toEqual([]);
  expect(failed(new Error('a bug'))).toEqual({ message: 'a bug', missing: [] });
});

test('a round that is cancelled misses nobody', () => {
  const lost = step({ kind: 'client-lost', client: 'clients/1', stage: 'x', reason: 'failed' });
  const failed = (error: Error) =>
    roundOf(lost, { stage: 'failed', milliseconds: 1, error }).failure?.missing;
  expect(failed(new ContextError('context.cancelled', 'enough'))).toEqual([]);
  expect(failed(new Error('a bug'))).toEqual(['site 1']);
});

test('who is missing when a stage is over is lost from then on; the sum says why', () => {
  const roll = { run: 1, isOver: true, answered: ['clients/0'], missing: ['clients/1'] };
  const over = step({ kind: 'protocol', stage: 'share-keys', done: 1, total: 2, roll });
  const lost = { client: 'clients/1', stage: 'share-keys', reason: 'timeout' };
  const sum = step({ kind: 'secure-sum', clients: ['clients/0'], lost: [lost], blamed: [] });
  expect(roundOf(over).lost).toEqual([{ client: 'site 1', stage: 'share-keys', reason: 'failed' }]);
  expect(roundOf(over, sum)).toMatchObject({
    counted: 1,
    lost: [{ client: 'site 1', stage: 'share-keys', reason: 'timeout' }],
  });
});

test('pieces of work of one name that go on at the same time are two', () => {
  const roll = (run: number, answered: string[], isOver: boolean) => ({
    roll: { run, answered, missing: [], isOver },
  });
  const work = { kind: 'clients', work: 'federated_map', total: 3 };
  const { stages } = roundOf(
    step({ ...work, done: 0, ...roll(1, [], false) }),
    step({ ...work, done: 0, ...roll(2, [], false) }),
    step({ ...work, done: 1, ...roll(1, ['clients/1'], false) }),
    step({ ...work, done: 3, ...roll(2, ['clients/0'], true) }),
  );
  expect(stages.map(({ answered, isOver }) => ({ answered, isOver }))).toEqual([
    { answered: ['site 1'], isOver: false },
    { answered: ['site 0'], isOver: true },
  ]);
});

test('long work that nobody is asked for counts its parts; after a retry it begins again', () => {
  const part = (done: number) => step({ kind: 'protocol', stage: 'expand-masks', done, total: 4 });
  const { stages } = roundOf(part(0), part(1), { stage: 'retry' }, part(0), part(4));
  expect(stages.map(({ done, isOver, by }) => ({ done, isOver, by }))).toEqual([
    { done: 1, isOver: true, by: 'server' },
    { done: 4, isOver: true, by: 'server' },
  ]);
});

test('one who plays a role and is asked step by step has one stage', () => {
  const asked = (run: number, stage: string, isOver: boolean) => {
    const names = ['aggregator/0'];
    const roll = { run, isOver, answered: isOver ? names : [], missing: isOver ? [] : names };
    return step({ kind: 'protocol', stage, done: Number(isOver), total: 1, roll });
  };
  const twice = [1, 2].flatMap((run) => [
    asked(run, 'aggregate', false),
    asked(run, 'aggregate', true),
  ]);
  const { stages } = roundOf(...twice, asked(3, 'decrypt', false));
  expect(stages.map(({ stage, by, isOver }) => ({ stage, by, isOver }))).toEqual([
    { stage: 'aggregate', by: 'role', isOver: true },
    { stage: 'decrypt', by: 'role', isOver: false },
  ]);
  expect(stages[1]?.missing).toEqual(['aggregator/0']);
});
