import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attributes, GraphBuilder, loadBackend } from '../../../computations/tensors/index.ts';
import { type DType, TensorValue } from '../../../computations/types/index.ts';
import { bool, float, int, long, runGraph } from './backends.helpers.ts';

const wasm = await loadBackend({ prefer: 'wasm' });

/** The outputs of one kernel. */
async function run(
  kernel: string,
  inputs: Readonly<Record<string, TensorValue>> | readonly TensorValue[],
  attributes: Attributes = {},
): Promise<TensorValue[]> {
  const builder = new GraphBuilder();
  const ids = Array.isArray(inputs)
    ? inputs.map((value) => builder.parameter(value))
    : Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [name, builder.parameter(value)]),
      );
  const graph = builder.build(builder.node(kernel, ids, attributes));
  return runGraph(wasm, graph, Object.values(inputs));
}

const RANGES = {
  uint8: [0n, 255n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
} as const;
type Integer = keyof typeof RANGES;

function tensorOf(dtype: DType, values: readonly bigint[]): TensorValue {
  const shape = [values.length];
  if (dtype === 'int64') return long(shape, values);
  return dtype === 'int32'
    ? int(shape, values.map(Number))
    : new TensorValue('uint8', shape, Uint8Array.from(values, Number));
}

const pairs = fc.constantFrom<Integer>('uint8', 'int32', 'int64').chain((dtype) => {
  const [min, max] = RANGES[dtype];
  const value = fc.oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max, 0n, 1n));
  return fc.tuple(fc.constant(dtype), value, value);
});

const wrap = (dtype: Integer, value: bigint): bigint =>
  dtype === 'uint8' ? BigInt.asUintN(8, value) : BigInt.asIntN(dtype === 'int32' ? 32 : 64, value);

