/** @file What every `ProgramStateManager` does. */

import fc from 'fast-check';
import { type DType, type ProgramStateManager, TensorValue } from 'fedloom';
import { describe, expect, test } from 'vitest';

/** @param make makes an empty manager that keeps `keep` versions. */
export function programStateManagerCompliance(
  name: string,
  make: (keep: number) => Promise<ProgramStateManager>,
): void {
  describe(name, () => {
    test('begins empty', async () => {
      const manager = await make(3);
      expect(await manager.versions()).toEqual([]);
      expect(await manager.latest()).toBeNull();
      await expect(manager.load(0)).rejects.toMatchObject({ code: 'state.not_found' });
      await manager.remove(0);
    });

    test('gives back what was saved, to the last bit', async () => {
      const manager = await make(2);
      let version = 0;
      await fc.assert(
        fc.asyncProperty(anyState, async (state) => {
          await manager.save(state, version);
          const loaded = await manager.load(version++);
          expect(bitsOf(loaded)).toEqual(bitsOf(state));
          expect(loaded).toStrictEqual(state);
        }),
        { numRuns: 60 },
      );
    });

    test('keeps a copy', async () => {
      const manager = await make(2);
      const weights = Float32Array.of(1, 2);
      const state = { weights: new TensorValue('float32', [2], weights) };
      await manager.save(state, 0);
      weights[0] = 7;
      const loaded = (await manager.load(0)) as typeof state;
      expect(loaded.weights.toArray()).toEqual([1, 2]);
    });

    test('keeps the newest versions, and what was saved last', async () => {
      const manager = await make(2);
      for (const version of [0, 1, 2, 10]) await manager.save(version, version);
      expect(await manager.versions()).toEqual([2, 10]);
      expect(await manager.latest()).toEqual({ version: 10, state: 10 });
      await manager.save('late', 5);
      expect(await manager.versions()).toEqual([5, 10]);
      await manager.save('later', 1);
      expect(await manager.versions()).toEqual([1, 10]);
    });

    test('does not write over a version, and removes it if asked', async () => {
      const manager = await make(5);
      await manager.save('first', 1);
      await expect(manager.save('second', 1)).rejects.toMatchObject({ code: 'state.exists' });
      expect(await manager.load(1)).toBe('first');
      await manager.remove(1);
      await manager.save('second', 1);
      expect(await manager.load(1)).toBe('second');
    });

    test('saves at the same time one after the other', async () => {
      const manager = await make(3);
      await Promise.all([3, 1, 2, 0].map((version) => manager.save({ version }, version)));
      expect(await manager.latest()).toEqual({ version: 3, state: { version: 3 } });
    });

    test.each([-1, 0.5, Number.NaN, 2 ** 53])('version %d is refused', async (version) => {
      const manager = await make(3);
      const refused = { code: 'state.invalid_version' };
      await expect(manager.save(0, version)).rejects.toMatchObject(refused);
      await expect(manager.load(version)).rejects.toMatchObject(refused);
      await expect(manager.remove(version)).rejects.toMatchObject(refused);
    });

    test.each<[string, unknown]>([
      ['The state.f', { f: () => 1 }],
      ['The state[1]', [1, undefined]],
      ['The state', new Map()],
      ['The state.a', { a: Float32Array.of(1) }],
      ['A key of The state', { '\ud800': 1 }],
    ])('%s that is no plain data is named', async (where, state) => {
      const manager = await make(3);
      const refused = manager.save(state, 0);
      await expect(refused).rejects.toMatchObject({ code: 'value.wrong_type' });
      await expect(refused).rejects.toThrow(`[value.wrong_type] ${where}`);
      expect(await manager.versions()).toEqual([]);
    });

    test('a state that contains itself is refused', async () => {
      const state: Record<string, unknown> = {};
      state.self = state;
      await expect((await make(3)).save(state, 0)).rejects.toThrow('nested more than');
    });

    test.each([0, -1, 1.5, Number.NaN])('%d versions cannot be kept', async (keep) => {
      await expect((async () => make(keep))()).rejects.toMatchObject({
        code: 'value.out_of_range',
      });
    });
  });
}

const tensor = fc.oneof(
  arrays('bool', fc.integer({ min: 0, max: 1 }), (data) => Uint8Array.from(data)),
  arrays('uint8', fc.integer({ min: 0, max: 255 }), (data) => Uint8Array.from(data)),
  arrays('int32', fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (data) =>
    Int32Array.from(data),
  ),
  arrays('int64', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (data) =>
    BigInt64Array.from(data),
  ),
  // Any bits: denormals, infinities, and NaNs with a payload among them.
  arrays(
    'float32',
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    (data) => new Float32Array(Uint32Array.from(data).buffer),
  ),
  arrays('string', fc.string({ unit: 'grapheme' }), (data) => data),
);

function arrays<T>(
  dtype: DType,
  element: fc.Arbitrary<T>,
  pack: (data: T[]) => TensorValue['data'],
): fc.Arbitrary<TensorValue> {
  return fc
    .tuple(fc.nat(3), fc.nat(3))
    .chain(([rows, columns]) =>
      fc
        .array(element, { minLength: rows * columns, maxLength: rows * columns })
        .map((data) => new TensorValue(dtype, [rows, columns], pack(data))),
    );
}

const { state: anyState } = fc.letrec<{ state: unknown }>((tie) => ({
  state: fc.oneof(
    { maxDepth: 3 },
    fc.double(),
    fc.bigInt(),
    fc.boolean(),
    fc.constant(null),
    fc.string({ unit: 'grapheme' }),
    tensor,
    fc.array(tie('state'), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'grapheme' }), tie('state'), { maxKeys: 4 }).map((object) => ({
      ...object,
    })),
  ),
}));

/** The bits of all floats in a state, which equality does not tell apart: NaNs, for example. */
function bitsOf(state: unknown): unknown {
  if (state instanceof TensorValue) {
    const { data } = state;
    return ArrayBuffer.isView(data)
      ? Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
      : data;
  }
  if (typeof state === 'number') return Array.from(new Uint8Array(Float64Array.of(state).buffer));
  if (Array.isArray(state)) return state.map(bitsOf);
  return typeof state === 'object' && state !== null ? Object.values(state).map(bitsOf) : state;
}
