import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { federatedComputation, tensorComputation } from '../../computations/index.ts';
import { loadBackend } from '../../computations/tensors/index.ts';
import {
  atClients,
  atServer,
  float32,
  int32,
  type MaterializedValue,
  TensorValue,
} from '../../computations/types/index.ts';
import { masking } from '../../executors/secure/index.ts';
import { WrappingExecutor } from '../../executors/watching/wrapping.ts';
import {
  federatedBroadcast,
  federatedMap,
  federatedMean,
  federatedSecureSumBitwidth,
  federatedSum,
} from '../../intrinsics/index.ts';
import {
  debugExecutorFactory,
  ExecutionContext,
  leafExecutor,
  localExecutorFactory,
  sizingExecutorFactory,
} from '../../runtime/index.ts';

const VECTOR = float32(3);
const mean = federatedComputation([atClients(VECTOR)], (x) => federatedMean(x));
const double = tensorComputation([VECTOR], (x) => tf.mul(x, 2));
const round = federatedComputation([atServer(VECTOR), atClients(VECTOR)], (model, x) => {
  const shifted = federatedMap(
    tensorComputation([VECTOR, VECTOR], (a, b) => tf.add(a, b)),
    [federatedBroadcast(model), federatedMap(double, x)],
  );
  return federatedMean(shifted);
});

const vectors = (count: number): Float32Array[] =>
  Array.from({ length: count }, (_, i) =>
    Float32Array.of(Math.sin(i) * 1e7, Math.cos(i), Math.tan(i) / 3),
  );

test('means have the same bits for any fanout', async () => {
  await using flat = new ExecutionContext(localExecutorFactory());
  for (const count of [1, 7, 40]) {
    const expected = (await flat.invoke(mean, [vectors(count)])).toArray();
    for (const maxFanout of [2, 3, 39, 100]) {
      await using context = new ExecutionContext(localExecutorFactory({ maxFanout }));
      const result = await context.invoke(mean, [vectors(count)]);
      expect(result.toArray()).toEqual(expected);
    }
  }
});

test('sums securely over a tree', async () => {
  const sum = federatedComputation([atClients(int32())], (x) => federatedSecureSumBitwidth(x, 8));
  await using context = new ExecutionContext(
    localExecutorFactory({ maxFanout: 2, secureAggregation: masking() }),
  );
  expect(await context.invoke(sum, [[1, 2, 3, 4, 5, 6, 7]])).toBe(28);
});

test('makes a tree of the least height, and tells the leaf where it stands', async () => {
  const backend = await loadBackend();
  const made: string[] = [];
  const factory = localExecutorFactory({
    maxFanout: 3,
    leaf: (placement, index) => {
      made.push(`${placement} ${index}`);
      return leafExecutor(backend);
    },
  });
  await factory.createExecutor({ clients: 10 });
  // 10 clients in 4 groups, which are 2 nodes below the root.
  expect(made.filter((name) => name.startsWith('combiner'))).toHaveLength(6);
  expect(made.filter((name) => name.startsWith('clients'))).toHaveLength(10);
  await factory.close();
  for (const maxFanout of [1, 2.5, Number.NaN]) {
    expect(() => localExecutorFactory({ maxFanout })).toThrow(RangeError);
  }
});

test('answers a repeated computation from the cache', async () => {
  let calls = 0;
  const backend = await loadBackend();
  const counting = {
    ...backend,
    upload: backend.upload.bind(backend),
    prepare(graph: Parameters<typeof backend.prepare>[0]) {
      const program = backend.prepare(graph);
      return {
        graph,
        run: (inputs: Parameters<typeof program.run>[0]) => {
          calls++;
          return program.run(inputs);
        },
      };
    },
    close() {},
  };
  const factory = localExecutorFactory({ backend: counting, caching: { maxEntries: 100 } });
  await using context = new ExecutionContext(factory);
  const first = await context.invoke(round, [vectors(1)[0] as Float32Array, vectors(5)]);
  const before = calls;
  const second = await context.invoke(round, [vectors(1)[0] as Float32Array, vectors(5)]);
  expect(calls).toBe(before);
  expect(second.toArray()).toEqual(first.toArray());
  await context.invoke(round, [vectors(2)[1] as Float32Array, vectors(5)]);
  expect(calls).toBeGreaterThan(before);
});

