import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BuildingBlock, compiled } from '../../../computations/building-blocks.ts';
import { type Backend, GraphBuilder, loadBackend } from '../../../computations/tensors/index.ts';
import {
  atClients,
  atServer,
  float32,
  func,
  type MaterializedValue,
  struct,
  TensorValue,
} from '../../../computations/types/index.ts';
import type { ExecutorValue, RequestOptions } from '../../../executors/executor.ts';
import { ComposingExecutor } from '../../../executors/placed/composing.ts';
import type { TreeAggregation } from '../../../executors/placed/composition.ts';
import { FederatingExecutor } from '../../../executors/placed/federating.ts';
import type { PlacedExecutor } from '../../../executors/placed/placed-executor.ts';
import type { ProgressStep } from '../../../executors/progress.ts';
import { ReferenceResolvingExecutor } from '../../../executors/reference-resolving.ts';
import { leafExecutor } from '../../../runtime/leaf-executor.ts';
import { run } from '../../compliance/executor-run.ts';
import {
  add,
  addConstant,
  callIntrinsic,
  computation,
  failUnlessSmall,
  federatedInts,
  INT,
  identity,
  int,
  intLiteral,
  mapComputation,
} from '../blocks.ts';
import { PassThroughExecutor } from '../pass-through.ts';
import { trackedBackend } from '../tracked-backend.ts';

/** A number is a node with so many clients, a list is a node with these children. */
type Shape = number | readonly Shape[];

const FLOAT = float32();

const addFloats = (() => {
  const builder = new GraphBuilder();
  const a = builder.parameter(FLOAT);
  const b = builder.parameter(FLOAT);
  const type = func(struct([FLOAT, FLOAT]), FLOAT);
  return compiled('add_floats', builder.build([builder.apply('Add', { a, b })]), type);
})();

const zeroFloat: BuildingBlock = {
  kind: 'literal',
  value: new TensorValue('float32', [], Float32Array.of(0)),
  type: FLOAT,
};

const sumFloats = computation(atClients(FLOAT), (x) =>
  callIntrinsic(
    'federated_aggregate',
    [x, zeroFloat, addFloats, addFloats, identity(FLOAT)],
    atServer(FLOAT),
  ),
);

const sumInts = (zero: number) =>
  computation(atClients(INT), (x) =>
    callIntrinsic(
      'federated_aggregate',
      [x, intLiteral(zero), add, add, addConstant(1000)],
      atServer(INT),
    ),
  );

function treeOf(
  backend: Backend,
  shape: Shape,
  aggregation: TreeAggregation = 'in-order',
  firstClient = 0,
): { readonly executor: PlacedExecutor; readonly clients: number } {
  const server = leafExecutor(backend);
  if (typeof shape === 'number') {
    const clients = Array.from({ length: shape }, () => leafExecutor(backend));
    return {
      executor: new FederatingExecutor({ server, clients, firstClient }),
      clients: shape,
    };
  }
  let next = firstClient;
  const children = shape.map((part) => {
    const child = treeOf(backend, part, aggregation, next);
    next += child.clients;
    return child;
  });
  return {
    executor: new ComposingExecutor({ server, children }, { aggregation }),
    clients: next - firstClient,
  };
}

const shapes: fc.Arbitrary<Shape> = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.nat(4),
    fc.array(tie('shape'), { maxLength: 4 }),
  ),
})).shape;

function floats(values: readonly number[]): MaterializedValue {
  const members = values.map((x) => new TensorValue('float32', [], Float32Array.of(x)));
  return { kind: 'federated', members };
}

test('sums floats to the same bits as the flat executor, for any tree', async () => {
  const backend = await loadBackend();
  await fc.assert(
    fc.asyncProperty(shapes, fc.integer(), async (shape, seed) => {
      const tree = treeOf(backend, shape);
      // Values of very different size, so that every other order of additions rounds differently.
      const values = Array.from({ length: tree.clients }, (_, i) => {
        const angle = seed + i * 12.9898;
        return Math.sin(angle) * 10 ** (8 * Math.cos(angle * 78.233));
      });
      const flat = treeOf(backend, tree.clients);
      const results = await Promise.all(
        [tree, flat].map(({ executor }) =>
          run(new ReferenceResolvingExecutor(executor), sumFloats, floats(values)),
        ),
      );
      expect(results[0]).toEqual(results[1]);
      await Promise.all([tree.executor.close(), flat.executor.close()]);
    }),
    { numRuns: 60 },
  );
});

