import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as node from '../../../protocols/crypto/platform.node.ts';
import * as web from '../../../protocols/crypto/platform.web.ts';
import {
  applyMasks,
  equalResidues,
  type Keystream,
  type Mask,
  type MaskBinding,
  maskKeystream,
  SecretBytes,
  sha256,
  toBigInts,
  toHex,
  utf8,
  zeroResidues,
} from '../../../protocols/index.ts';
import { chiSquare, chiSquareLimit, SESSION } from '../support.ts';

const binding: MaskBinding = {
  session: SESSION,
  round: 3,
  vector: 'weights',
  adder: 'b',
  subtractor: 'a',
  transcript: new Uint8Array(32).fill(1),
  context: utf8('context'),
};

const secret = () => new SecretBytes(new Uint8Array(32).fill(9));

function maskOf(modulus: bigint, length: number, seed: string): bigint[] {
  const target = zeroResidues(modulus, length);
  const keystream = node.aesCtrKeystream(sha256(utf8(seed)), new Uint8Array(16));
  applyMasks(target, [{ keystream, sign: 1 }]);
  return toBigInts(target);
}

const moduli = [
  2n,
  5n,
  2n ** 20n,
  1_000_003n,
  2n ** 31n + 11n,
  2n ** 32n,
  2n ** 33n,
  2n ** 63n + 29n,
  2n ** 64n,
  2n ** 65n,
  2n ** 64n + 13n,
  3n ** 100n,
];

it.each(moduli)('adds and takes off one mask to the same, mod %s', (modulus) => {
  const start = maskOf(modulus, 20_011, 'values');
  const target = zeroResidues(modulus, start.length);
  for (let i = 0; i < start.length; i += 1) {
    target.values[i] = target.lane === 'u32' ? Number(start[i]) : start[i]!;
  }
  const mask = (sign: 1 | -1) => ({
    keystream: node.aesCtrKeystream(new Uint8Array(16), new Uint8Array(16)),
    sign,
  });
  applyMasks(target, [mask(1)]);
  expect(toBigInts(target)).not.toEqual(start);
  expect(toBigInts(target).every((value) => value < modulus)).toBe(true);
  applyMasks(target, [mask(1), mask(-1), mask(-1)]);
  expect(toBigInts(target)).toEqual(start);
});

it.each([2n, 3n, 5n, 10n, 1n << 8n, 100n])('masks uniformly mod %s', (modulus) => {
  const counts = new Array<number>(Number(modulus)).fill(0);
  for (const value of maskOf(modulus, 200_000, `uniform ${modulus}`)) counts[Number(value)]! += 1;
  expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(counts.length));
});

it.each([3n * 2n ** 30n, 3n * 2n ** 62n, 3n * 2n ** 70n])(
  'has no bias where a plain remainder would, mod %s',
  (modulus) => {
    // word % (3/4 of the words) would fall into the first third twice as often.
    const counts = [0, 0, 0];
    for (const value of maskOf(modulus, 30_000, `biased ${modulus}`)) {
      counts[Number((value * 3n) / modulus)]! += 1;
    }
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(3));
  },
);

it('reaches the largest residue', () => {
  expect(maskOf(5n, 200, 'largest')).toContain(4n);
});

it('skips words that would favour a residue, and reads on in order', () => {
  const limit = 2n ** 32n - (2n ** 32n % 1_000_003n);
  const words = Uint32Array.of(Number(limit), 7, 2 ** 32 - 1, Number(limit) - 1, 1_000_003);
  const target = zeroResidues(1_000_003n, 3);
  applyMasks(target, [{ keystream: fixedStream(words), sign: 1 }]);
  expect(toBigInts(target)).toEqual([7n, 1_000_002n, 0n]);
});

it('gives the same mask on Node and on the web', () => {
  fc.assert(
    fc.property(fc.constantFrom(...moduli), fc.nat(300), (modulus, length) => {
      const [onNode, onWeb] = [node, web].map((platform) => {
        const target = zeroResidues(modulus, length);
        const keystream = platform.aesCtrKeystream(new Uint8Array(16), new Uint8Array(16));
        applyMasks(target, [{ keystream, sign: -1 }]);
        return toBigInts(target);
      });
      expect(onNode).toEqual(onWeb);
    }),
  );
});

