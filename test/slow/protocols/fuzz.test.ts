/** @file The fuzzing of test/protocols/fuzz.test.ts with many more cases: every value of every byte. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KNOWN_CODECS } from '../../protocols/fuzz/codecs.ts';
import { requireSound } from '../../protocols/fuzz/decoding.ts';
import { byteValues, hostileBytes } from '../../protocols/fuzz/hostile.ts';

const everySample = Object.values(KNOWN_CODECS).flatMap(({ samples }) => samples);

describe.each(Object.entries(KNOWN_CODECS))('%s', (_name, known) => {
  const { samples } = known;

  it('is sound for every value of every byte', () => {
    for (const sample of samples) {
      for (const bytes of byteValues(sample)) requireSound(known, bytes);
    }
  });

  it('is sound for hostile bytes', () => {
    fc.assert(
      fc.property(hostileBytes(samples), (bytes) => {
        requireSound(known, bytes);
      }),
      { numRuns: 10_000 },
    );
  });

  it('is sound for pieces of the messages of all protocols, under its own frame', () => {
    const frame = samples[0]!.subarray(0, 5);
    fc.assert(
      fc.property(hostileBytes(everySample), (bytes) => {
        requireSound(known, Uint8Array.of(...frame, ...bytes.subarray(5)));
      }),
      { numRuns: 5_000 },
    );
  });

  it('is sound for megabytes of one byte', () => {
    for (const byte of [0, 1, 2, 0x7f, 0x80, 0xff]) {
      const bytes = new Uint8Array(2 ** 21).fill(byte);
      bytes.set(samples[0]!.subarray(0, 5));
      expect(requireSound(known, bytes)).toBe('fault');
    }
  });
});
