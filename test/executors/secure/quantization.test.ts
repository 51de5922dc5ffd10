/**
 * @file Floats on their way into a secure sum: what a client refuses (attacks 15 to 17), clients that
 * are lost before the protocol begins, protocols that lie, and what a stack says of its options.
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
  isLostInput,
  type LocalExecutorFactoryOptions,
  type LostInput,
  localExecutorFactory,
  type MaterializedValue,
  masking,
  maskingProtocol,
  type ProtocolParties,
  type QuantizedAggregationOptions,
  type SecureAggregation,
  type SecureAggregationProtocol,
  type SecureSum,
  type SecureSumTask,
  secureAggregation,
  struct,
  structOf,
  TensorValue,
  type Type,
  withContext,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { intrinsic } from '../../../computations/building-blocks.ts';
import { atServer, func } from '../../../computations/types/index.ts';
import {
  type QuantizationSetup,
  quantizationSetupCodec,
} from '../../../executors/secure/quantization/setup.ts';
import { SpyExecutor } from '../spy.helpers.ts';
import { type Meddling, MeddlingExecutor } from './meddling.ts';
import { failureOf, partyOf, printed } from './parties.ts';

const Pair = float32(2);
const mean = federatedComputation([atClients(Pair)], (x) => federatedMean(x));
const sum = federatedComputation([atClients(Pair)], (x) => federatedSum(x));
const weightedMean = federatedComputation([atClients(Pair), atClients(float32())], (x, weight) =>
  federatedMean(x, { weight }),
);
const ROWS = [
  [1, 2],
  [3, 4],
  [5, 6],
];

async function withStack<T>(
  secure: SecureAggregation,
  body: () => Promise<T>,
  options: LocalExecutorFactoryOptions = {},
): Promise<T> {
  await using context = new ExecutionContext(
    localExecutorFactory({ secureAggregation: secure, ...options }),
  );
  return await withContext(context, body);
}

/** A stack of which one client meddles. */
function withMeddler<T>(
  secure: SecureAggregation,
  who: string,
  meddling: Meddling,
  body: () => Promise<T>,
): Promise<T> {
  return withStack(secure, body, {
    wrapLeaf: (leaf, placement, index) =>
      `${placement}/${index}` === who ? new MeddlingExecutor(leaf, meddling) : leaf,
  });
}

