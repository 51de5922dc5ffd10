/**
 * @file Clients that fail in their own work before a secure sum: the sum goes on without them where
 * its protocol can, and names them where it cannot.
 */

import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedMap,
  federatedMean,
  federatedSecureModularSum,
  federatedSecureSum,
  federatedSum,
  float32,
  type LocalExecutorFactoryOptions,
  localExecutorFactory,
  masking,
  paillier,
  perturbations,
  type SecureAggregation,
  secAgg,
  secAggPlus,
  secureAggregation,
  tensorComputation,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { defineComputation } from '../../../computations/define.ts';
import { maskingProtocol } from '../../../executors/secure/masking.ts';
import { secAggProtocol } from '../../../executors/secure/secagg/secagg.ts';
import { failUnlessSmall, INT } from '../blocks.ts';
import {
  at,
  type Faults,
  hangs,
  ofKind,
  outOfBattery,
  refuseUnhandledRejections,
  stepsOf,
  train,
  withFaults,
} from '../placed/lost-clients.helpers.ts';
import { trackedBackend } from '../tracked-backend.ts';

refuseUnhandledRejections();

const secureTrained = federatedComputation([atClients(INT)], (x) =>
  federatedSecureSum(federatedMap(train, x), 1000),
);

/** Weak and small: what is tested here does not depend on the size. */
const weak = { securityBits: 4, correctnessBits: 4, corruptRate: 0, minimumClients: 1 } as const;
const sparse = () => secAggPlus({ ...weak, neighbours: 6, threshold: 4 });

/** A modulus that can be factored keeps the suite quick. */
const quick = { modulusBits: 512, allowInsecureModulus: true } as const;

const STACKS: readonly [string, () => SecureAggregation, LocalExecutorFactoryOptions][] = [
  ['secAgg', () => secAgg({ threshold: 5 }), {}],
  ['secAgg over a tree', () => secAgg({ threshold: 5 }), { maxFanout: 3 }],
  ['semi-honest secAgg', () => secAgg({ model: 'semi-honest', threshold: 5 }), {}],
  ['secAggPlus', sparse, {}],
  ['secAggPlus over a tree', sparse, { maxFanout: 3 }],
  ['paillier', () => paillier(quick), {}],
  ['paillier over a tree', () => paillier({ ...quick, keyHolder: 'key_holder' }), { maxFanout: 3 }],
];

function contextOf(
  faultsOf: (client: number) => Faults,
  aggregation: SecureAggregation,
  options: LocalExecutorFactoryOptions = {},
): ExecutionContext {
  const wrapLeaf = withFaults(faultsOf);
  const factory = localExecutorFactory({ secureAggregation: aggregation, wrapLeaf, ...options });
  return new ExecutionContext(factory);
}

const EIGHT = [1, 2, 4, 8, 16, 32, 64, 128];

