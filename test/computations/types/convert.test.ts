import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compactNotation,
  FederatedTypeError,
  inferType,
  parseType,
  TensorValue,
  type Type,
  toMaterialized,
  toPlain,
  ValueError,
} from '../../../computations/types/index.ts';
import { dataType, placedDataType, plainDataOf } from '../../arbitraries/types.ts';

const convert = (data: unknown, notation: string) =>
  toMaterialized(data, parseType(notation), 'the argument');
const roundTrip = async (data: unknown, notation: string): Promise<unknown> =>
  toPlain(convert(data, notation), parseType(notation));
const codeOf = (data: unknown, notation: string): string => {
  try {
    convert(data, notation);
  } catch (error) {
    if (error instanceof ValueError || error instanceof FederatedTypeError) return error.code;
    throw error;
  }
  return 'none';
};

const withData: fc.Arbitrary<readonly [Type, unknown]> = fc
  .oneof(dataType, placedDataType)
  .chain((type) => plainDataOf(type).map((data) => [type, data] as const));

describe('plain data', () => {
  it('comes back as it went in', async () => {
    await fc.assert(
      fc.asyncProperty(withData, async ([type, data]) => {
        const back = await toPlain(toMaterialized(data, type, 'data'), type);
        expect(back).toEqual(data);
      }),
      { numRuns: 400 },
    );
  });

  it('may be given as nested arrays', async () => {
    await fc.assert(
      fc.asyncProperty(withData, async ([type, data]) => {
        const back = await toPlain(toMaterialized(asArrays(data), type, 'data'), type);
        expect(back).toEqual(data);
      }),
      { numRuns: 400 },
    );
  });

  it.each<[string, unknown, string, unknown]>([
    ['numbers for an int64', [1, 2n], 'int64[2]', [1n, 2n]],
    [
      'the extremes of an int64',
      [-(2n ** 63n), 2n ** 63n - 1n],
      'int64[2]',
      [-(2n ** 63n), 2n ** 63n - 1n],
    ],
    ['typed arrays of another width', new Int16Array([-5, 5]), 'int32[2]', [-5, 5]],
    ['typed arrays without sign', new Uint32Array([4294967295]), 'int64[1]', [4294967295n]],
    ['typed arrays of floats that are integers', new Float32Array([1, 2]), 'int32[2]', [1, 2]],
    [
      'rows that are typed arrays',
      [new Float32Array([1, 2]), [3, 4]],
      'float32[2,2]',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ['bytes as booleans', new Uint8Array([0, 1]), 'bool[2]', [false, true]],
    ['bytes', new Uint8Array([0, 255]), 'uint8[?]', [0, 255]],
    ['no rows', [], 'float32[?,3]', []],
    ['rows of nothing', [[], []], 'int32[2,0,4]', [[], []]],
    ['any rank', [[1], [2]], 'int32[*]', [[1], [2]]],
    [
      'the special floats',
      [Number.NaN, -0, Number.POSITIVE_INFINITY],
      'float32[3]',
      [Number.NaN, -0, Number.POSITIVE_INFINITY],
    ],
    ['text', ['é', '🙂', ''], 'string[3]', ['é', '🙂', '']],
  ])('takes %s', (_what, data, notation, expected) => {
    const tensor = convert(data, notation);
    expect(tensor).toBeInstanceOf(TensorValue);
    expect((tensor as TensorValue).toArray()).toEqual(expected);
  });

  it('takes a tensor of a library that can be read out', async () => {
    const tensor = (dtype: string, shape: number[], data: ArrayLike<unknown>) => ({
      dtype,
      shape,
      dataSync: () => data,
    });
    const floats = new Float32Array([1, 2, 3, 4]);
    const value = convert(tensor('float32', [2, 2], floats), 'float32[?,2]') as TensorValue;
    expect(value.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    floats[0] = 9; // The library may use its buffer again.
    expect(value.data[0]).toBe(1);
    expect(await roundTrip(tensor('bool', [], new Uint8Array([1])), 'bool')).toBe(true);
    expect(await roundTrip(tensor('string', [], ['x']), 'string')).toBe('x');
    expect(codeOf(tensor('int32', [1], new Int32Array(1)), 'float32[1]')).toBe('value.wrong_type');
    expect(codeOf(tensor('int32', [2], new Int32Array(2)), 'int32[3]')).toBe('value.wrong_shape');
    expect(codeOf(tensor('int32', [3], new Int32Array(2)), 'int32[3]')).toBe(
      'value.wrong_structure',
    );
    expect(codeOf(tensor('complex64', [1], new Float32Array(2)), 'float32[1]')).toBe(
      'value.wrong_type',
    );
  });

  it.each<[string, unknown, string, string]>([
    ['NaN for an integer', Number.NaN, 'int32', 'value.not_an_integer'],
    ['infinity for an integer', Number.POSITIVE_INFINITY, 'int64', 'value.not_an_integer'],
    ['a fraction', 1.5, 'int32', 'value.not_an_integer'],
    ['a fraction in a typed array', new Float32Array([1.5]), 'int32[1]', 'value.not_an_integer'],
    ['too large an int32', 2 ** 31, 'int32', 'value.out_of_range'],
    ['too small an int32', -(2 ** 31) - 1, 'int32', 'value.out_of_range'],
    ['a negative byte', -1, 'uint8', 'value.out_of_range'],
    ['too large a byte', 256, 'uint8', 'value.out_of_range'],
    ['too large an int64', 2n ** 63n, 'int64', 'value.out_of_range'],
    ['an int64 that no number holds exactly', 2 ** 53, 'int64', 'value.out_of_range'],
    ['a float beyond all floats', 1e300, 'float32', 'value.out_of_range'],
    ['text for a number', '3', 'int32', 'value.wrong_type'],
    ['a boolean for a number', true, 'int32', 'value.wrong_type'],
    ['a bigint for a float', 3n, 'float32', 'value.wrong_type'],
    ['a number for a boolean', 2, 'bool', 'value.wrong_type'],
    ['a number for text', 2, 'string', 'value.wrong_type'],
    ['null', null, 'int32', 'value.wrong_type'],
    ['undefined', undefined, 'int32', 'value.wrong_type'],
    ['an object for a scalar', {}, 'int32', 'value.wrong_type'],
    ['an array for a scalar', [1], 'int32', 'value.wrong_shape'],
    ['a scalar for an array', 1, 'int32[1]', 'value.wrong_shape'],
    ['the wrong length', [1, 2], 'int32[3]', 'value.wrong_shape'],
    ['a typed array of the wrong length', new Int32Array(2), 'int32[3]', 'value.wrong_shape'],
    ['the wrong rank', [[1]], 'int32[1]', 'value.wrong_shape'],
    ['ragged rows', [[1, 2], [3]], 'int32[?,?]', 'value.wrong_shape'],
    ['a number among rows', [[1, 2], 3], 'int32[2,2]', 'value.wrong_shape'],
    ['a row among numbers', [1, [2]], 'int32[2]', 'value.wrong_type'],
    ['a hole', Array.from({ length: 2, 0: 1 }), 'int32[2]', 'value.wrong_type'],
    [
      'a tensor of another dtype',
      new TensorValue('int64', [], new BigInt64Array(1)),
      'int32',
      'value.wrong_type',
    ],
    [
      'a tensor that lacks elements',
      new TensorValue('int32', [3], new Int32Array(2)),
      'int32[3]',
      'value.wrong_structure',
    ],
    ['too few elements', [1], '<int32,int32>', 'value.wrong_structure'],
    ['too many elements', [1, 2], '<int32>', 'value.wrong_structure'],
    ['a missing name', { a: 1, c: 2 }, '<a=int32,b=int32>', 'value.wrong_structure'],
    ['a name too many', { a: 1, b: 2 }, '<a=int32>', 'value.wrong_structure'],
    [
      'a name that is inherited',
      Object.create({ a: 1 }, { b: { value: 1, enumerable: true } }),
      '<a=int32>',
      'value.wrong_structure',
    ],
    ['a number for a struct', 1, '<int32>', 'value.wrong_structure'],
    ['a typed array for a struct', new Int32Array(1), '<int32>', 'value.wrong_structure'],
    ['a number for a sequence', 1, 'int32*', 'value.wrong_structure'],
    ['text for a sequence', 'abc', 'string*', 'value.wrong_structure'],
    ['a wrong element of a sequence', [1, 'x'], 'int32*', 'value.wrong_type'],
    ['one value for all clients', 1, '{int32}@CLIENTS', 'value.wrong_structure'],
    ['a wrong value at a client', [1, 'x'], '{int32}@CLIENTS', 'value.wrong_type'],
    ['a list for the server', [1], 'int32@SERVER', 'value.wrong_shape'],
    ['a function', () => 1, '( -> int32)', 'type.wrong_kind'],
    ['a placement', 'clients', 'placement', 'type.wrong_kind'],
    ['an opaque value', {}, 'secret_key', 'type.wrong_kind'],
  ])('is refused for %s', (_what, data, notation, code) => {
    expect(codeOf(data, notation)).toBe(code);
  });

  it('is refused with the place of the fault', () => {
    expect(() => convert([{ a: [1] }, { a: [1.5] }], '{<a=int32*>}@CLIENTS')).toThrow(
      'the argument, client 1.a, element 0 must be int32',
    );
  });

  it('names its kind in messages but does not show its content', () => {
    expect(() => convert('secret', 'int32')).toThrow('got a string of 6 characters');
    expect(() => convert('secret', 'int32')).not.toThrow('secret');
  });
});

describe('sequences', () => {
  it('come from arrays, iterables and async iterables', async () => {
    const generator = function* () {
      yield 1;
      yield 2;
    };
    const asyncGenerator = async function* () {
      yield* generator();
    };
    for (const data of [
      [1, 2],
      generator(),
      new Set([1, 2]),
      asyncGenerator(),
      new Int32Array([1, 2]),
    ]) {
      expect(await roundTrip(data, 'int32*')).toEqual([1, 2]);
    }
  });

  it('are read when they are consumed, and checked then', async () => {
    let read = 0;
    const value = convert(
      (function* () {
        for (const item of [1, 'x', 3]) {
          read++;
          yield item;
        }
      })(),
      'int32*',
    );
    expect(read).toBe(0);
    await expect(toPlain(value, parseType('int32*'))).rejects.toThrow(
      'the argument, element 1 must be int32',
    );
    expect(read).toBe(2);
  });
});

describe('toPlain', () => {
  it.each([
    ['int32', 'int32*'],
    ['<int32>', 'int32'],
    ['{int32}@CLIENTS', 'int32'],
    ['int32*', '<int32>'],
  ])('refuses a value of another kind than %s', async (type, given) => {
    const value = convert(given === 'int32' ? 1 : [1], given);
    await expect(toPlain(value, parseType(type))).rejects.toThrow(
      expect.objectContaining({ code: 'value.wrong_structure' }),
    );
  });

  it('gives a struct with names as an object, one without as an array', async () => {
    expect(await roundTrip([1, 2], '<a=int32,int32>')).toEqual({ a: 1, 1: 2 });
    expect(await roundTrip([1, 2], '<int32,int32>')).toEqual([1, 2]);
    expect(await roundTrip({ 0: 1, 1: 2 }, '<int32,int32>')).toEqual([1, 2]);
  });
});

describe('inferType', () => {
  it.each<[unknown, string]>([
    [true, 'bool'],
    [1, 'int32'],
    [2 ** 31, 'int64'],
    [1n, 'int64'],
    [1.5, 'float32'],
    [Number.NaN, 'float32'],
    ['x', 'string'],
    [[1, 2], 'int32[2]'],
    [[1, 2.5], 'float32[2]'],
    [[1, 2 ** 40], 'int64[2]'],
    [[[1], [2]], 'int32[2,1]'],
    [new Float64Array(3), 'float32[3]'],
    [new Uint8Array(3), 'uint8[3]'],
    [{ a: 1, b: { c: 'x' } }, '<a=int32,b=<c=string>>'],
    [new TensorValue('int64', [2], new BigInt64Array(2)), 'int64[2]'],
    [{ dtype: 'bool', shape: [2], dataSync: () => new Uint8Array(2) }, 'bool[2]'],
  ])('%o has type %s', (data, notation) => {
    expect(compactNotation(inferType(data, 'x'))).toBe(notation);
  });

  it('gives a type that the data fits', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.integer(),
          fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
          fc.float().filter((x) => Math.abs(x) < 2 ** 53 || !Number.isFinite(x)),
          fc.string(),
          fc.boolean(),
          fc.array(fc.integer(), { minLength: 1 }),
        ),
        (data) => {
          expect(() => toMaterialized(data, inferType(data, 'x'), 'x')).not.toThrow();
        },
      ),
    );
  });

  it.each([[[]], [null], [undefined], [() => 1], [new Map()], [new Date()], [[{}]], [Symbol('x')]])(
    'is not told from %o',
    (data) => {
      expect(() => inferType(data, 'x')).toThrow(ValueError);
    },
  );
});