describe('a client', () => {
  const parameters = {
    clippingRange: 8,
    quantizationRange: 2 ** 22,
    maxWeight: 1000,
    modulusRange: 2 ** 32,
  };
  const policy = { ...parameters } satisfies QuantizedAggregationOptions;
  const clientOf = (options: QuantizedAggregationOptions = policy) =>
    partyOf(masking().with({ quantization: options }), 'clients/0');
  const setupOf = (changes: Partial<QuantizationSetup> = {}) =>
    quantizationSetupCodec.encode({
      clients: 2,
      parameters,
      countsClipped: false,
      ...changes,
    });
  const INTS = int32(null);
  const floats = new TensorValue('float32', [2], Float32Array.of(8, -8));

  test('quantises for a server that keeps to its policy', async () => {
    const client = await clientOf();
    using value = await client.put(floats, Pair);
    using levels = await client.call('secure_quantize', [setupOf(), value], INTS);
    expect(await levels.compute()).toMatchObject({ data: Int32Array.of(2 ** 22 - 1, 0) });
    using weight = await client.put(
      new TensorValue('float32', [], Float32Array.of(500)),
      float32(),
    );
    using weighed = await client.call('secure_quantize_weighted', [setupOf(), value, weight], INTS);
    const { data } = (await weighed.compute()) as TensorValue<'int32'>;
    expect(data[0]).toBe(2_097_000);
    await client.executor.close();
  });

  test.each<[string, Partial<QuantizationSetup>, RegExp]>([
    [
      'another clipping range',
      { parameters: { ...parameters, clippingRange: 1e-6 } },
      /clippingRange of 0.000001, and this client with 8/,
    ],
    [
      'fewer levels',
      { parameters: { ...parameters, quantizationRange: 2 } },
      /quantizationRange of 2, and this client with 4194304/,
    ],
    [
      'another largest weight',
      { parameters: { ...parameters, maxWeight: 1 } },
      /maxWeight of 1, and this client with 1000/,
    ],
    [
      'another modulus',
      { parameters: { ...parameters, modulusRange: 2 ** 40 } },
      /modulusRange of 1099511627776/,
    ],
    [
      'modulus 2 and range 1, which no policy allows',
      {
        parameters: { clippingRange: 1e-9, quantizationRange: 1, maxWeight: 1000, modulusRange: 2 },
      },
      /clippingRange/,
    ],
    [
      'parameters that are no numbers',
      { parameters: { ...parameters, maxWeight: Number.NaN } },
      /NaN/,
    ],
    ['a wish to count clipped values', { countsClipped: true }, /counts clipped values/],
    ['a cohort whose sum overflows', { clients: 1025 }, /takes 33 bits/],
  ])('refuses %s', async (_what, changes, message) => {
    const client = await clientOf();
    using value = await client.put(floats, Pair);
    const error = await failureOf(client.call('secure_quantize', [setupOf(changes), value], INTS));
    expect(error).toMatchObject({
      name: 'ProtocolAbortError',
      code: 'protocol.bad_parameters',
      stage: 'quantize',
      message: expect.stringMatching(message),
    });
    await client.executor.close();
  });

  test('refuses bytes that are no set-up', async () => {
    const client = await clientOf();
    using value = await client.put(floats, Pair);
    const good = setupOf();
    const counted = good.slice();
    counted[9] = 2;
    for (const bytes of [
      new Uint8Array(0),
      good.slice(0, -1),
      Uint8Array.of(...good, 0),
      setupOf({ clients: 0 }),
      counted,
    ]) {
      expect(await failureOf(client.call('secure_quantize', [bytes, value], INTS))).toMatchObject({
        name: 'ProtocolAbortError',
        reason: 'malformed-message',
      });
    }
    await client.executor.close();
  });

  test('takes floats, and a number as their weight', async () => {
    const client = await clientOf();
    using value = await client.put(floats, Pair);
    using ints = await client.put(new TensorValue('int32', [1], Int32Array.of(3)), int32(1));
    using text = await client.put(new TensorValue('bool', [], Uint8Array.of(1)), boolType);
    expect(
      (await failureOf(client.call('secure_quantize', [setupOf(), ints], INTS))).message,
    ).toMatch(/float32; got int32/);
    for (const weight of [ints, value]) {
      const call = client.call('secure_quantize_weighted', [setupOf(), value, weight], INTS);
      expect((await failureOf(call)).message).toMatch(/weight of a mean is a number/);
    }
    expect(await failureOf(client.call('secure_quantize', [setupOf(), text], INTS))).toBeInstanceOf(
      Error,
    );
    await client.executor.close();
  });

  test('that counts says how many values it clipped', async () => {
    const client = await clientOf({ ...policy, clippingRange: 1, onClipped: () => {} });
    using value = await client.put(floats, Pair);
    const setup = setupOf({ parameters: { ...parameters, clippingRange: 1 }, countsClipped: true });
    const type = structOf([INTS, int32()].map((each) => ({ name: null, type: each })));
    using result = await client.call('secure_quantize', [setup, value], type);
    expect(await result.compute()).toMatchObject({
      elements: [{ data: Int32Array.of(2 ** 22 - 1, 0) }, { data: Int32Array.of(2) }],
    });
    const mute = setupOf({ parameters: { ...parameters, clippingRange: 1 } });
    expect(await failureOf(client.call('secure_quantize', [mute, value], type))).toMatchObject({
      message: expect.stringContaining('does not count'),
    });
    await client.executor.close();
  });
});

const boolType: Type = { kind: 'tensor', dtype: 'bool', shape: [] } as Type;

/** Adds up in the clear what it gets, and goes on without those who were lost. */
function open(
  watch: (task: SecureSumTask) => void = () => {},
  change: (sum: SecureSum) => SecureSum = (made) => made,
): SecureAggregationProtocol {
  const total = async (task: SecureSumTask, { clients }: ProtocolParties): Promise<SecureSum> => {
    watch(task);
    const present = task.inputs.flatMap((input, i) =>
      isLostInput(input) ? [] : [{ input, name: clients[i]?.name ?? '' }],
    );
    const values = await Promise.all(
      present.map(async ({ input }) => vectorsOf(await input.compute())),
    );
    const sums = task.terms.map(({ length }, term) =>
      Array.from({ length }, (_, i) =>
        values.reduce((all, value) => all + Number(value[term]?.[i]), 0),
      ),
    );
    return change({ sums, clients: present.map(({ name }) => name) });
  };
  return {
    name: 'open',
    roles: [],
    operators: [],
    timeoutMs: 400,
    open: (parties) => ({ sum: (task) => total(task, parties), close: () => {} }),
  };
}

