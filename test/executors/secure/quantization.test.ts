/**
 * @file A client's floats on their way into a secure sum: what a client refuses (attacks 15 to 17), and
 * clients that are lost before the protocol begins.
 */

import {
  bool,
  type ExecutorValue,
  float32,
  int32,
  isLostInput,
  type LostInput,
  masking,
  type QuantizedAggregationOptions,
  type SecureSumTask,
  structOf,
  TensorValue,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import {
  type QuantizationSetup,
  quantizationSetupCodec,
} from '../../../executors/secure/quantization/setup.ts';
import type { Meddling } from './meddling.ts';
import { failureOf, partyOf } from './parties.ts';
import {
  mean,
  open,
  Pair,
  quantizing,
  ROWS,
  sum,
  weightedMean,
  withMeddler,
  withStack,
} from './quantizing.ts';

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
    using text = await client.put(new TensorValue('bool', [], Uint8Array.of(1)), bool());
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
