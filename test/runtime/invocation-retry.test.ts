import { expect, test } from 'vitest';
import { federatedComputation } from '../../computations/index.ts';
import {
  atServer,
  ExecutionError,
  int32,
  TransportError,
  ValueError,
} from '../../computations/types/index.ts';
import type { ExecutorFactory } from '../../executors/executor.ts';
import { ExecutionContext, localExecutorFactory, type ProgressEvent } from '../../runtime/index.ts';

const same = federatedComputation([atServer(int32())], (x) => x);
const unavailable = new TransportError('transport.unavailable', 'Gone.');

/** Fails with these, one after the other, before it makes an executor. */
function failing(
  errors: readonly unknown[],
  handles?: ReadonlySet<string>,
): ExecutorFactory & { readonly attempts: () => number } {
  const local = localExecutorFactory();
  let attempts = 0;
  return {
    attempts: () => attempts,
    ...(handles !== undefined && { handles }),
    async createExecutor(cardinalities) {
      attempts += 1;
      if (attempts <= errors.length) throw errors[attempts - 1];
      return local.createExecutor(cardinalities);
    },
    cleanUpExecutor: (cardinalities) => local.cleanUpExecutor(cardinalities),
    close: () => local.close(),
  };
}

test.each([
  ['another process is gone', unavailable],
  ['it lost what it held', new TransportError('transport.failed_precondition', 'Unknown.')],
  [
    'a client is gone',
    new ExecutionError('execution.client_failed', 'Client 0 failed.', { cause: unavailable }),
  ],
])('begins anew when %s, and tells of it', async (_, error) => {
  const factory = failing([error, error]);
  await using context = new ExecutionContext(factory, { retry: { firstDelayMs: 3 } });
  const events: ProgressEvent[] = [];
  context.on('progress', (event) => events.push(event));
  expect(await context.invoke(same, [7])).toBe(7);
  const told = events.map((event) => (event.stage === 'retry' ? event.delayMs : event.stage));
  expect(told).toEqual(['compile', 'start', 3, 'compile', 'start', 6, 'compile', 'start', 'done']);
  expect(events.find(({ stage }) => stage === 'retry')).toMatchObject({ attempt: 1, error });
});

test.each([
  ['a value that does not fit', new ValueError('value.wrong_type', 'No.')],
  ['a refusal', new TransportError('transport.permission_denied', 'No.')],
  ['a client that failed in its own work', new ExecutionError('execution.client_failed', 'No.')],
  ['time that is up', new TransportError('transport.deadline_exceeded', 'No.')],
])('does not for %s', async (_, error) => {
  const factory = failing([error]);
  await using context = new ExecutionContext(factory);
  await expect(context.invoke(same, [7])).rejects.toBe(error);
  expect(factory.attempts()).toBe(1);
});

test('says what went wrong, and not that an argument cannot be read again', async () => {
  const consumed = new ExecutionError('execution.sequence_consumed', 'Read already.');
  await using context = new ExecutionContext(failing([unavailable, consumed]));
  await expect(context.invoke(same, [7])).rejects.toBe(unavailable);
  await using other = new ExecutionContext(failing([consumed]));
  await expect(other.invoke(same, [7])).rejects.toBe(consumed);
});

test('has a limit', async () => {
  const factory = failing(new Array(100).fill(unavailable));
  await using context = new ExecutionContext(factory, { retry: { maxAttempts: 3, maxDelayMs: 1 } });
  await expect(context.invoke(same, [7])).rejects.toBe(unavailable);
  expect(factory.attempts()).toBe(3);
});

test('leaves it to the caller where secure sums are made', async () => {
  const factory = failing([unavailable], new Set(['federated_secure_sum']));
  await using context = new ExecutionContext(factory);
  await expect(context.invoke(same, [7])).rejects.toBe(unavailable);
  expect(await context.invoke(same, [7])).toBe(7);
  const asked = failing([unavailable], new Set(['federated_secure_sum']));
  await using repeating = new ExecutionContext(asked, { retry: {} });
  expect(await repeating.invoke(same, [7])).toBe(7);
});

test('ends when the invocation is cancelled between two attempts', async () => {
  const factory = failing(new Array(100).fill(unavailable));
  await using context = new ExecutionContext(factory, { retry: { firstDelayMs: 600_000 } });
  const stopping = new AbortController();
  context.on('progress', ({ stage }) => {
    if (stage === 'retry') stopping.abort(new Error('enough'));
  });
  await expect(context.invoke(same, [7], { signal: stopping.signal })).rejects.toMatchObject({
    code: 'context.cancelled',
  });
  expect(factory.attempts()).toBe(1);
});