describe.each(STACKS)('%s', (_name, create, shape) => {
  test('sums without clients that fail or hang, and names them', async () => {
    const faults = (client: number) => (client === 2 ? outOfBattery : client === 5 ? hangs : {});
    await using context = contextOf(faults, create(), { ...shape, clientTimeoutMs: 200 });
    const steps = await stepsOf(context, async () => {
      expect(await context.invoke(secureTrained, [EIGHT])).toBe(255 - 4 - 32 + 6);
    });
    const lost = [
      { client: 'clients/2', stage: 'federated_map', reason: 'failed' },
      { client: 'clients/5', stage: 'federated_map', reason: 'timeout' },
    ];
    expect(ofKind(steps, 'client-lost')).toMatchObject(lost);
    const [sum] = ofKind(steps, 'secure-sum');
    expect(sum?.lost).toEqual(lost);
    expect(sum?.clients).toEqual([0, 1, 3, 4, 6, 7].map((client) => `clients/${client}`));
    // Nothing of the protocol is asked of them.
    expect(ofKind(steps, 'protocol').every(({ total }) => total <= 6)).toBe(true);
  });

  test('aborts when too many are lost, with the first cause', async () => {
    const faults = at([1, 2, 3, 4, 5, 6, 7], outOfBattery);
    await using context = contextOf(faults, create(), shape);
    await expect(context.invoke(secureTrained, [EIGHT])).rejects.toMatchObject({
      name: 'ProtocolAbortError',
      code: 'protocol.too_few_clients',
      missing: [1, 2, 3, 4, 5, 6, 7].map((client) => `clients/${client}`),
      message: expect.stringContaining("clients/1 in 'federated_map' (out of battery)"),
      cause: { message: 'out of battery' },
    });
  });

  test('tells of a mistake of the program, which hits every client', async () => {
    const risky = defineComputation<readonly [typeof INT], typeof INT>(
      'risky',
      [INT],
      failUnlessSmall,
    );
    const program = federatedComputation([atClients(INT)], (x) =>
      federatedSecureSum(federatedMap(risky, x), 1000),
    );
    await using context = contextOf(() => ({}), create(), shape);
    await expect(context.invoke(program, [EIGHT.map(() => 999)])).rejects.toMatchObject({
      code: 'protocol.too_few_clients',
      cause: { code: 'execution.sum_overflow' },
    });
  });

  test('fails what would show the value of a lost client, unless that is to be dropped', async () => {
    const both = federatedComputation([atClients(INT)], (x) => {
      const trained = federatedMap(train, x);
      return [federatedSecureSum(trained, 1000), federatedSum(trained)];
    });
    const open = create().with({ allowPlain: ['federated_sum'] });
    await using context = contextOf(at([3], outOfBattery), open, shape);
    await expect(context.invoke(both, [EIGHT])).rejects.toMatchObject({
      code: 'execution.client_failed',
      message: '[execution.client_failed] Client 3 failed in federated_map: out of battery',
    });
    const options = { ...shape, lostClients: 'drop' } as const;
    await using dropping = contextOf(at([3], outOfBattery), open, options);
    expect(await dropping.invoke(both, [EIGHT])).toEqual([254, 254]);
    await using strict = contextOf(at([3], outOfBattery), create(), {
      ...shape,
      lostClients: 'fail',
    });
    await expect(strict.invoke(secureTrained, [EIGHT])).rejects.toMatchObject({
      code: 'execution.client_failed',
    });
  });

  test('leaves nothing behind', async () => {
    const backend = await trackedBackend();
    const faults = (client: number) => (client === 0 ? outOfBattery : client === 6 ? hangs : {});
    const options = { ...shape, backend, clientTimeoutMs: 100 };
    await using context = contextOf(faults, create(), options);
    expect(await context.invoke(secureTrained, [EIGHT])).toBe(255 - 1 - 64 + 6);
    expect(backend.live()).toBe(0);
  });
});

test('any clients may be lost: the sum is of the others, or aborts', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(8), { maxLength: 7 }),
      fc.constantFrom<(keyof Faults)[]>(['work'], ['receive'], ['receive', 'work']),
      fc.constantFrom(undefined, 2, 3, 4),
      async (lost, kinds, maxFanout) => {
        const fault = (client: number): Faults => {
          const kind = kinds[client % kinds.length] as keyof Faults;
          // Data of its own, and not what the protocol sends.
          const fail = (type: unknown): void => {
            if (kind === 'work' || String(type) === 'int32') throw new Error('gone');
          };
          return { [kind]: fail };
        };
        const gone = new Set(lost);
        const faults = (client: number) => (gone.has(client) ? fault(client) : {});
        const shape = maxFanout === undefined ? {} : { maxFanout };
        await using context = contextOf(faults, secAgg({ threshold: 6 }), shape);
        const values = [3, 1, 4, 1, 5, 9, 2, 6, 5];
        const left = values.filter((_, client) => !gone.has(client));
        const attempt = () => context.invoke(secureTrained, [values]);
        if (left.length < 6) {
          await expect(attempt()).rejects.toMatchObject({
            code: 'protocol.too_few_clients',
            cause: { message: 'gone' },
          });
          return;
        }
        const steps = await stepsOf(context, async () => {
          expect(await attempt()).toBe(left.reduce((a, b) => a + b + 1, 0));
        });
        const named = ofKind(steps, 'secure-sum').flatMap((step) => step.lost);
        expect(named.map(({ client }) => client).sort()).toEqual(
          lost.map((client) => `clients/${client}`).sort(),
        );
      },
    ),
    { numRuns: 25 },
  );
});