test('counts what goes to and comes from each placement, for each round', async () => {
  const factory = sizingExecutorFactory({ maxRounds: 3 });
  await using context = new ExecutionContext(factory);
  const model = vectors(1)[0] as Float32Array;
  await context.invoke(round, [model, vectors(4)]);
  const [only] = factory.sizes().rounds;
  // To each client its data and the model; from each the sum of both.
  expect(only?.clients?.to).toMatchObject({ elements: 24, bytes: 96 });
  expect(only?.clients?.from).toMatchObject({ elements: 12, bytes: 48 });
  expect(only?.clients?.to.byDType).toEqual({ float32: { elements: 24, bytes: 96 } });
  expect(only?.server?.from.byDType.float32?.elements).toBeGreaterThanOrEqual(6);

  // Two at the same time are counted apart.
  await Promise.all([
    context.invoke(round, [model, vectors(4)]),
    context.invoke(round, [model, vectors(2)]),
  ]);
  const counts = factory.sizes().rounds.map((sizes) => sizes.clients?.from.elements);
  expect(counts.sort()).toEqual([12, 12, 6].sort());
  expect(factory.sizes().total.clients?.from.elements).toBe(30);

  await context.invoke(round, [model, vectors(1)]);
  expect(factory.sizes().rounds).toHaveLength(3);
  expect(factory.sizes().total.clients?.from.elements).toBe(33);
  factory.reset();
  expect(factory.sizes()).toEqual({ rounds: [], total: {} });
});

test('a combiner of a tree is counted as such', async () => {
  const factory = sizingExecutorFactory({ maxFanout: 2 });
  await using context = new ExecutionContext(factory);
  const sum = federatedComputation([atClients(int32())], (x) => federatedSum(x));
  expect(await context.invoke(sum, [[1, 2, 3, 4]])).toBe(10);
  const { total } = factory.sizes();
  expect(total.clients?.from.elements).toBe(4);
  expect(total.combiner?.from.elements).toBe(2);
  // The last subtotal goes to the server, and the sum comes out.
  expect(total.server?.from.elements).toBeGreaterThanOrEqual(1);
});

test('the debug factory gives the same results, one request at a time', async () => {
  let running = 0;
  let most = 0;
  const expected = await new ExecutionContext(localExecutorFactory()).invoke(mean, [vectors(6)]);
  const factory = debugExecutorFactory({
    wrapLeaf: (leaf) =>
      new Proxy(leaf, {
        get(target, name: keyof typeof leaf) {
          const method = target[name] as (...args: unknown[]) => Promise<unknown>;
          return async (...args: unknown[]) => {
            most = Math.max(most, ++running);
            try {
              return await method.apply(target, args);
            } finally {
              running--;
            }
          };
        },
      }),
  });
  await using context = new ExecutionContext(factory);
  const result = await context.invoke(mean, [vectors(6)]);
  expect(result.toArray()).toEqual(expected.toArray());
  expect(most).toBe(1);
});

test('the debug factory names the participant, the step and the type of a wrong value', async () => {
  const backend = await loadBackend();
  const factory = debugExecutorFactory({
    backend,
    wrapLeaf: (leaf, placement, index) =>
      placement === 'clients' && index === 1 ? new LyingExecutor(leaf) : leaf,
  });
  await using context = new ExecutionContext(factory);
  const attempt = context.invoke(mean, [vectors(3)]);
  await expect(attempt).rejects.toThrow(/clients 1.*float32\[3\].*has shape \[1\]/);
  const cause = await attempt.catch((error: Error) => error.cause);
  expect(cause).toMatchObject({ code: 'execution.wrong_value' });
});

/** Cuts every tensor that it gives out to one element. */
class LyingExecutor extends WrappingExecutor {
  override async read(
    ...[inner, options]: Parameters<WrappingExecutor['read']>
  ): Promise<MaterializedValue> {
    const value = await super.read(inner, options);
    if (value.kind !== 'tensor') return value;
    return new TensorValue('float32', [1], Float32Array.of(Number(value.data[0])));
  }
}
