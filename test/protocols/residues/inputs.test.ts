import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type IntegerVector,
  ProtocolError,
  residuesFrom,
  toBigInts,
} from '../../../protocols/index.ts';

const moduli = [
  2n,
  5n,
  200n,
  2n ** 31n,
  2n ** 31n + 1n,
  2n ** 32n,
  2n ** 40n,
  2n ** 60n,
  2n ** 64n,
];

const kinds: readonly [string, (values: number[]) => IntegerVector][] = [
  ['Int8Array', (values) => Int8Array.from(values)],
  ['Uint8Array', (values) => Uint8Array.from(values)],
  ['Uint8ClampedArray', (values) => Uint8ClampedArray.from(values)],
  ['Int16Array', (values) => Int16Array.from(values)],
  ['Uint16Array', (values) => Uint16Array.from(values)],
  ['Int32Array', (values) => Int32Array.from(values)],
  ['Uint32Array', (values) => Uint32Array.from(values)],
  ['Float32Array', (values) => Float32Array.from(values)],
  ['Float64Array', (values) => Float64Array.from(values)],
  ['Array', (values) => values],
  ['BigInt64Array', (values) => BigInt64Array.from(values.map(toInteger), BigInt)],
  ['BigUint64Array', (values) => BigUint64Array.from(values.map(toInteger), BigInt)],
  ['array of bigint', (values) => values.map((value) => BigInt(toInteger(value)))],
];

const numbers = fc.oneof(
  { weight: 8, arbitrary: fc.nat(4) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2 ** 31 - 1 }) },
  { weight: 2, arbitrary: fc.maxSafeNat() },
  { weight: 1, arbitrary: fc.integer() },
  {
    weight: 1,
    arbitrary: fc.constantFrom(-0, 0.5, -1, 2 ** 32, 2 ** 53, 2 ** 60, Number.NaN, Infinity),
  },
);

/** What is taken, or the error. */
function outcomeOf(values: IntegerVector, modulus: bigint, maximum: bigint): bigint[] | string {
  try {
    return toBigInts(residuesFrom(values, modulus, maximum));
  } catch (error) {
    if (error instanceof ProtocolError) return error.message;
    throw error;
  }
}

/** The same values in an object that is no array, for which there is no quick way. */
function slowly(values: IntegerVector): IntegerVector {
  const copy: { length: number; [index: number]: number | bigint } = { length: values.length };
  for (let i = 0; i < values.length; i += 1) copy[i] = values[i]!;
  // Of one kind, as `values` is.
  return copy as ArrayLike<number>;
}

describe.each(kinds)('residues from %s', (_, build) => {
  it('are those taken one by one, and the same values are refused with the same words', () => {
    const seen = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(
        fc.constantFrom(...moduli),
        fc.array(numbers, { maxLength: 6 }),
        fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n }), fc.constantFrom(-1n, 4n, 2n ** 31n)),
        fc.boolean(),
        (modulus, given, drawn, isWhole) => {
          const maximum = isWhole ? modulus - 1n : drawn;
          const values = build(given);
          const outcome = outcomeOf(values, modulus, maximum);
          expect(outcome).toEqual(outcomeOf(slowly(values), modulus, maximum));
          seen[typeof outcome === 'string' ? 'refused' : 'taken'] += 1;
        },
      ),
      { numRuns: 300 },
    );
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(10);
  });

  it('come from a part of a larger buffer', () => {
    const values = build([1, 2, 3, 4]);
    const isView = ArrayBuffer.isView(values);
    const part = isView ? partOf(values) : values;
    const expected = isView ? [2n, 3n] : [1n, 2n, 3n, 4n];
    expect(toBigInts(residuesFrom(part, 8n))).toEqual(expected);
    expect(toBigInts(residuesFrom(part, 2n ** 40n))).toEqual(expected);
  });
});

it('leaves the input as it was, and shares no memory with it', () => {
  const values = Uint32Array.of(1, 2, 3);
  const residues = residuesFrom(values, 2n ** 32n);
  if (residues.lane === 'u32') residues.values.fill(0);
  expect([...values]).toEqual([1, 2, 3]);
});

it('reads what is neither number nor bigint as no integer', () => {
  for (const element of ['5', null, undefined, [5], { valueOf: () => 5 }, true]) {
    // @ts-expect-error: what a caller in JavaScript can do
    expect(() => residuesFrom([1, element], 8n)).toThrow(/not-an-integer.*position 1/);
  }
});

/** The two values in the middle of four, in the same buffer. */
function partOf(values: IntegerVector & ArrayBufferView): IntegerVector {
  const { constructor: View, buffer, byteLength } = values;
  const part: unknown = Reflect.construct(View, [buffer, byteLength / 4, 2]);
  return part as IntegerVector;
}

function toInteger(value: number): number {
  return Number.isSafeInteger(value) ? value : 7;
}
