/**
 * @file What SecAgg and SecAgg+ sum on a stack: structs, wide integers, residues, on threads too,
 * without clients that have no value; and what is refused before any client is asked.
 */

import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedMap,
  federatedSecureModularSum,
  federatedSecureSum,
  int32,
  int64,
  type LocalExecutorFactoryOptions,
  localExecutorFactory,
  type SecAggPlusOptions,
  type SecureAggregation,
  secAgg,
  secAggPlus,
  struct,
  uint8,
  withContext,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { at, outOfBattery, train, withFaults } from '../placed/lost-clients.helpers.ts';
import { MeddlingExecutor } from './meddling.ts';
import { failureOf, printed } from './parties.ts';
import { observed, SHAPES, summary, sumOn, sumWithout } from './secagg-stack.ts';

async function on<T>(
  secureAggregation: SecureAggregation,
  body: () => T,
  options: LocalExecutorFactoryOptions = {},
): Promise<Awaited<T>> {
  await using context = new ExecutionContext(
    localExecutorFactory({ secureAggregation, ...options }),
  );
  return await withContext(context, body);
}

const WEAK = { securityBits: 4, corruptRate: 0 } as const;

const PROTOCOLS: readonly (readonly [string, () => SecureAggregation])[] = [
  ['secAgg', () => secAgg()],
  ['secAgg, semi-honest', () => secAgg({ model: 'semi-honest' })],
  ['secAggPlus', () => secAggPlus({ ...WEAK, neighbours: 6 })],
  ['secAggPlus, semi-honest', () => secAggPlus({ ...WEAK, model: 'semi-honest', neighbours: 6 })],
];

const CLIENTS = 12;
const clients = Array.from({ length: CLIENTS }, (_, i) => i);

const Values = struct({ counts: int32(3), total: int64(), small: struct([uint8()]) });
const sumOfValues = federatedComputation([atClients(Values)], (x) =>
  federatedSecureSum(x, { counts: 1000, total: 2n ** 59n, small: [20] }),
);

async function expectExactStruct(
  secure: SecureAggregation,
  options: LocalExecutorFactoryOptions = {},
): Promise<void> {
  const values = clients.map((i) => ({
    counts: [i, 1000 - i, 7],
    total: 2n ** 59n - BigInt(i),
    small: [i],
  }));
  const result = await on(secure, () => sumOfValues(values as never), options);
  expect(String(result.counts)).toBe('[66, 11934, 84]');
  expect(result.total).toBe(12n * 2n ** 59n - 66n);
  expect(result.small).toEqual([66]);
}

describe.each(PROTOCOLS)('%s sums', (_name, create) => {
  test('structs of integers of any width', async () => {
    await expectExactStruct(create());
  });

  test('residues modulo any integer', async () => {
    for (const modulus of [2, 12, 2 ** 31 - 1]) {
      const modular = federatedComputation([atClients(int32(2))], (x) =>
        federatedSecureModularSum(x, modulus),
      );
      const residues = clients.map((i) => [(i * 5) % modulus, modulus - 1]);
      const result = await on(create(), () => modular(residues));
      const total = residues.reduce((sum, [first]) => sum + first!, 0);
      expect(result.toArray()).toEqual([total % modulus, (CLIENTS * (modulus - 1)) % modulus]);
    }
  });

  test('what is left where a client has no value', async () => {
    const trained = federatedComputation([atClients(int32())], (x) =>
      federatedSecureSum(federatedMap(train, x), 10_000),
    );
    const sumOf = (...lost: number[]) =>
      on(create(), () => trained(clients), {
        wrapLeaf: withFaults(at(lost, outOfBattery)),
      });
    const [everyone, without, alone] = [await sumOf(), await sumOf(3), await sumOf(3, 4)];
    // Each of them trained what it had: its number and the same constant.
    expect(everyone - without).toBe(without - alone - 1);
  });
});

test('clients on threads sum as those of one do', async () => {
  await expectExactStruct(secAggPlus({ ...WEAK, neighbours: 6 }), { threads: 2 });
});