test('merges at the server where it was told to, with a zero for each child', async () => {
  const backend = await loadBackend();
  await fc.assert(
    fc.asyncProperty(shapes, async (shape) => {
      const { executor, clients } = treeOf(backend, shape, 'merge');
      const stack = new ReferenceResolvingExecutor(executor);
      const values = Array.from({ length: clients }, (_, i) => i * i);
      const total = values.reduce((a, b) => a + b, 1000);
      expect(await run(stack, sumInts(0), federatedInts(...values))).toEqual([total]);
      await stack.close();
    }),
    { numRuns: 30 },
  );
  const twice = new ReferenceResolvingExecutor(treeOf(backend, [2, 1], 'merge').executor);
  expect(await run(twice, sumInts(10), federatedInts(1, 2, 3))).toEqual([1026]);
  const once = new ReferenceResolvingExecutor(treeOf(backend, [2, 1]).executor);
  expect(await run(once, sumInts(10), federatedInts(1, 2, 3))).toEqual([1016]);
});

test('counts clients over the whole tree in messages', async () => {
  const backend = await loadBackend();
  const stack = new ReferenceResolvingExecutor(treeOf(backend, [[2, 1], 3]).executor);
  const attempt = run(stack, mapComputation(failUnlessSmall), federatedInts(1, 1, 1, 1, 999, 1));
  await expect(attempt).rejects.toThrow(/Client 4 failed/);
  await stack.close();
});

test('shows and takes the values of clients one by one, through the tree', async () => {
  const backend = await trackedBackend();
  const { executor } = treeOf(backend, [[2, 1], 0, 1]);
  const clients = executor.children('clients');
  expect(clients).toHaveLength(4);
  using value = await executor.createValue(federatedInts(1, 2, 3, 4), atClients(INT));
  const members = executor.members(value);
  const read = await Promise.all(members.map((member) => member.compute()));
  expect(read.map(String)).toEqual(['1', '2', '3', '4']);

  const made = await Promise.all(clients.map((client, i) => client.createValue(int(i * 7), INT)));
  using placed = executor.place(made, atClients(INT));
  expect(await placed.compute()).toEqual(federatedInts(0, 7, 14, 21));
  await executor.close();
});

test('disposes all handles that it refuses to place', async () => {
  const backend = await loadBackend();
  const { executor } = treeOf(backend, [2, 1]);
  const disposed: number[] = [];
  const handles = [0, 1].map(
    (i): ExecutorValue => ({
      type: INT,
      compute: async () => int(i),
      [Symbol.dispose]: () => disposed.push(i),
    }),
  );
  expect(() => executor.place(handles, atClients(INT))).toThrow(/has 3 handles/);
  expect(disposed).toEqual([0, 1]);
  await executor.close();
});

test('needs children that show members only where members are asked for', async () => {
  const backend = await loadBackend();
  const child = { executor: new PassThroughExecutor(treeOf(backend, 2).executor), clients: 2 };
  const tree = new ComposingExecutor({ server: leafExecutor(backend), children: [child, child] });
  const stack = new ReferenceResolvingExecutor(tree);
  expect(await run(stack, sumInts(0), federatedInts(1, 2, 3, 4))).toEqual([1010]);
  expect(() => tree.children('clients')).toThrow(/PlacedExecutor/);
  await stack.close();
});

test('tells of the progress of all clients, and of an intrinsic once', async () => {
  const backend = await loadBackend();
  const stack = new ReferenceResolvingExecutor(treeOf(backend, [[1, 1], 2]).executor);
  const steps: ProgressStep[] = [];
  const options: RequestOptions = { onProgress: (step) => steps.push(step) };
  const fn = mapComputation(addConstant(1));
  using callee = await stack.createValue(fn, fn.type);
  using given = await stack.createValue(federatedInts(1, 2, 3, 4), atClients(INT));
  using result = await stack.createCall(callee, given, options);
  expect(await result.compute()).toEqual(federatedInts(2, 3, 4, 5));
  expect(steps.filter(({ kind }) => kind === 'intrinsic')).toEqual([
    { kind: 'intrinsic', uri: 'federated_map' },
  ]);
  const done = steps.flatMap((step) =>
    step.kind === 'clients' ? [`${step.done}/${step.total}`] : [],
  );
  expect(done).toEqual(['0/4', '1/4', '2/4', '3/4', '4/4']);
  await stack.close();
});

test('closes the server, the roles and every child', async () => {
  const backend = await loadBackend();
  const closed: string[] = [];
  const closing = (name: string) =>
    new (class extends PassThroughExecutor {
      override async close(): Promise<void> {
        closed.push(name);
      }
    })(leafExecutor(backend));
  const tree = new ComposingExecutor({
    server: closing('server'),
    roles: { aggregator: closing('role') },
    children: [
      { executor: closing('first'), clients: 1 },
      { executor: closing('second'), clients: 1 },
    ],
  });
  expect(tree.children('aggregator')).toHaveLength(1);
  await tree.close();
  expect(closed.sort()).toEqual(['first', 'role', 'second', 'server']);
});
