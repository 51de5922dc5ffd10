import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  bitsPerValue,
  deterministicRng,
  packedLength,
  sha256,
  toHex,
  utf8,
} from '../../../protocols/index.ts';
import type { WordResidues } from '../../../protocols/residues/kernel/index.ts';
import {
  CHUNK_32,
  CHUNK_64,
  FixedStream,
  kernels,
  maskReference,
  masksOver,
  moduliOfWidth,
  modulo,
  packedReference,
  residuesOf,
  simdKernel,
  valuesBelow,
  valuesOf,
  widths,
} from './kernel-reference.ts';

const runs = { numRuns: 12 };
const offsets = fc.integer({ min: 0, max: 9 });

afterEach(() => {
  // Whatever a test did, the memory of the kernel holds nothing of it.
  expect(simdKernel.memory.every((byte) => byte === 0)).toBe(true);
  expect(simdKernel.busy).toBe(false);
});

/** A modulus of the width, and two vectors of one length. */
const pairs = (bits: number) =>
  fc
    .tuple(fc.constantFrom(...moduliOfWidth(bits)), fc.nat(70))
    .chain(([modulus, length]) =>
      fc.tuple(fc.constant(modulus), valuesBelow(modulus, length), valuesBelow(modulus, length)),
    );

describe.each(kernels)('the $name kernel', (kernel) => {
  it.each(widths)('adds, subtracts and reduces at %i bits', (bits) => {
    fc.assert(
      fc.property(pairs(bits), offsets, ([modulus, left, right], offset) => {
        const operand = residuesOf(modulus, right, 9 - offset);
        const sum = residuesOf(modulus, left, offset);
        kernel.add(sum, operand);
        expect(valuesOf(sum)).toEqual(left.map((value, i) => modulo(value + right[i]!, modulus)));
        const difference = residuesOf(modulus, left, offset);
        kernel.subtract(difference, operand);
        expect(valuesOf(difference)).toEqual(
          left.map((value, i) => modulo(value - right[i]!, modulus)),
        );
        expect(valuesOf(operand)).toEqual(right);
      }),
      runs,
    );
  });

  it.each(widths)('packs, unpacks and adds packed values at %i bits', (bits) => {
    fc.assert(
      fc.property(pairs(bits), offsets, ([modulus, left, right], offset) => {
        expect(bitsPerValue(modulus)).toBe(bits);
        const reference = packedReference(bits, left);
        const packed = new Uint8Array(reference.length + offset).subarray(offset);
        kernel.pack(residuesOf(modulus, left, offset), packed);
        expect(packed).toEqual(reference);
        const unpacked = residuesOf(modulus, right, 9 - offset);
        expect(kernel.unpack(packed, unpacked)).toBe(-1);
        expect(valuesOf(unpacked)).toEqual(left);
        const sum = residuesOf(modulus, right, offset);
        expect(kernel.addPacked(sum, packed)).toBe(-1);
        expect(valuesOf(sum)).toEqual(left.map((value, i) => modulo(value + right[i]!, modulus)));
      }),
      runs,
    );
  });

  it.each(widths)('applies masks at %i bits, reading no more than they take', (bits) => {
    fc.assert(
      fc.property(
        pairs(bits),
        fc.string(),
        fc.nat(3),
        offsets,
        ([modulus, left], seed, count, offset) => {
          const rng = deterministicRng(utf8(seed));
          // Half of the words are rejected at worst.
          const streams = Array.from({ length: count }, () => new FixedStream(rng(8000)));
          const target = residuesOf(modulus, left, offset);
          kernel.applyMasks(target, masksOver(streams));
          let expected = left;
          for (const [i, { bytes, position }] of streams.entries()) {
            const { values, read } = maskReference(modulus, left.length, bytes);
            const sign = i % 2 === 0 ? 1n : -1n;
            expected = expected.map((value, k) => modulo(value + sign * values[k]!, modulus));
            expect(position).toBe(read);
          }
          expect(valuesOf(target)).toEqual(expected);
        },
      ),
      runs,
    );
  });

  it.each(widths)('finds the first value of R or more at %i bits', (bits) => {
    for (const modulus of moduliOfWidth(bits)) {
      const largest = (1n << (bits > 32 ? 64n : 32n)) - 1n;
      const values = Array.from({ length: 37 }, () => modulus - 1n);
      expect(kernel.firstNotBelow(residuesOf(modulus, values, 1))).toBe(-1);
      for (const excess of [modulus, largest].filter(
        (value) => modulus <= value && value <= largest,
      )) {
        for (const position of [0, 17, 36]) {
          const altered = values.with(position, excess).fill(excess, position + 1);
          expect(kernel.firstNotBelow(residuesOf(modulus, altered, 1))).toBe(position);
        }
      }
    }
  });

  it.each(widths)('refuses packed values of R and above at %i bits, changing nothing', (bits) => {
    for (const modulus of moduliOfWidth(bits).slice(1)) {
      const values = Array.from({ length: 23 }, (_, i) => BigInt(i) % modulus);
      for (const position of [0, 11, 22]) {
        const packed = packedReference(bits, values.with(position, modulus));
        const target = residuesOf(modulus, values);
        expect(kernel.addPacked(target, packed)).toBe(position);
        expect(valuesOf(target)).toEqual(values);
        expect(kernel.unpack(packed, target)).toBe(position);
      }
    }
  });

  it('takes words of any value modulo a power of two', () => {
    for (const bits of widths) {
      const modulus = 1n << BigInt(bits);
      const words = 1n << (bits > 32 ? 64n : 32n);
      const values = Array.from({ length: 21 }, (_, i) => words - 1n - (words / 23n) * BigInt(i));
      const target = residuesOf(modulus, values);
      kernel.reduce(target);
      expect(valuesOf(target)).toEqual(values.map((value) => modulo(value, modulus)));
    }
  });

  it('draws on where a word would favour a residue, and only there', () => {
    for (const modulus of [3n, 1_000_003n, 2n ** 32n - 5n, 2n ** 40n + 15n, 2n ** 64n - 59n]) {
      const width = modulus < 2n ** 32n ? 4 : 8;
      const words = 1n << BigInt(8 * width);
      const limit = words - (words % modulus);
      const given = [limit, words - 1n, limit - 1n, limit, 0n, modulus % limit, modulus - 1n];
      const stream = new FixedStream(packedReference(8 * width, given));
      const target = residuesOf(modulus, [0n, 0n, 0n, 0n]);
      kernel.applyMasks(target, [{ keystream: stream, sign: 1 }]);
      expect(valuesOf(target)).toEqual([modulus - 1n, 0n, 0n, modulus - 1n]);
      expect(stream.position).toBe(width * given.length);
    }
  });

  it('doubles a vector added to itself', () => {
    const target = residuesOf(1_000_003n, [1n, 600_000n, 1_000_002n]);
    kernel.add(target, target);
    expect(valuesOf(target)).toEqual([2n, 199_997n, 1_000_001n]);
  });

  it('does nothing to nothing', () => {
    const empty = residuesOf(1000n, []);
    kernel.add(empty, empty);
    kernel.applyMasks(empty, masksOver([new FixedStream(new Uint8Array(0))]));
    kernel.pack(empty, new Uint8Array(0));
    expect(kernel.unpack(new Uint8Array(0), empty)).toBe(-1);
    expect(kernel.firstNotBelow(empty)).toBe(-1);
  });

  it('refuses a keystream that gives fewer bytes than asked for', () => {
    for (const modulus of [2n ** 32n, 1_000_003n, 2n ** 64n, 2n ** 40n + 15n]) {
      const keystream = { read: (byteLength: number) => new Uint8Array(byteLength - 8) };
      expect(() =>
        kernel.applyMasks(residuesOf(modulus, Array<bigint>(10).fill(0n)), [
          { keystream, sign: 1 },
        ]),
      ).toThrow(/invalid-length.*keystream gave/);
    }
  });
});