function vectorsOf(value: MaterializedValue): ArrayLike<number>[] {
  if (value.kind === 'struct') return value.elements.flatMap(vectorsOf);
  return [(value as TensorValue<'int32'>).data];
}

const quantizing = (
  protocol: SecureAggregationProtocol = open(),
  quantization: QuantizedAggregationOptions = {},
) => secureAggregation(protocol, { quantization });

describe('a client without a value for the sum', () => {
  const close = (...values: number[]) => values.map((value) => expect.closeTo(value, 3));

  test.each<[string, () => Promise<{ toArray(): unknown }>, number[], RegExp]>([
    [
      'as it is no number',
      () =>
        mean([
          [1, 2],
          [Number.NaN, 4],
          [5, 6],
        ]),
      [3, 4],
      /position 0 is not a finite number/,
    ],
    [
      'as its weight is too large',
      () => weightedMean(ROWS, [1000, 1000.5, 500]),
      [7 / 3, 10 / 3],
      /larger than the maximum/,
    ],
  ])('%s is lost, and the sum goes on', async (_what, program, expected, reason) => {
    const tasks: SecureSumTask[] = [];
    const result = await withStack(quantizing(open((task) => tasks.push(task))), program);
    expect(result.toArray()).toEqual(close(...expected));
    const [task] = tasks;
    const lost = task?.inputs.filter(isLostInput);
    expect(task?.inputs.map(isLostInput)).toEqual([false, true, false]);
    expect(lost).toMatchObject([
      {
        lost: true,
        client: 'clients/1',
        stage: 'quantize',
        reason: 'refused',
        cause: {
          code: 'execution.secure_sum_range',
          message: expect.stringMatching(reason),
        },
      } satisfies Partial<LostInput>,
    ]);
  });

  test('as its executor fails, or does not answer, is lost too', async () => {
    for (const [call, reason] of [
      [async () => Promise.reject(new Error('the line is dead')), 'failed'],
      [() => new Promise<ExecutorValue>(() => {}), 'timeout'],
    ] as const) {
      const tasks: SecureSumTask[] = [];
      const watching = quantizing(open((task) => tasks.push(task)));
      const meddling: Meddling = {
        call: (uri, go) => (uri === 'secure_quantize' ? call() : go()),
      };
      const result = await withMeddler(watching, 'clients/2', meddling, () => sum(ROWS));
      expect(result.toArray()).toEqual(close(4, 6));
      expect(tasks[0]?.inputs[2]).toMatchObject({ client: 'clients/2', reason });
    }
  });

  test.each([
    ['refuses', () => masking(), [[1, Number.NaN]], 'execution.client_failed'],
    [
      'refuses, of several',
      () => masking(),
      [
        [1, Number.NaN],
        [Number.NaN, 1],
      ],
      'execution.client_failed',
    ],
  ])('ends a sum that needs everyone with its own error: %s', async (_what, create, bad, code) => {
    const secure = create().with({ quantization: {} });
    const error = await failureOf(withStack(secure, () => mean([[1, 2], ...bad])));
    expect(error).toMatchObject({ code, message: expect.stringContaining('clients/1 refused') });
  });

  test('ends a sum that needs everyone where its executor fails, before any message', async () => {
    const calls: string[] = [];
    const meddling: Meddling = {
      call: async (uri, go) => {
        calls.push(uri);
        if (uri === 'secure_quantize') throw new Error('the line is dead');
        return go();
      },
    };
    const secure = masking().with({ quantization: {} });
    const error = await failureOf(withMeddler(secure, 'clients/0', meddling, () => mean(ROWS)));
    expect(error).toMatchObject({
      code: 'protocol.client_lost',
      stage: 'quantize',
      offender: 'clients/0',
      cause: { message: 'the line is dead' },
    });
    expect(calls).toEqual(['secure_quantize']);
  });
});

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
