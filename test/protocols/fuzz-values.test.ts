/** @file What the protocols read besides messages, given bytes of any kind: packed vectors, Paillier's integers, saved states. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addPacked,
  copyResidues,
  decodeCiphertexts,
  decodeKeyProof,
  equalResidues,
  isCanonical,
  memoryLedger,
  PaillierError,
  ProtocolError,
  packedLength,
  packResidues,
  residuesFrom,
  restoreSecAggClient,
  sha256,
  toBigInts,
  unpackResidues,
  utf8,
  zeroResidues,
} from '../../protocols/index.ts';
import { decodePlaintexts } from '../../protocols/paillier/plaintexts.ts';
import { ByteWriter } from '../../protocols/wire/byte-writer.ts';
import { encodePlain } from '../../protocols/wire/plain-codec.ts';
import { allocatedBy } from './fuzz/allocation.ts';
import { KNOWN_CODECS } from './fuzz/codecs.ts';
import { cuts, flips, hostileBytes } from './fuzz/hostile.ts';
import { smallKey } from './paillier/keys.ts';

/** What `run` throws has to be one of these errors; nothing at all is fine too. */
function requireOwnErrors(codes: readonly string[], run: () => void): string {
  try {
    run();
    return 'fine';
  } catch (error) {
    if (!(error instanceof ProtocolError || error instanceof PaillierError)) throw error;
    if (!codes.includes(error.code)) throw error;
    return error.code;
  }
}

describe('packed residues', () => {
  const modulus = fc.oneof(
    fc.constantFrom(2n, 3n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 64n, 2n ** 64n + 1n, 2n ** 100n),
    fc.bigInt(2n, 2n ** 70n),
  );
  const REFUSALS = ['invalid-length', 'non-canonical'];

  it('are read as canonical values that pack to the same bytes, or refused', () => {
    fc.assert(
      fc.property(modulus, fc.nat(40), fc.gen(), (R, length, gen) => {
        const fits = packedLength(R, length);
        const size = gen(fc.boolean) ? fits : gen(fc.nat, { max: 200 });
        const bytes = gen(fc.uint8Array, { minLength: size, maxLength: size });
        requireOwnErrors(REFUSALS, () => {
          const residues = unpackResidues(bytes, R, length);
          expect(isCanonical(residues)).toBe(true);
          expect(packResidues(residues)).toEqual(bytes);
        });
      }),
      { numRuns: 1_000 },
    );
  });

  it('are added as a whole or not at all', () => {
    fc.assert(
      fc.property(modulus, fc.integer({ min: 1, max: 40 }), fc.gen(), (R, length, gen) => {
        const size = packedLength(R, length);
        const bytes = gen(fc.uint8Array, { minLength: size, maxLength: size });
        const target = residuesFrom(
          Array.from({ length }, (_, i) => BigInt(i) % R),
          R,
        );
        const before = copyResidues(target);
        const outcome = requireOwnErrors(REFUSALS, () => addPacked(target, bytes));
        if (outcome === 'fine') {
          const added = toBigInts(unpackResidues(bytes, R, length));
          const sums = toBigInts(before).map((value, i) => (value + added[i]!) % R);
          expect(toBigInts(target)).toEqual(sums);
        } else {
          expect(equalResidues(target, before)).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('are refused before they are made room for', () => {
    for (const R of [2n, 2n ** 32n, 2n ** 64n, 2n ** 100n]) {
      for (const length of [2 ** 28, 2 ** 32, 2 ** 50]) {
        const read = () => unpackResidues(new Uint8Array(40), R, length);
        expect(allocatedBy(() => expect(read).toThrow(/invalid-length/))).toBeLessThan(2 ** 16);
      }
    }
    expect(() => addPacked(zeroResidues(5n, 3), new Uint8Array(40))).toThrow(/invalid-length/);
  });
});

describe('integers of Paillier', () => {
  const { publicKey } = smallKey;
  const bytesOf = (unit: number) =>
    fc.oneof(
      fc.uint8Array({ maxLength: 3 * unit }),
      fc.uint8Array({ minLength: 2 * unit, maxLength: 2 * unit }),
      fc.constantFrom(0, 1, 255).map((byte) => new Uint8Array(2 * unit).fill(byte)),
    );

  it.each([
    ['ciphertexts', publicKey.ciphertextBytes, decodeCiphertexts, 'invalid-ciphertext'],
    ['plaintexts', publicKey.plaintextBytes, decodePlaintexts, 'invalid-plaintext'],
  ] as const)('are read or refused as %s', (_what, unit, decode, code) => {
    fc.assert(
      fc.property(bytesOf(unit), (bytes) => {
        requireOwnErrors([code], () => expect(decode(publicKey, bytes, 2)).toHaveLength(2));
      }),
      { numRuns: 500 },
    );
    const declared = () => decode(publicKey, new Uint8Array(40), 2 ** 32);
    expect(allocatedBy(() => expect(declared).toThrow(code))).toBeLessThan(2 ** 16);
  });

  it('are no proof of a key at any length but one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        expect(
          requireOwnErrors(['invalid-key-proof'], () => decodeKeyProof(publicKey, bytes)),
        ).toBe('invalid-key-proof');
      }),
    );
  });
});

describe('the saved state of a client', () => {
  const MAGIC = utf8('fedloom secagg client state v1');
  const config = { ledger: memoryLedger() };
  const [announcement] = KNOWN_CODECS.announcementCodec!.samples;
  const seal = (body: Uint8Array): Uint8Array => Uint8Array.of(...body, ...sha256(body));
  const kept = encodePlain({ stage: 'advertised', client: 2, keys: { a: new Uint8Array(32) } });

  it('is refused where it is damaged', () => {
    const body = new ByteWriter().raw(MAGIC).bytes(announcement!).bytes(kept).finish();
    const whole = seal(body);
    expect(restoreSecAggClient(whole, config).consumed).toBe(false);
    for (const bytes of [...flips(whole), ...cuts(whole)]) {
      expect(() => restoreSecAggClient(bytes, config)).toThrow(/malformed-message/);
    }
    fc.assert(
      fc.property(hostileBytes([MAGIC, kept]), (bytes) => {
        const framed = Uint8Array.of(...MAGIC, ...bytes);
        for (const saved of [bytes, framed]) {
          const read = () => restoreSecAggClient(saved, config);
          expect(requireOwnErrors(['malformed-message'], read)).toBe('malformed-message');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is read or refused, and nothing else, where only its parts are wrong', () => {
    fc.assert(
      fc.property(hostileBytes([announcement!]), hostileBytes([kept]), (first, second) => {
        const body = new ByteWriter().raw(MAGIC).bytes(first).bytes(second).finish();
        requireOwnErrors(['malformed-message'], () => restoreSecAggClient(seal(body), config));
      }),
      { numRuns: 500 },
    );
  });
});