describe('integer kernels', () => {
  it.each([
    ['fl.Add', (a: bigint, b: bigint) => a + b],
    ['fl.Sub', (a: bigint, b: bigint) => a - b],
    ['fl.Mul', (a: bigint, b: bigint) => a * b],
  ])('%s is exact, or fails with the code of its attribute, or wraps', async (kernel, exact) => {
    await fc.assert(
      fc.asyncProperty(pairs, async ([dtype, a, b]) => {
        const inputs = { a: tensorOf(dtype, [a]), b: tensorOf(dtype, [b]) };
        const result = exact(a, b);
        const wrapped = await run(kernel, inputs, { overflow: 'wrap' });
        expect(BigInt(wrapped[0]?.data[0] as number)).toBe(wrap(dtype, result));
        const checked = run(kernel, inputs, { overflow: 'execution.sum_overflow' });
        if (wrap(dtype, result) === result) {
          expect(BigInt((await checked)[0]?.data[0] as number)).toBe(result);
        } else {
          await expect(checked).rejects.toThrow(
            expect.objectContaining({ code: 'execution.sum_overflow' }),
          );
        }
      }),
    );
  });

  it('compares, chooses and takes floor and remainder', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, async ([dtype, a, b]) => {
        const inputs = { a: tensorOf(dtype, [a]), b: tensorOf(dtype, [b]) };
        const first = async (kernel: string) => {
          const [result] = await run(kernel, inputs);
          return BigInt(result?.data[0] as number);
        };
        expect(await first('fl.Less')).toBe(BigInt(a < b));
        expect(await first('fl.GreaterEqual')).toBe(BigInt(a >= b));
        expect(await first('fl.Equal')).toBe(BigInt(a === b));
        const [low, high] = a < b ? [a, b] : [b, a];
        expect(await first('fl.Min')).toBe(low);
        expect(await first('fl.Max')).toBe(high);
        if (b === 0n) {
          await expect(first('fl.FloorMod')).rejects.toThrow(/Division by zero/);
        } else {
          const rest = ((a % b) + b) % b;
          expect(await first('fl.FloorMod')).toBe(rest);
          if (!(a === RANGES[dtype][0] && b === -1n)) {
            expect(await first('fl.FloorDiv')).toBe((a - rest) / b);
          }
        }
      }),
    );
  });

  it('sums exactly along axes, and fails or wraps on overflow', async () => {
    const data = [2n ** 62n, 2n ** 62n, -(2n ** 62n), 5n, 6n, 7n];
    const x = long([2, 3], data);
    const [total] = await run('fl.Sum', { x });
    expect(total?.scalar()).toBe(2n ** 62n + 18n);
    const [columns] = await run('fl.Sum', { x }, { axis: [0], keepDims: true });
    expect(columns).toEqual(long([1, 3], [2n ** 62n + 5n, 2n ** 62n + 6n, -(2n ** 62n) + 7n]));
    const large = { x: int([2], [2 ** 31 - 1, 1]) };
    await expect(run('fl.Sum', large, { overflow: 'execution.sum_overflow' })).rejects.toThrow(
      expect.objectContaining({ code: 'execution.sum_overflow' }),
    );
    expect((await run('fl.Sum', large, { overflow: 'wrap' }))[0]?.scalar()).toBe(-(2 ** 31));
  });

  it('carries sums of int64 in halves that do not wrap', async () => {
    const values = fc.array(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), {
      minLength: 1,
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(values, async (numbers) => {
        let [hi, lo] = [long([1], [0n]), long([1], [0n])];
        for (const number of numbers) {
          const [high, low] = await run('fl.SplitInt64', { x: long([1], [number]) });
          hi = (await run('fl.Add', { a: hi, b: high as TensorValue }))[0] as TensorValue<'int64'>;
          lo = (await run('fl.Add', { a: lo, b: low as TensorValue }))[0] as TensorValue<'int64'>;
        }
        const total = numbers.reduce((a, b) => a + b, 0n);
        const joined = run('fl.JoinInt64', { hi, lo }, { code: 'execution.sum_overflow' });
        if (BigInt.asIntN(64, total) === total) {
          expect((await joined)[0]?.scalar()).toBe(total);
        } else {
          await expect(joined).rejects.toThrow(
            expect.objectContaining({ code: 'execution.sum_overflow' }),
          );
        }
      }),
      { numRuns: 30 },
    );
  });

  it.each<[string, TensorValue, DType]>([
    ['a fraction', float([], [0.5]), 'int32'],
    ['NaN', float([], [Number.NaN]), 'int64'],
    ['infinity', float([], [Number.POSITIVE_INFINITY]), 'int32'],
    ['2^31', float([], [2 ** 31]), 'int32'],
    ['-1', int([], [-1]), 'uint8'],
    ['2^40', long([], [2n ** 40n]), 'int32'],
    ['2^63', float([], [2 ** 63]), 'int64'],
  ])('fl.Cast refuses %s', async (_, x, dtype) => {
    await expect(run('fl.Cast', { x }, { dtype })).rejects.toThrow(
      expect.objectContaining({ code: 'execution.kernel_failed' }),
    );
  });

  it('casts between all dtypes of numbers', async () => {
    const one = {
      bool: bool([1], [1]),
      int32: int([1], [1]),
      int64: long([1], [1n]),
      float32: float([1], [1]),
    };
    for (const x of Object.values(one)) {
      for (const dtype of ['bool', 'uint8', 'int32', 'int64', 'float32'] as const) {
        const [result] = await run('fl.Cast', { x }, { dtype });
        expect(result?.dtype).toBe(dtype);
        expect(Number(result?.data[0])).toBe(1);
      }
    }
    const code = 'execution.sum_overflow';
    await expect(run('fl.CheckedCast', { x: long([], [2n ** 31n]) }, { code })).rejects.toThrow(
      expect.objectContaining({ code }),
    );
  });

  it('fails a requirement with its code and message, and hands data on otherwise', async () => {
    const attributes = { code: 'execution.zero_weight', message: 'The weights add up to zero.' };
    const data = float([2], [1, 2]);
    expect(await run('fl.Require', { condition: bool([], [1]), data }, attributes)).toEqual([data]);
    await expect(run('fl.Require', { condition: bool([], [0]), data }, attributes)).rejects.toThrow(
      '[execution.zero_weight] The weights add up to zero.',
    );
  });

  it('moves elements of every dtype', async () => {
    const x = long([2, 2], [1n, 2n, 3n, 4n]);
    expect(await run('fl.Concat', [x, x], { axis: 1 })).toEqual([
      long([2, 4], [1n, 2n, 1n, 2n, 3n, 4n, 3n, 4n]),
    ]);
    expect(await run('fl.Slice', { x }, { begin: [0, 1], size: [2, 1] })).toEqual([
      long([2, 1], [2n, 4n]),
    ]);
    expect(await run('fl.Gather', { x, indices: int([3], [1, 0, 1]) })).toEqual([
      long([3, 2], [3n, 4n, 1n, 2n, 3n, 4n]),
    ]);
    await expect(
      run('fl.Gather', { x, indices: int([1], [2]) }, { code: 'execution.key_out_of_range' }),
    ).rejects.toThrow(expect.objectContaining({ code: 'execution.key_out_of_range' }));
    expect(await run('fl.Reshape', { x }, { shape: [4] })).toEqual([long([4], [1n, 2n, 3n, 4n])]);
    expect(
      await run('fl.Fill', {}, { shape: [2], value: '-9223372036854775808', dtype: 'int64' }),
    ).toEqual([long([2], [-(2n ** 63n), -(2n ** 63n)])]);
    expect(
      await run('fl.Select', { condition: bool([2, 1], [1, 0]), a: x, b: long([], [0n]) }),
    ).toEqual([long([2, 2], [1n, 2n, 0n, 0n])]);
    const words = new TensorValue('string', [2], ['a', 'b']);
    expect(await run('fl.Gather', { x: words, indices: int([1], [1]) })).toEqual([
      new TensorValue('string', [1], ['b']),
    ]);
  });
});