describe('a client whose value is beyond its bounds', () => {
  test.each([-1, 10_001])('(%d) refuses, and the sum goes on without it', async (value) => {
    const stack = await observed(SHAPES.complete);
    expect(await sumOn(stack, {}, [1, 2, value, 4, 5])).toBe(12);
    expect(summary(stack).lost).toEqual([
      { client: 'clients/2', stage: 'mask-vectors', reason: 'refused' },
    ]);
    expect(JSON.stringify(stack.progress)).not.toContain('10001');
    expect(stack.handles.size).toBe(0);
    await stack.stack.close();
  });

  test('is not shown where the sum stops for it', async () => {
    const stack = await observed(SHAPES.complete);
    const error = await failureOf(sumOn(stack, {}, [77_777, 88_888, 3, 4, 5]));
    expect(error).toMatchObject({
      code: 'protocol.too_few_clients',
      stage: 'mask-vectors',
      missing: ['clients/0', 'clients/1'],
    });
    expect(printed(error)).not.toMatch(/77777|88888/);
    await stack.stack.close();
  });
});

describe('parameters without security', () => {
  const sum = federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, 100));

  test.each<[string, SecAggPlusOptions, string, RegExp]>([
    ['a low threshold', { threshold: 2 }, 'insecure-parameters', /threshold of at least \d+/],
    ['a low proportion', { threshold: 0.2 }, 'insecure-parameters', /threshold of at least \d+/],
    ['few neighbours', { neighbours: 2 }, 'infeasible-parameters', /neighbours/],
    ['everyone corrupt', { corruptRate: 0.9 }, 'infeasible-parameters', /corrupt/],
  ])(
    '(%s) are refused before any client is asked, with what would do',
    async (_what, options, reason, remedy) => {
      const asked: string[] = [];
      const attempt = on(secAggPlus(options), () => sum(clients), {
        wrapLeaf: (leaf) =>
          new MeddlingExecutor(leaf, {
            call: (uri, go) => {
              asked.push(uri);
              return go();
            },
          }),
      });
      const error = await failureOf(attempt);
      expect(error).toMatchObject({
        name: 'ProtocolAbortError',
        code: 'protocol.bad_parameters',
        stage: 'parameters',
        reason,
      });
      expect(error.message).toMatch(remedy);
      expect(asked).toEqual([]);
    },
  );

  test.each<[string, SecAggPlusOptions]>([
    ['a threshold of nobody', { threshold: 0 }],
    ['a threshold that is no number', { threshold: Number.NaN }],
    ['a threshold below nobody', { threshold: -1 }],
    ['one and a half clients', { threshold: 1.5 }],
    ['no time', { timeoutMs: 0 }],
    ['no clients', { minimumClients: 0 }],
    ['no rounds', { mostRounds: 0 }],
  ])('or sense (%s) are refused where the stack is described', (_what, options) => {
    expect(() => secAggPlus(options)).toThrow(/value.out_of_range/);
  });

  test('are not what clients take part in, whatever the server found', async () => {
    // The clients ask for more than the server, which finds out from them.
    const stack = await observed({
      ...SHAPES.sparse,
      create: () => secAggPlus({ ...WEAK, neighbours: 6, threshold: 4, minimumClients: 12 }),
    });
    const error = await failureOf(sumOn(stack));
    expect(error).toMatchObject({ code: 'protocol.too_few_clients', stage: 'advertise' });
    expect(error).toMatchObject({ cause: { reason: 'insecure-parameters' } });
    await stack.stack.close();
  });
});

describe('clients that limit their rounds (D25)', () => {
  test('refuse the next, each by its own count', async () => {
    let asked = 0;
    const stack = await observed(
      SHAPES.complete,
      (party) =>
        party !== 'clients/4'
          ? {}
          : {
              call: async (uri, go) => {
                // It misses the first sum, and so has one left when the others have none.
                if (uri === 'secagg_advertise') asked += 1;
                if (uri === 'secagg_advertise' && asked === 1) throw new Error('asleep');
                return go();
              },
            },
      { mostRounds: 2 },
    );
    expect(await sumOn(stack)).toBe(sumWithout(5, 4));
    expect(await sumOn(stack)).toBe(sumWithout(5));
    const error = await failureOf(sumOn(stack));
    expect(error).toMatchObject({
      code: 'protocol.too_few_clients',
      stage: 'advertise',
      missing: ['clients/0', 'clients/1', 'clients/2', 'clients/3'],
      cause: { reason: 'too-many-rounds' },
    });
    await stack.stack.close();
  });
});
