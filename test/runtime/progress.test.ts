import { afterAll, describe, expect, test } from 'vitest';
import { defineComputation } from '../../computations/define.ts';
import { federatedComputation } from '../../computations/index.ts';
import { atClients } from '../../computations/types/index.ts';
import { federatedMap, federatedSum } from '../../intrinsics/index.ts';
import { ExecutionContext, localExecutorFactory, type ProgressEvent } from '../../runtime/index.ts';
import { addConstant, failUnlessSmall, INT } from '../executors/blocks.ts';

const addOne = defineComputation<readonly [typeof INT], typeof INT>(
  'add_one',
  [INT],
  addConstant(1),
);
const risky = defineComputation<readonly [typeof INT], typeof INT>('risky', [INT], failUnlessSmall);
const total = federatedComputation([atClients(INT)], function total(x) {
  return federatedSum(federatedMap(addOne, x));
});
const mapRisky = federatedComputation([atClients(INT)], (x) => federatedMap(risky, x));

const context = new ExecutionContext(localExecutorFactory());
afterAll(() => context.close());

async function eventsOf(body: () => Promise<unknown>): Promise<ProgressEvent[]> {
  const events: ProgressEvent[] = [];
  const stop = context.on('progress', (event) => events.push(event));
  try {
    await body().catch(() => {});
  } finally {
    stop();
  }
  return events;
}

describe('progress', () => {
  test('is told from compiling to the end', async () => {
    const events = await eventsOf(() => context.invoke(total, [[1, 2, 3]]));
    const stages = events.map(({ stage }) => stage);
    expect(stages.slice(0, 2)).toEqual(['compile', 'start']);
    expect(stages.slice(2, -1).every((stage) => stage === 'run')).toBe(true);
    expect(stages.at(-1)).toBe('done');
    expect(events[1]).toMatchObject({ cardinalities: { clients: 3 } });
    expect(new Set(events.map(({ computation }) => computation))).toEqual(new Set([total.name]));
    expect(new Set(events.map(({ invocation }) => invocation)).size).toBe(1);
  });

  test('counts the clients that are done, for each piece of work', async () => {
    const events = await eventsOf(() => context.invoke(total, [[1, 2, 3]]));
    const counts = new Map<string, number[]>();
    for (const event of events) {
      if (event.stage !== 'run' || event.step.kind !== 'clients') continue;
      expect(event.step.total).toBe(3);
      counts.set(event.step.work, [...(counts.get(event.step.work) ?? []), event.step.done]);
    }
    expect(Object.fromEntries(counts)).toEqual({
      'receiving its data': [0, 1, 2, 3],
      federated_map: [0, 1, 2, 3],
      federated_aggregate: [0, 1, 2, 3],
    });
  });

  test('names the intrinsics that run', async () => {
    const events = await eventsOf(() => context.invoke(total, [[1]]));
    const intrinsics = events.flatMap((event) =>
      event.stage === 'run' && event.step.kind === 'intrinsic' ? [event.step.uri] : [],
    );
    expect(intrinsics).toContain('federated_map');
    expect(intrinsics).toContain('federated_aggregate');
  });

  test('tells of a failure, with the error', async () => {
    const events = await eventsOf(() => context.invoke(mapRisky, [[1, 300]]));
    expect(events.at(-1)).toMatchObject({
      stage: 'failed',
      error: { code: 'execution.client_failed' },
      milliseconds: expect.any(Number),
    });
  });

  test('numbers invocations that run at once', async () => {
    const events = await eventsOf(() =>
      Promise.all([context.invoke(total, [[1]]), context.invoke(total, [[2]])]),
    );
    const done = events.filter(({ stage }) => stage === 'done');
    expect(new Set(done.map(({ invocation }) => invocation)).size).toBe(2);
  });

  test('is not told any more after the listener was removed', async () => {
    let heard = 0;
    const listener = (): void => void heard++;
    const stops = [context.on('progress', listener), context.on('progress', listener)];
    stops[0]?.();
    stops[0]?.();
    await context.invoke(addOne, [1]);
    const once = heard;
    expect(once).toBeGreaterThan(0);
    stops[1]?.();
    await context.invoke(addOne, [1]);
    expect(heard).toBe(once);
  });

  test('goes on when a listener throws; its error surfaces as uncaught', async () => {
    const surfaced: unknown[] = [];
    const known = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => surfaced.push(error));
    const broken = new Error('a broken listener');
    const stop = context.on('progress', ({ stage }) => {
      if (stage === 'compile') throw broken;
    });
    try {
      expect(await context.invoke(addOne, [1])).toBe(2);
      await new Promise((resolve) => setImmediate(resolve));
      expect(surfaced).toEqual([broken]);
    } finally {
      stop();
      process.removeAllListeners('uncaughtException');
      for (const listener of known) process.on('uncaughtException', listener);
    }
  });

  test('costs nothing when nobody listens: executors are not asked to report', async () => {
    const seen: unknown[] = [];
    await using spied = new ExecutionContext(
      localExecutorFactory({
        wrap: (stack) => {
          const createCall = stack.createCall.bind(stack);
          stack.createCall = (fn, argument, options) => {
            seen.push(options?.onProgress);
            return createCall(fn, argument, options);
          };
          return stack;
        },
      }),
    );
    await spied.invoke(total, [[1]]);
    expect(seen).toEqual([undefined]);
  });
});