it('takes any number of masks, made one at a time', () => {
  const made = 150;
  for (const modulus of moduli) {
    const stream = (peer: number) =>
      node.aesCtrKeystream(sha256(utf8(`peer ${peer}`)), new Uint8Array(16));
    const together = zeroResidues(modulus, 40);
    applyMasks(together, masks(modulus));
    const oneByOne = zeroResidues(modulus, 40);
    for (const mask of masks(modulus)) applyMasks(oneByOne, [mask]);
    expect(toBigInts(together)).toEqual(toBigInts(oneByOne));
    expect(new Set(toBigInts(together)).size).toBeGreaterThan(1);

    function* masks(within: bigint): Generator<Mask> {
      for (let peer = 0; peer < made; peer += 1) {
        // Making a mask may itself need arithmetic.
        const other = zeroResidues(within, 40);
        applyMasks(other, [{ keystream: stream(peer), sign: 1 }]);
        yield { keystream: stream(peer + made), sign: peer % 3 === 0 ? 1 : -1 };
      }
    }
  }
});

it('lets a keystream do arithmetic of its own while it is read', () => {
  for (const modulus of moduli) {
    const target = zeroResidues(modulus, 20_000);
    const stream = node.aesCtrKeystream(new Uint8Array(16), new Uint8Array(16));
    const keystream: Keystream = {
      read(byteLength) {
        const other = maskOf(modulus, 100, 'within');
        expect(other).toEqual(within);
        return stream.read(byteLength);
      },
    };
    const within = maskOf(modulus, 100, 'within');
    applyMasks(target, [{ keystream, sign: 1 }]);
    const plain = zeroResidues(modulus, 20_000);
    const again = node.aesCtrKeystream(new Uint8Array(16), new Uint8Array(16));
    applyMasks(plain, [{ keystream: again, sign: 1 }]);
    expect(equalResidues(target, plain)).toBe(true);
  }
});

it('reads values beyond 64 bits as whole words, without those that would favour a residue', () => {
  const modulus = 2n ** 64n + 13n;
  const words = BigUint64Array.of(5n, 1n, 13n, 1n, 12n, 3n, 7n, 2n ** 64n - 2n);
  const target = zeroResidues(modulus, 3);
  // Of the second word one bit is taken: 2^64 + 5, 2^64 + 13 (refused), 2^64 + 12, 7.
  applyMasks(target, [{ keystream: fixedStream(words), sign: 1 }]);
  expect(toBigInts(target)).toEqual([2n ** 64n + 5n, 2n ** 64n + 12n, 7n]);
});

it('masks values that are longer than one read of a keystream', () => {
  const modulus = 1n << 530_000n;
  const target = zeroResidues(modulus, 2);
  const mask = (sign: 1 | -1) => ({
    keystream: node.aesCtrKeystream(new Uint8Array(16), new Uint8Array(16)),
    sign,
  });
  applyMasks(target, [mask(1)]);
  const [first, second] = toBigInts(target);
  expect(first === second || first === 0n || first! >= modulus).toBe(false);
  applyMasks(target, [mask(-1)]);
  expect(toBigInts(target)).toEqual([0n, 0n]);
});

describe('the key of a mask', () => {
  const first = (changes: Partial<MaskBinding> = {}, from = secret()) =>
    toHex(maskKeystream(from, { ...binding, ...changes }).read(32));

  it('stays the same from version to version', () => {
    expect(first()).toMatchInlineSnapshot(
      `"342670a91eea08902e8fab9d3fb3d3065e4bdce0ae6ca4e47bb4816a2826d34d"`,
    );
  });

  it('differs with everything it is bound to', () => {
    const streams = [
      first(),
      first({ session: new Uint8Array(32) }),
      first({ round: 4 }),
      first({ vector: 'biases' }),
      first({ adder: 'c' }),
      first({ subtractor: 'c' }),
      first({ adder: 'a', subtractor: 'b' }),
      first({ transcript: new Uint8Array(32) }),
      first({ context: utf8('contexts') }),
      first({}, new SecretBytes(new Uint8Array(32))),
      // The same text cut otherwise.
      first({ vector: 'weight', adder: 'sb' }),
    ];
    expect(new Set(streams).size).toBe(streams.length);
  });
});

function fixedStream(words: Uint32Array | BigUint64Array): Keystream {
  let offset = 0;
  return {
    read(byteLength) {
      const part = new Uint8Array(byteLength);
      part.set(new Uint8Array(words.buffer).subarray(offset, offset + byteLength));
      offset += byteLength;
      return part;
    },
  };
}