describe('protocols that need everyone', () => {
  const needy = [
    ['masking', () => masking()],
    ['perturbations', () => perturbations()],
  ] as const;

  test.each(needy)('%s: the client fails the computation', async (_name, create) => {
    await using context = contextOf(at([1], outOfBattery), create());
    await expect(context.invoke(secureTrained, [EIGHT])).rejects.toMatchObject({
      name: 'ExecutionError',
      code: 'execution.client_failed',
      message: expect.stringContaining('Client 1 failed in federated_map: out of battery'),
    });
  });

  test.each(needy)('%s: or the sum, where clients may be lost', async (_name, create) => {
    const options = { lostClients: 'drop' } as const;
    await using context = contextOf(at([1], outOfBattery), create(), options);
    await expect(context.invoke(secureTrained, [EIGHT])).rejects.toMatchObject({
      name: 'ProtocolAbortError',
      code: 'protocol.client_lost',
      stage: 'federated_map',
      offender: 'clients/1',
      message: expect.stringContaining('out of battery'),
    });
  });

  test('decide for the stack that they are a part of', async () => {
    const mixed = secureAggregation({
      federated_secure_sum: secAggProtocol(),
      federated_secure_modular_sum: maskingProtocol(),
    });
    expect(secAgg().secureStack().survivesLosses).toBe(true);
    expect(mixed.secureStack().survivesLosses).toBe(false);
    await using context = contextOf(at([1], outOfBattery), mixed);
    await expect(context.invoke(secureTrained, [EIGHT])).rejects.toMatchObject({
      code: 'execution.client_failed',
    });
  });
});

describe('several values of a client', () => {
  test('are lost one by one', async () => {
    let calls = 0;
    const secondTime: Faults = {
      work: () => {
        calls++;
        if (calls === 2) throw new Error('out of memory');
      },
    };
    const two = federatedComputation([atClients(INT), atClients(INT)], (x, y) => [
      federatedSecureSum(federatedMap(train, x), 1000),
      federatedSecureModularSum(federatedMap(train, y), 1000),
    ]);
    await using context = contextOf(at([0], secondTime), secAgg());
    const steps = await stepsOf(context, async () => {
      expect(await context.invoke(two, [EIGHT, EIGHT])).toEqual([263, 263 - 2]);
    });
    expect(ofKind(steps, 'secure-sum').map(({ lost }) => lost.length)).toEqual([0, 1]);
  });
});

describe('sums and means of floats', () => {
  const shift = tensorComputation([float32()], (x) => tf.add(x, 1));
  const mean = federatedComputation([atClients(float32())], (x) =>
    federatedMean(federatedMap(shift, x)),
  );
  const weighted = federatedComputation([atClients(float32()), atClients(float32())], (x, weight) =>
    federatedMean(x, { weight: federatedMap(shift, weight) }),
  );
  const quantization = { clippingRange: 128, quantizationRange: 2 ** 20, maxWeight: 10 };
  const values = [1, 2, 3, 4, 5, 100, 100, 3];

  test.each([
    ['flat', {}],
    ['a tree', { maxFanout: 2 }],
  ])('leave out clients without a value, or without a weight (%s)', async (_shape, shape) => {
    const aggregation = secAgg({ threshold: 6 }).with({ quantization });
    await using context = contextOf(at([5, 6], outOfBattery), aggregation, shape);
    const steps = await stepsOf(context, async () => {
      expect(await context.invoke(mean, [values])).toBeCloseTo(4, 2);
      const weights = [1, 1, 1, 1, 1, 1, 1, 3];
      // Weights of two, and one of four for the last.
      const expected = ((1 + 2 + 3 + 4 + 5) * 2 + 3 * 4) / 14;
      expect(await context.invoke(weighted, [values, weights])).toBeCloseTo(expected, 2);
    });
    const sums = ofKind(steps, 'secure-sum');
    expect(sums).toHaveLength(2);
    for (const { lost } of sums) {
      expect(lost).toEqual(
        [5, 6].map((client) => ({
          client: `clients/${client}`,
          stage: 'federated_map',
          reason: 'failed',
        })),
      );
    }
    const quantising = ofKind(steps, 'protocol').filter(({ stage }) => stage === 'quantize');
    expect(quantising.map(({ total }) => total)).toEqual(quantising.map(() => 6));
  });

  test('name the clients that are missing where everyone is needed', async () => {
    const aggregation = masking().with({ quantization });
    const options = { lostClients: 'survive' } as const;
    await using context = contextOf(at([5], outOfBattery), aggregation, options);
    await expect(context.invoke(mean, [values])).rejects.toMatchObject({
      code: 'protocol.client_lost',
      offender: 'clients/5',
    });
  });
});

test('a call that is cancelled while a client hangs is cancelled', async () => {
  await using context = contextOf(at([2], hangs), secAgg());
  const controller = new AbortController();
  const steps = await stepsOf(context, async () => {
    const attempt = context.invoke(secureTrained, [EIGHT], { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(attempt).rejects.toMatchObject({ code: 'context.cancelled' });
  });
  expect(ofKind(steps, 'client-lost')).toEqual([]);
});
