import { expect, test } from 'vitest';
import { intrinsic } from '../../computations/building-blocks.ts';
import { func } from '../../computations/types/index.ts';
import type { Executor } from '../../executors/executor.ts';
import type { Operator } from '../../executors/leaf/operator.ts';
import type { SecureStack } from '../../executors/secure/secure-stack.ts';
import { leafExecutor, localExecutorFactory } from '../../runtime/index.ts';
import { run } from '../compliance/executor-run.ts';
import { addConstant, federatedInts, INT, int, mapComputation } from '../executors/blocks.ts';
import { PassThroughExecutor } from '../executors/pass-through.ts';
import { trackedBackend } from '../executors/tracked-backend.ts';

test('makes a leaf for the server and for each client', async () => {
  const backend = await trackedBackend();
  const made: string[] = [];
  const factory = localExecutorFactory({
    leaf: (placement, index) => {
      made.push(`${placement} ${index}`);
      return leafExecutor(backend);
    },
  });
  const executor = await factory.createExecutor({ clients: 2 });
  expect(made).toEqual(['server 0', 'clients 0', 'clients 1']);
  expect(await run(executor, mapComputation(addConstant(1)), federatedInts(1, 2))).toEqual([2, 3]);
  await factory.close();
});

test('puts executors of the user around leaves and around the stack', async () => {
  const leaves: PassThroughExecutor[] = [];
  const stacks: PassThroughExecutor[] = [];
  const keep = (list: PassThroughExecutor[], inner: Executor): Executor => {
    const wrapper = new PassThroughExecutor(inner);
    list.push(wrapper);
    return wrapper;
  };
  const factory = localExecutorFactory({
    backend: await trackedBackend(),
    wrapLeaf: (leaf) => keep(leaves, leaf),
    wrap: (stack) => keep(stacks, stack),
  });
  const executor = await factory.createExecutor({ clients: 1 });
  await run(executor, mapComputation(addConstant(1)), federatedInts(1));
  expect(executor).toBe(stacks[0]);
  expect(leaves).toHaveLength(2);
  expect(leaves[1]?.calls).toEqual(['createValue tensor', 'createValue compiled', 'createCall']);
  await factory.close();
});

test('closes the leaves that were made when one cannot be', async () => {
  const backend = await trackedBackend();
  const closed: string[] = [];
  const factory = localExecutorFactory({
    leaf: (placement, index) => {
      if (placement === 'clients' && index === 1) throw new Error('no such device');
      return new (class extends PassThroughExecutor {
        override async close(): Promise<void> {
          closed.push(`${placement} ${index}`);
        }
      })(leafExecutor(backend));
    },
  });
  await expect(factory.createExecutor({ clients: 3 })).rejects.toThrow('no such device');
  expect(closed).toEqual(['server 0', 'clients 0', 'clients 2']);
  await factory.close();
});

test.each([
  [{ notary: 1 }, 'cardinality.unknown'],
  [{ server: 2 }, 'cardinality.mismatch'],
  [{ clients: -1 }, 'cardinality.mismatch'],
  [{ clients: 1.5 }, 'cardinality.mismatch'],
])('refuses %j', async (cardinalities, code) => {
  const factory = localExecutorFactory({ backend: await trackedBackend() });
  await expect(factory.createExecutor(cardinalities)).rejects.toMatchObject({
    name: 'CardinalityError',
    code,
  });
  await factory.close();
});

test('a secure stack gets its operators, roles and handles, and wraps the placed executor', async () => {
  const type = func(INT, INT);
  const double: Operator = {
    uri: 'test_double',
    purity: 'pure',
    checkType: () => {},
    run: (argument) => (argument?.kind === 'tensor' ? int(2 * Number(argument.scalar())) : int(0)),
  };
  const made: string[] = [];
  const secure: SecureStack = {
    handles: new Set(['federated_secure_sum']),
    roles: ['aggregator'],
    operators: [double],
    wrap(target) {
      made.push(
        ...['server', 'aggregator', 'clients'].map((p) => `${p} ${target.children(p).length}`),
      );
      return target;
    },
  };
  const backend = await trackedBackend();
  for (const secureAggregation of [secure, { secureStack: () => secure }]) {
    const factory = localExecutorFactory({ backend, secureAggregation });
    expect(factory.handles).toEqual(new Set(['federated_secure_sum']));
    const executor = await factory.createExecutor({ clients: 2 });
    const map = mapComputation(intrinsic('test_double', type));
    expect(await run(executor, map, federatedInts(1, 2))).toEqual([2, 4]);
    await factory.close();
  }
  expect(made.slice(0, 3)).toEqual(['server 1', 'aggregator 1', 'clients 2']);
});
