/** @file Any clients lost, at any step, in any tree: what is left is what a stack of the others gives. */

import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import {
  atClients,
  atServer,
  ExecutionContext,
  type Executor,
  type ExecutorValue,
  federatedComputation,
  federatedMap,
  federatedSum,
  float32,
  func,
  type LocalExecutorFactoryOptions,
  localExecutorFactory,
  type RequestOptions,
  struct,
  tensorComputation,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { intrinsic } from '../../../computations/building-blocks.ts';
import { ComposingExecutor } from '../../../executors/placed/composing.ts';
import { FederatingExecutor } from '../../../executors/placed/federating.ts';
import { type LossOptions, LostMember } from '../../../executors/placed/lost-clients.ts';
import type { PlacedExecutor } from '../../../executors/placed/placed-executor.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { addConstant, federatedInts, INT, int } from '../blocks.ts';
import { type TrackedBackend, trackedBackend } from '../tracked-backend.ts';
import {
  type Faults,
  FaultyLeaf,
  hangs,
  ofKind,
  outOfBattery,
  refuseUnhandledRejections,
  stepsOf,
  withFaults,
} from './lost-clients.helpers.ts';

refuseUnhandledRejections();

const halve = tensorComputation([float32()], (x) => tf.div(x, 3));
const total = federatedComputation([atClients(float32())], (x) =>
  federatedSum(federatedMap(halve, x)),
);

const fail = (): never => {
  throw new Error('gone');
};
const STEPS: readonly Faults[] = [{}, { receive: fail }, { work: fail }, { send: fail }];

const shapes: fc.Arbitrary<LocalExecutorFactoryOptions> = fc.oneof(
  fc.constant({}),
  fc.integer({ min: 2, max: 5 }).map((maxFanout) => ({ maxFanout })),
);

test('a sum without lost clients is that of a stack of the others, bit for bit', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          value: fc.float({ noNaN: true, min: Math.fround(-1e9), max: Math.fround(1e9) }),
          step: fc.nat(STEPS.length - 1),
        }),
        { minLength: 1, maxLength: 9 },
      ),
      shapes,
      fc.integer({ min: 1, max: 4 }),
      async (clients, shape, minimumSurvivors) => {
        await using context = new ExecutionContext(
          localExecutorFactory({
            ...shape,
            lostClients: 'drop',
            minimumSurvivors,
            wrapLeaf: withFaults((client) => STEPS[clients[client]?.step ?? 0] as Faults),
          }),
        );
        const left = clients.filter(({ step }) => step === 0).map(({ value }) => value);
        const lost = clients.length - left.length;
        const attempt = () => context.invoke(total, [clients.map(({ value }) => value)]);
        if (lost > 0 && left.length < minimumSurvivors) {
          await expect(attempt()).rejects.toMatchObject({
            code: 'execution.too_few_clients',
            cause: { message: 'gone' },
          });
          return;
        }
        await using others = new ExecutionContext(localExecutorFactory());
        const steps = await stepsOf(context, async () => {
          expect(await attempt()).toBe(await others.invoke(total, [left]));
        });
        const dropped = ofKind(steps, 'dropped-clients');
        expect(dropped.flatMap((step) => step.lost)).toHaveLength(lost);
        expect(dropped.flatMap((step) => step.clients)).toHaveLength(lost > 0 ? left.length : 0);
      },
    ),
    { numRuns: 60 },
  );
});

describe.each(['flat', 'a tree'])('handles on values of lost clients (%s)', (shape) => {
  const addOne = addConstant(1);
  const mapType = func(struct([addOne.type, atClients(INT)]), atClients(INT));

  function stackOf(
    backend: TrackedBackend,
    losses: LossOptions,
    faults: Faults = outOfBattery,
  ): PlacedExecutor {
    const server = leafExecutor(backend);
    const leaf = (client: number): Executor =>
      new FaultyLeaf(leafExecutor(backend), client === 1 ? faults : {});
    if (shape === 'flat') {
      return new FederatingExecutor({ server, clients: [0, 1, 2].map(leaf) }, losses);
    }
    const part = (clients: readonly number[]) => ({
      executor: new FederatingExecutor(
        { server, clients: clients.map(leaf), firstClient: clients[0] as number },
        losses,
      ),
      clients: clients.length,
    });
    return new ComposingExecutor({ server, children: [part([0]), part([1, 2])] }, losses);
  }

  async function trained(stack: PlacedExecutor, options?: RequestOptions) {
    using fn = await stack.createValue(intrinsic('federated_map', mapType), mapType);
    using mapper = await stack.createValue(addOne, addOne.type);
    using x = await stack.createValue(federatedInts(1, 2, 3), atClients(INT));
    using argument = await stack.createStruct([
      { name: null, value: mapper },
      { name: null, value: x },
    ]);
    return await stack.createCall(fn, argument, options);
  }

  test('say who is missing, by themselves and in a struct', async () => {
    const backend = await trackedBackend();
    const stack = stackOf(backend, { lostClients: 'survive' });
    const loss = { client: 'clients/1', stage: 'federated_map', reason: 'failed' };
    {
      using value = await trained(stack);
      expect(value.missing).toMatchObject([loss]);
      using both = await stack.createStruct([{ name: 'a', value }]);
      expect(both.missing).toMatchObject([loss]);
      using complete = await stack.createValue(federatedInts(1, 2, 3), atClients(INT));
      expect(complete.missing).toEqual([]);

      const members = stack.members(value);
      expect(members.map((member) => member instanceof LostMember)).toEqual([false, true, false]);
      expect(members[1]?.type).toEqual(INT);
      await expect(members[1]?.compute()).rejects.toMatchObject({
        code: 'execution.client_failed',
      });
    }
    expect(backend.live()).toBe(0);
    await stack.close();
  });

  test('are not waited for when the request is interrupted', async () => {
    const backend = await trackedBackend();
    const stack = stackOf(backend, { lostClients: 'survive', clientTimeoutMs: 60_000 }, hangs);
    const controller = new AbortController();
    const because = new Error('enough');
    setTimeout(() => controller.abort(because), 10);
    await expect(trained(stack, { signal: controller.signal })).rejects.toBe(because);
    expect(backend.live()).toBe(0);
    await stack.close();
  });

  test('can be placed, as can what was aggregated without some', async () => {
    const backend = await trackedBackend();
    const stack = stackOf(backend, { lostClients: 'survive' });
    {
      using value = await trained(stack);
      const [, lost] = stack.members(value) as readonly [unknown, LostMember];
      const leaves = stack.children('clients');
      const made = await Promise.all(
        [0, 2].map((client) => (leaves[client] as Executor).createValue(int(client), INT)),
      );
      const [first, last] = made as [ExecutorValue, ExecutorValue];
      using placed = stack.place([first, lost, last], atClients(INT));
      expect(placed.missing).toEqual([lost.loss]);
      await expect(placed.compute()).rejects.toThrow(/Client 1 failed in federated_map/);

      const server = stack.children('server')[0] as Executor;
      const sum = await server.createValue(int(5), INT);
      using aggregated = stack.place([sum], atServer(INT), [lost.loss]);
      expect(aggregated.missing).toEqual([lost.loss]);
    }
    expect(backend.live()).toBe(0);
    await stack.close();
  });
});