describe('TensorValue', () => {
  it('prints its content, or its type if it is long', () => {
    const print = (data: unknown, type: string): string => String(convert(data, type));
    expect(print(3, 'int32')).toBe('3');
    expect(
      print(
        [
          [1, 2],
          [3, 4],
        ],
        'int32[2,2]',
      ),
    ).toBe('[[1, 2], [3, 4]]');
    expect(print([true, false], 'bool[2]')).toBe('[true, false]');
    expect(print(['a"b'], 'string[1]')).toBe('["a\\"b"]');
    expect(print([-0, 0.5], 'float32[2]')).toBe('[-0, 0.5]');
    expect(print([], 'int32[0]')).toBe('[]');
    expect(print(new Int32Array(1001), 'int32[1001]')).toBe('TensorValue(int32[1001])');
  });

  it('becomes JSON, also when it is long', () => {
    expect(JSON.stringify(convert([1n, -2n], 'int64[2]'))).toBe('["1","-2"]');
    expect(JSON.stringify(convert([[1.5]], 'float32[1,1]'))).toBe('[[1.5]]');
    const long = new TensorValue('int64', [2000], new BigInt64Array(2000));
    expect(JSON.parse(JSON.stringify(long))).toHaveLength(2000);
  });

  it('gives the scalar of a single element only', () => {
    expect((convert([7], 'int32[1]') as TensorValue).scalar()).toBe(7);
    expect(() => (convert([7, 8], 'int32[2]') as TensorValue).scalar()).toThrow(ValueError);
    expect(() => (convert([], 'int32[0]') as TensorValue).scalar()).toThrow(ValueError);
  });
});

/** The same data with every tensor written as nested arrays. */
function asArrays(data: unknown): unknown {
  if (data instanceof TensorValue) return data.toArray();
  if (Array.isArray(data)) return data.map(asArrays);
  if (typeof data !== 'object' || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([name, member]) => [name, asArrays(member)]));
}
