/**
 * @file What every secure aggregation must do, whatever it is made of. A protocol runs this suite by
 * one line; see secure-protocol.test.ts.
 */

import fc from 'fast-check';
import {
  atClients,
  ExecutionContext,
  ExecutionError,
  federatedComputation,
  federatedMean,
  federatedSecureModularSum,
  federatedSecureSum,
  federatedSecureSumBitwidth,
  federatedSum,
  float32,
  int32,
  int64,
  localExecutorFactory,
  type SecureAggregation,
  struct,
  uint8,
  withContext,
} from 'fedloom';
import { afterAll, describe, expect, test } from 'vitest';
import { remoteLeaves } from '../executors/remote/remote-leaves.helpers.ts';

export interface SecureProtocolSuiteOptions {
  /** How many random cases each property gets. */
  readonly runs?: number;
  /** Runs clients and roles on so many worker threads. */
  readonly threads?: number;
  /** The protocol goes on without a client that is lost, or refuses its own value. */
  readonly dropouts?: boolean;
  /** All parties are reached as bytes, as if they were in other processes. */
  readonly remote?: boolean;
}

/**
 * @param create the aggregation with clients that accept any cohort, one of themselves alone included.
 */
export function describeSecureProtocol(
  name: string,
  create: () => SecureAggregation,
  { runs = 8, threads, dropouts = false, remote = false }: SecureProtocolSuiteOptions = {},
): void {
  describe(`secure aggregation: ${name}`, () => {
    const aggregation = create();
    const context = new ExecutionContext(
      localExecutorFactory({
        secureAggregation: aggregation,
        maxExecutors: 60,
        ...(remote && { leaf: remoteLeaves(aggregation) }),
        ...(threads !== undefined && { threads }),
      }),
    );
    const plain = new ExecutionContext(localExecutorFactory({ maxExecutors: 60 }));
    afterAll(() => Promise.all([context.close(), plain.close()]));
    const run = <T>(body: () => T): T => withContext(context, body);

    test("runs the seed's program", async () => {
      const secureAddition = federatedComputation([atClients(int32(2))], (x) =>
        federatedSecureSumBitwidth(x, 32),
      );
      const sum = await run(() =>
        secureAddition([
          [0, 1],
          [1, 2],
          [2, 3],
          [3, 4],
          [4, 5],
        ]),
      );
      expect(sum.toArray()).toEqual([10, 15]);
      expect(String(sum)).toBe('[10, 15]');
    });

    test('gives the integers of the plain sum, bit for bit', async () => {
      const types = [int32(), int32(3), int64(2, 2), uint8(4), int64()] as const;
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...types),
          fc.integer({ min: 1, max: 50 }),
          fc.gen(),
          async (type, clients, gen) => {
            const size = (type.shape as readonly number[]).reduce((n, d) => n * d, 1);
            const most =
              (type.dtype === 'uint8'
                ? 255n
                : type.dtype === 'int32'
                  ? 2n ** 31n - 1n
                  : 2n ** 62n - 1n) / BigInt(clients);
            const element = (): bigint =>
              gen(fc.boolean) ? gen(fc.bigInt, 0n, most) : gen(fc.boolean) ? most : 0n;
            const data = Array.from({ length: clients }, () => {
              const elements = Array.from({ length: size }, element);
              return typedTensor(type, elements);
            });
            const secure = federatedComputation([atClients(type)], (x) =>
              federatedSecureSum(x, most),
            );
            const sum = federatedComputation([atClients(type)], (x) => federatedSum(x));
            const [secret, open] = await Promise.all([
              run(() => secure(data as never)),
              withContext(plain, () => sum(data as never)),
            ]);
            expect(secret).toEqual(open);
          },
        ),
        { numRuns: runs },
      );
    });

    test('sums structs with a bound for each leaf', async () => {
      const type = struct({ counts: int32(3), total: int64(), inner: struct([uint8()]) });
      const sums = federatedComputation([atClients(type)], (x) =>
        federatedSecureSum(x, { counts: 9, total: 2n ** 60n, inner: [3] }),
      );
      const result = await run(() =>
        sums([
          { counts: [1, 2, 3], total: 2n ** 60n, inner: [3] },
          { counts: [9, 0, 1], total: 5n, inner: [0] },
        ]),
      );
      expect(result.counts.toArray()).toEqual([10, 2, 4]);
      expect(result.total).toBe(2n ** 60n + 5n);
      expect(result.inner).toEqual([3]);
    });

    test('takes the extremes, zero elements and a maximum of zero', async () => {
      const edge = federatedComputation([atClients(int64(2))], (x) =>
        federatedSecureSumBitwidth(x, 62),
      );
      const top = 2n ** 62n - 1n;
      expect(
        (
          await run(() =>
            edge([
              [top, 0n],
              [top, 0n],
            ]),
          )
        ).toArray(),
      ).toEqual([2n * top, 0n]);
      const none = federatedComputation([atClients(int32(0))], (x) => federatedSecureSum(x, 5));
      expect((await run(() => none([[], []]))).toArray()).toEqual([]);
      const zero = federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, 0));
      expect(await run(() => zero([0, 0, 0]))).toBe(0);
    });

    test('sums modulo any modulus, of any integers', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.bigInt(2n, 2n ** 63n - 1n),
          fc.array(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), { minLength: 1, maxLength: 6 }),
          async (modulus, values) => {
            const sum = federatedComputation([atClients(int64())], (x) =>
              federatedSecureModularSum(x, modulus),
            );
            const total = values.reduce((a, b) => a + b, 0n) % modulus;
            expect(await run(() => sum(values))).toBe(total < 0n ? total + modulus : total);
          },
        ),
        { numRuns: runs },
      );
    });

    test.skipIf(dropouts).each([
      ['a negative value', [[1, -1]]],
      ['a value over the maximum', [[1, 11]]],
    ])('%s fails at its client, without being shown', async (_what, bad) => {
      const sum = federatedComputation([atClients(int32(2))], (x) => federatedSecureSum(x, 10));
      const error = await run(() => sum([[1, 2], ...bad, [3, 4]])).then(
        () => null,
        (caught: unknown) => caught,
      );
      expect(error).toBeInstanceOf(ExecutionError);
      expect(error).toMatchObject({
        code: 'execution.client_failed',
        message: expect.stringContaining('clients/1'),
        cause: {
          code: 'execution.secure_sum_range',
          message: expect.stringContaining('position 1'),
        },
      });
      expect(String(error)).not.toMatch(/-1\b|\b11\b/);
      expect(
        (
          await run(() =>
            sum([
              [1, 2],
              [3, 4],
            ]),
          )
        ).toArray(),
      ).toEqual([4, 6]);
    });

    test.runIf(dropouts).each([
      ['a negative value', [[1, -1]]],
      ['a value over the maximum', [[1, 11]]],
    ])('%s costs its client its place in the sum, and is not shown', async (_what, bad) => {
      const sum = federatedComputation([atClients(int32(2))], (x) => federatedSecureSum(x, 10));
      const good = [
        [1, 2],
        [3, 4],
        [5, 6],
      ];
      const steps: unknown[] = [];
      const stop = context.on('progress', (event) => {
        if (event.stage === 'run') steps.push(event.step);
      });
      const result = await run(() => sum([[1, 2], ...bad, ...good]));
      stop();
      expect(result.toArray()).toEqual([10, 14]);
      expect(steps).toContainEqual(
        expect.objectContaining({
          kind: 'secure-sum',
          clients: ['clients/0', 'clients/2', 'clients/3', 'clients/4'],
          lost: [expect.objectContaining({ client: 'clients/1', reason: 'refused' })],
        }),
      );
    });

    test('a sum that does not fit its dtype is an error, never a wrap', async () => {
      const sum = federatedComputation([atClients(int32())], (x) =>
        federatedSecureSumBitwidth(x, 31),
      );
      const most = 2 ** 31 - 1;
      await expect(run(() => sum([most, 1]))).rejects.toMatchObject({
        code: 'execution.sum_overflow',
      });
      expect(await run(() => sum([most, 0]))).toBe(most);
      const large = federatedComputation([atClients(int64())], (x) =>
        federatedSecureSum(x, 2n ** 63n - 1n),
      );
      const top = 2n ** 63n - 1n;
      await expect(run(() => large([top, top, top]))).rejects.toMatchObject({
        code: 'execution.sum_overflow',
      });
      expect(await run(() => large([top, 0n]))).toBe(top);
    });

    test('many sums at once do not get in each other’s way', async () => {
      const sum = federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, 1000));
      const sums = await Promise.all(
        Array.from({ length: 8 }, (_, k) => run(() => sum([k, 10 * k, 100 * k]))),
      );
      expect(sums).toEqual(Array.from({ length: 8 }, (_, k) => 111 * k));
    });

    test('several sums of one computation', async () => {
      const both = federatedComputation([atClients(int32()), atClients(int64())], (a, b) => [
        federatedSecureSum(a, 100),
        federatedSecureSumBitwidth(b, 40),
        federatedSecureModularSum(a, 7),
      ]);
      expect(await run(() => both([50, 60], [2n ** 40n - 1n, 1n]))).toEqual([
        110,
        2n ** 40n,
        110 % 7,
      ]);
    });

    test('refuses to aggregate in the clear', async () => {
      const sum = federatedComputation([atClients(int32())], (x) => federatedSum(x));
      const mean = federatedComputation([atClients(float32())], (x) => federatedMean(x));
      await expect(run(() => sum([1, 2]))).rejects.toMatchObject({
        code: 'aggregation.plain_blocked',
        message: expect.stringContaining('federated_sum'),
      });
      await expect(run(() => mean([1, 2]))).rejects.toMatchObject({
        code: 'aggregation.plain_blocked',
        message: expect.stringContaining('federated_mean'),
      });
      await using allowing = new ExecutionContext(
        localExecutorFactory({
          secureAggregation: create().with({ allowPlain: ['federated_sum'] }),
        }),
      );
      expect(await withContext(allowing, () => sum([1, 2]))).toBe(3);
      await expect(withContext(allowing, () => mean([1, 2]))).rejects.toMatchObject({
        code: 'aggregation.plain_blocked',
      });
    });
  });
}

function typedTensor(
  type: { readonly dtype: string; readonly shape: unknown },
  elements: readonly bigint[],
): unknown {
  const shape = type.shape as readonly number[];
  const scalar = (value: bigint): unknown => (type.dtype === 'int64' ? value : Number(value));
  if (shape.length === 0) return scalar(elements[0] ?? 0n);
  if (shape.length === 1) return elements.map(scalar);
  const [rows = 0, columns = 0] = shape;
  return Array.from({ length: rows }, (_, r) =>
    elements.slice(r * columns, (r + 1) * columns).map(scalar),
  );
}
