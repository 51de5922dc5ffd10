/**
 * @file Sums and means of floats in a stack: what leaves the clients, what is left behind, protocols
 * that lie about their sum, and what a stack says of its options.
 */

import {
  atClients,
  type ClippedCount,
  ExecutionContext,
  type Executor,
  type ExecutorValue,
  federatedComputation,
  federatedMean,
  federatedSum,
  float32,
  int32,
  type LocalExecutorFactoryOptions,
  localExecutorFactory,
  masking,
  maskingProtocol,
  type QuantizedAggregationOptions,
  type SecureAggregation,
  type SecureSum,
  type SecureSumTask,
  secureAggregation,
  struct,
  TensorValue,
  withContext,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { intrinsic } from '../../../computations/building-blocks.ts';
import { atServer, func } from '../../../computations/types/index.ts';
import { SpyExecutor } from '../spy.helpers.ts';
import { type Meddling, MeddlingExecutor } from './meddling.ts';
import { failureOf, printed } from './parties.ts';
import { mean, open, quantizing, ROWS, sum, weightedMean, withStack } from './quantizing.ts';

describe('a sum of floats', () => {
  test('is one vector that the weight leads, in the smallest ring', async () => {
    const tasks: SecureSumTask[] = [];
    const Model = struct({ kernel: float32(2, 2), bias: float32() });
    const average = federatedComputation([atClients(Model), atClients(float32())], (x, weight) =>
      federatedMean(x, { weight }),
    );
    const model = {
      kernel: [
        [1, 2],
        [3, 4],
      ],
      bias: 5,
    };
    const watching = open((task) => tasks.push(task));
    const counts: ClippedCount[] = [];
    const options = { clippingRange: 4, onClipped: (count: ClippedCount) => counts.push(count) };
    await withStack(quantizing(watching, options), () => average([model, model], [1, 2]));
    const term = { kind: 'sum', dtype: 'int32' };
    expect(tasks[0]?.terms).toEqual([
      { ...term, length: 6, bound: 2n ** 22n - 1n },
      { ...term, length: 1, bound: 5n },
    ]);
    expect(counts).toEqual([{ uri: 'federated_weighted_mean', clipped: 2, values: 10 }]);
    await withStack(quantizing(watching), () => sum(ROWS));
    expect(tasks[1]?.terms).toEqual([{ ...term, length: 2, bound: 2n ** 22n - 1n }]);
  });

  test('that could overflow is refused before anything is sent', async () => {
    const calls: string[] = [];
    const secure = masking().with({
      quantization: { quantizationRange: 256, modulusRange: 2 ** 9 },
    });
    const error = await failureOf(
      withStack(secure, () => mean(ROWS), {
        wrapLeaf: (leaf) =>
          new MeddlingExecutor(leaf, {
            call: (uri, go) => {
              calls.push(uri);
              return go();
            },
          }),
      }),
    );
    expect(error).toMatchObject({
      code: 'protocol.bad_parameters',
      reason: 'modulus-too-small',
      stage: 'quantize',
    });
    expect(calls).toEqual([]);
  });

  test('lets nothing but bytes out of the clients', async () => {
    const left: string[] = [];
    const secure = masking().with({ quantization: { onClipped: () => {} } });
    await withStack(secure, () => weightedMean(ROWS, [1, 2, 3]), {
      wrapLeaf: (leaf, placement) =>
        placement !== 'clients'
          ? leaf
          : new SpyExecutor(leaf, async (value) => {
              left.push((value as TensorValue).dtype);
              return value;
            }),
    });
    expect(new Set(left)).toEqual(new Set(['uint8']));
  });

  test('leaves nothing behind, whether it is made or not', async () => {
    const handles = new Set<ExecutorValue>();
    const secure = masking().with({ quantization: {} });
    const options: LocalExecutorFactoryOptions = {
      wrapLeaf: (leaf) => new MeddlingExecutor(leaf, { handles }),
    };
    await using context = new ExecutionContext(
      localExecutorFactory({ secureAggregation: secure, ...options }),
    );
    await withContext(context, () => weightedMean(ROWS, [1, 2, 3]));
    expect(handles.size).toBe(0);
    await failureOf(
      withContext(context, () =>
        mean([
          [1, 2],
          [Number.NaN, 1],
        ]),
      ),
    );
    expect(handles.size).toBe(0);
    await failureOf(withContext(context, () => mean([[1, 2]])));
    expect(handles.size).toBe(0);
  });

  test('hides nobody in a cohort of one', async () => {
    const secure = masking().with({ quantization: {} });
    expect(await failureOf(withStack(secure, () => mean([[1, 2]])))).toMatchObject({
      code: 'protocol.too_few_clients',
    });
  });

  test('stops with its signal', async () => {
    const controller = new AbortController();
    const meddling: Meddling = {
      call: (uri, go) => {
        if (uri !== 'secure_quantize') return go();
        controller.abort(new Error('enough'));
        return new Promise(() => {});
      },
    };
    await using context = new ExecutionContext(
      localExecutorFactory({
        secureAggregation: masking().with({ quantization: {} }),
        wrapLeaf: (leaf, placement) =>
          placement === 'clients' ? new MeddlingExecutor(leaf, meddling) : leaf,
      }),
    );
    const { signal } = controller;
    const error = await failureOf(context.invoke(mean, [ROWS], { signal }));
    expect(error).toMatchObject({ code: 'context.cancelled' });
    expect(printed(error)).toContain('enough');
  });

  test.each<[string, LocalExecutorFactoryOptions]>([
    ['over a tree of clients', { maxFanout: 2 }],
    ['on worker threads', { threads: 2 }],
    ['with kept results', { caching: {} }],
    ['with spans', { tracing: true }],
  ])('works %s', async (_what, options) => {
    const secure = masking().with({ quantization: {} });
    const result = await withStack(secure, () => weightedMean(ROWS, [250, 500, 250]), options);
    expect(result.toArray()).toEqual([expect.closeTo(3, 4), expect.closeTo(4, 4)]);
  });
});

describe('a protocol that lies', () => {
  test.each<[string, (made: SecureSum) => SecureSum, RegExp]>([
    ['of nobody', (made) => ({ ...made, clients: [] }), /a sum of 0 clients/],
    ['of strangers', (made) => ({ ...made, clients: ['clients/0', 'sybil'] }), /sybil/],
    ['of one twice', (made) => ({ ...made, clients: ['clients/0', 'clients/0'] }), /not some of/],
    ['of nothing', (made) => ({ ...made, sums: [] }), /asked for 2/],
    ['of too much', (made) => ({ ...made, sums: [...made.sums, [1]] }), /vectors of 2, 1 sums/],
    ['of another length', (made) => ({ ...made, sums: [[1]] }), /vectors of 1 sums/],
    ['beyond what clients may send', (made) => ({ ...made, sums: [[1, 2 ** 24]] }), /position 1/],
    ['below zero', (made) => ({ ...made, sums: [[-1, 0]] }), /position 0/],
  ])('about its sum (%s) gets no result', async (_what, change, message) => {
    const lying = quantizing(open(undefined, change));
    expect((await failureOf(withStack(lying, () => mean(ROWS)))).message).toMatch(message);
  });

  test('about who had no value gets none either', async () => {
    const all = ROWS.map((_, i) => `clients/${i}`);
    const lying = quantizing(open(undefined, (made) => ({ ...made, clients: all })));
    const error = await failureOf(
      withStack(lying, () => mean([...ROWS.slice(1), [Number.NaN, 0]])),
    );
    expect(error.message).toMatch(/the 2 that had a value/);
  });

  test('about clipped values gets none', async () => {
    const change = (made: SecureSum) => ({ ...made, sums: [made.sums[0] ?? [], [7]] });
    const lying = quantizing(open(undefined, change), { onClipped: () => {} });
    expect(await failureOf(withStack(lying, () => mean(ROWS)))).toMatchObject({
      reason: 'sum-out-of-range',
    });
  });
});

describe('options', () => {
  test.each<[string, QuantizedAggregationOptions]>([
    ['no clipping range', { clippingRange: 0 }],
    ['one level', { quantizationRange: 1 }],
    ['a modulus that is none', { modulusRange: 100 }],
    ['a weight of none', { maxWeight: Number.NaN }],
    ['an unknown way with clipped values', { onClip: 'drop' as 'clip' }],
  ])('without sense are refused when the stack is described: %s', (_what, options) => {
    for (const create of [
      () => masking().with({ quantization: options }),
      () => secureAggregation(maskingProtocol(), { quantization: options }),
    ]) {
      expect(create).toThrow(
        expect.objectContaining({ name: 'ValueError', code: 'value.out_of_range' }),
      );
    }
  });

  test('need a protocol for the sums', () => {
    expect(() =>
      secureAggregation({ federated_secure_modular_sum: maskingProtocol() }, { quantization: {} }),
    ).toThrow(
      expect.objectContaining({
        code: 'aggregation.no_secure_protocol',
        message: expect.stringContaining('federated_secure_modular_sum'),
      }),
    );
  });

  test('say which aggregations the stack makes itself', () => {
    const handlesOf = (secure: SecureAggregation) => [...secure.secureStack().handles];
    expect(handlesOf(masking())).toEqual([]);
    const quantized = masking().with({ quantization: {} });
    expect(handlesOf(quantized)).toEqual([
      'federated_sum',
      'federated_mean',
      'federated_mean_or_zero',
      'federated_weighted_mean',
      'federated_weighted_mean_or_zero',
    ]);
    expect(handlesOf(quantized.with({ allowPlain: ['federated_sum'] }))).not.toContain(
      'federated_sum',
    );
    expect(handlesOf(quantized.with({ quantization: undefined }))).toEqual([]);
  });

  test('that allow an aggregation in the clear have it so, and the others securely', async () => {
    const ints = federatedComputation([atClients(int32())], (x) => federatedSum(x));
    const secure = masking().with({ quantization: {}, allowPlain: ['federated_sum'] });
    expect(await withStack(secure, () => ints([1, 2]))).toBe(3);
    // Exactly, as nothing was rounded.
    expect((await withStack(secure, () => sum(ROWS))).toArray()).toEqual([9, 12]);
    expect((await withStack(secure, () => mean(ROWS))).toArray()).toEqual([
      expect.closeTo(3, 4),
      expect.closeTo(4, 4),
    ]);
  });

  test('are what a stack without them advises', async () => {
    for (const program of [
      () => mean(ROWS),
      () => sum(ROWS),
      () => weightedMean(ROWS, [1, 2, 3]),
    ]) {
      const error = await failureOf(withStack(masking(), program));
      expect(error).toMatchObject({
        code: 'aggregation.plain_blocked',
        message: expect.stringContaining('secureAggregation(protocol, { quantization: {'),
      });
    }
  });
});

test('a handle of one stack serves no other, nor a struct', async () => {
  const stackOf = async (): Promise<Executor> => {
    let inner: Executor | undefined;
    const stack = masking().with({ quantization: {} }).secureStack();
    await localExecutorFactory({
      secureAggregation: {
        ...stack,
        wrap: (target) => {
          inner = stack.wrap(target);
          return inner;
        },
      },
    }).createExecutor({ clients: 2 });
    if (inner === undefined) throw new Error('no executor');
    return inner;
  };
  const [own, other] = await Promise.all([stackOf(), stackOf()]);
  const type = func(atClients(float32()), atServer(float32()));
  const fn = await own.createValue(intrinsic('federated_mean', type), type);
  const member = (x: number) => new TensorValue('float32', [], Float32Array.of(x));
  const value = await other.createValue(
    { kind: 'federated', members: [member(1), member(2)] },
    atClients(float32()),
  );
  expect(await failureOf(other.createCall(fn, value))).toMatchObject({
    code: 'context.unknown_value',
  });
  expect(await failureOf(own.createStruct([{ name: null, value: fn }]))).toMatchObject({
    message: expect.stringContaining('federated_mean can be called'),
  });
  const wrong = func(atClients(int32()), atServer(int32()));
  expect(await failureOf(own.createValue(intrinsic('federated_mean', wrong), wrong))).toMatchObject(
    { code: 'type.average_incompatible' },
  );
  await Promise.all([own.close(), other.close()]);
});
