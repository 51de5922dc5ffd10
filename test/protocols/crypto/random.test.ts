import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deterministicRng, type Rng, uniformBelow, uniformBits } from '../../../protocols/index.ts';
import { chiSquare, chiSquareLimit, seeded } from '../support.ts';

/** A source that gives these bytes, and fails the test where more are drawn. */
function scripted(...script: readonly number[]): Rng {
  let next = 0;
  return (length) => {
    const bytes = Uint8Array.from(script.slice(next, next + length));
    next += length;
    if (bytes.length < length) throw new Error(`drew ${next} bytes of ${script.length}`);
    return bytes;
  };
}

describe('uniform integers', () => {
  it('come each from one value of as many bits as the bound has, all other values are redrawn', () => {
    // 5 bits of a byte matter for a bound of 17 to 32; the byte after it is a draw that succeeds.
    for (let bound = 17; bound <= 32; bound += 1) {
      for (let byte = 0; byte < 256; byte += 1) {
        const drawn = byte % 32;
        expect(uniformBelow(scripted(byte, 3), BigInt(bound))).toBe(
          BigInt(drawn < bound ? drawn : 3),
        );
      }
    }
  });

  it('stay within any bound', () => {
    const rng = seeded('uniform');
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 1n << 600n }), (bound) => {
        const value = uniformBelow(rng, bound);
        expect(value >= 0n && value < bound).toBe(true);
      }),
    );
  });

  it('favour none of three', () => {
    const rng = seeded('three');
    const counts = [0, 0, 0];
    for (let draw = 0; draw < 30_000; draw += 1) counts[Number(uniformBelow(rng, 3n))]! += 1;
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(3));
  });

  it('take no randomness where there is no choice', () => {
    expect(uniformBelow(scripted(), 1n)).toBe(0n);
    expect(uniformBits(scripted(), 0)).toBe(0n);
  });

  it('are refused for no bound, and for a source that never gives one', () => {
    expect(() => uniformBelow(seeded(1), 0n)).toThrow(/invalid-argument/);
    expect(() => uniformBelow(seeded(1), -1n)).toThrow(/invalid-argument/);
    expect(() => uniformBits(seeded(1), 1.5)).toThrow(/invalid-argument/);
    expect(() => uniformBelow((length) => new Uint8Array(length).fill(255), 5n)).toThrow(
      /invalid-argument.*not random/,
    );
  });
});

describe('a source from a seed', () => {
  it('gives the same bytes again, in whatever pieces they are drawn', () => {
    const whole = deterministicRng(Uint8Array.of(1))(100_000);
    const pieces = deterministicRng(Uint8Array.of(1));
    expect([...pieces(3), ...pieces(70_000), ...pieces(29_997)]).toEqual([...whole]);
    expect(deterministicRng(Uint8Array.of(2))(32)).not.toEqual(whole.subarray(0, 32));
  });
});