it('holds nothing of a vector whose masking failed', () => {
  const rng = deterministicRng(utf8('failing'));
  for (const modulus of [2n ** 32n, 1_000_003n, 2n ** 64n, 2n ** 40n + 15n]) {
    const failing = {
      reads: 0,
      read(byteLength: number) {
        this.reads += 1;
        if (this.reads === 1) return rng(byteLength);
        expect(simdKernel.memory.some((byte) => byte !== 0)).toBe(true);
        throw new Error('the stream broke off');
      },
    };
    const target = residuesOf(modulus, Array<bigint>(20_000).fill(0x55n));
    expect(() => simdKernel.applyMasks(target, [{ keystream: failing, sign: 1 }])).toThrow(
      'the stream broke off',
    );
  }
});

describe('both kernels, over several chunks', () => {
  const moduli = [2n ** 29n, 2n ** 32n, 3n * 2n ** 30n, 2n ** 31n + 11n, 2n ** 45n, 2n ** 64n];
  const lengths = [CHUNK_64 - 1, CHUNK_64, CHUNK_64 + 1, CHUNK_32, CHUNK_32 + 1, 50_001];

  it.each([...moduli, 2n ** 63n + 29n])('agree mod %s', (modulus) => {
    for (const length of lengths) {
      const rng = deterministicRng(utf8(`${modulus} ${length}`));
      const streams = Array.from({ length: 3 }, () => rng(20 * length));
      const [simd, plain] = kernels.map((kernel) => {
        const masked = zeros(modulus, length);
        const fixed = streams.map((bytes) => new FixedStream(bytes));
        kernel.applyMasks(masked, masksOver(fixed));
        const packed = new Uint8Array(packedLength(modulus, length));
        kernel.pack(masked, packed);
        const sum = zeros(modulus, length);
        expect(kernel.addPacked(sum, packed)).toBe(-1);
        kernel.add(sum, masked);
        const rest = zeros(modulus, length);
        kernel.subtract(rest, sum);
        const unpacked = zeros(modulus, length);
        expect(kernel.unpack(packed, unpacked)).toBe(-1);
        expect([masked, sum, rest].map((values) => kernel.firstNotBelow(values))).toEqual([
          -1, -1, -1,
        ]);
        return {
          digests: [masked, sum, rest, unpacked].map(digest),
          packed: toHex(sha256(packed)),
          read: fixed.map(({ position }) => position),
        };
      });
      expect(simd).toEqual(plain);
      expect(simd!.digests[3]).toBe(simd!.digests[0]);
    }
  });

  it.each(kernels)('the $name kernel names a position behind the first chunk', (kernel) => {
    for (const modulus of [1_000_003n, 2n ** 40n + 15n]) {
      const values = Array<bigint>(40_000).fill(7n);
      const excess = residuesOf(modulus, values.with(33_333, modulus));
      const packed = new Uint8Array(packedLength(modulus, values.length));
      kernel.pack(excess, packed);
      const target = residuesOf(modulus, values);
      expect(kernel.addPacked(target, packed)).toBe(33_333);
      expect(valuesOf(target)).toEqual(values);
      expect(kernel.unpack(packed, target)).toBe(33_333);
      expect(kernel.firstNotBelow(excess)).toBe(33_333);
    }
  });
});

function zeros(modulus: bigint, length: number): WordResidues {
  return residuesOf(modulus, Array<bigint>(length).fill(0n), 3);
}

function digest({ values }: WordResidues): string {
  return toHex(sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)));
}
