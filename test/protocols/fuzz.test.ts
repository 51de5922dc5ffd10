import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as protocols from '../../protocols/index.ts';
import { decodePlain, encodePlain } from '../../protocols/wire/plain-codec.ts';
import { AllocationRefused, allocatedBy } from './fuzz/allocation.ts';
import { KNOWN_CODECS } from './fuzz/codecs.ts';
import { requireSound } from './fuzz/decoding.ts';
import { bombed, byteValues, cuts, flips, hostileBytes, nested } from './fuzz/hostile.ts';

const room = fileURLToPath(new URL('../../protocols/', import.meta.url));
const all = Object.values(KNOWN_CODECS);
const allSamples = all.flatMap(({ samples }) => samples);

describe('the list of codecs', () => {
  const isCodec = (value: unknown): boolean =>
    typeof value === 'object' && value !== null && 'encode' in value && 'decode' in value;

  it('has every codec that the protocols export', () => {
    const exported = Object.entries(protocols).filter(([, value]) => isCodec(value));
    expect(exported.length).toBeGreaterThan(0);
    for (const [name, codec] of exported) expect(KNOWN_CODECS[name]?.codec, name).toBe(codec);
    expect(Object.keys(KNOWN_CODECS).sort()).toEqual(exported.map(([name]) => name).sort());
  });

  it('has every codec that is written anywhere in the room', () => {
    const files = readdirSync(room, { recursive: true, encoding: 'utf8' });
    const written = files
      .filter((file) => file.endsWith('.ts') && file !== 'wire/message-codec.ts')
      .flatMap((file) => [...readFileSync(`${room}${file}`, 'utf8').matchAll(CODEC)])
      .map((match) => match[1] ?? 'a codec without a name of its own');
    expect(written.sort()).toEqual(Object.keys(KNOWN_CODECS).sort());
  });

  it('gives no two codecs one frame, and no codec the messages of another', () => {
    const frames = all.map(({ samples }) => protocols.toHex(samples[0]!.subarray(0, 4)));
    expect(new Set(frames).size).toBe(frames.length);
    for (const known of all) {
      for (const sample of allSamples) {
        expect(requireSound(known, sample)).toBe(
          known.samples.includes(sample) ? 'message' : 'fault',
        );
      }
    }
  });
});

describe.each(Object.entries(KNOWN_CODECS))('%s', (_name, known) => {
  const { samples } = known;

  it('refuses its messages cut short or lengthened, wherever', () => {
    for (const sample of samples) {
      for (const bytes of cuts(sample)) expect(requireSound(known, bytes)).toBe('fault');
    }
  });

  it('is sound for every single bit changed, every length overwritten and any end', () => {
    for (const sample of samples) {
      // Short lists stand at the end, and their lengths and flags with them.
      for (const bytes of byteValues(sample, 8)) requireSound(known, bytes);
      for (const bytes of flips(sample)) requireSound(known, bytes);
      for (const bytes of bombed(sample)) requireSound(known, bytes);
    }
  });

  it('is sound for hostile bytes', () => {
    fc.assert(
      fc.property(hostileBytes(samples), (bytes) => {
        requireSound(known, bytes);
      }),
      { numRuns: 400 },
    );
  });

  it('is sound under limits that its messages exceed', () => {
    const limits = { clients: 1, vectors: 1, values: 2, modulusBits: 8, messageBytes: 600 };
    for (const sample of samples) requireSound(known, sample, limits);
    fc.assert(
      fc.property(hostileBytes(samples), (bytes) => {
        requireSound(known, bytes, limits);
      }),
      { numRuns: 100 },
    );
    for (const sample of samples) {
      expect(requireSound(known, sample, { messageBytes: sample.length - 1 })).toBe('fault');
    }
  });

  it('allocates no megabyte for 40 bytes, whatever they say', () => {
    for (const sample of samples) {
      for (const bytes of bombed(sample.slice(0, 40))) {
        expect(allocatedBy(() => known.codec.decode(bytes))).toBeLessThan(2 ** 20);
      }
    }
  });
});

describe('plain data', () => {
  const sample = encodePlain({
    a: [undefined, true, false, 2 ** 53 - 1, 'é', Uint8Array.of(1, 2)],
    b: { c: new protocols.SecretBytes(Uint8Array.of(3)) },
  });

  /** It is read from a client's own storage: what is wrong with it throws, and nothing else does. */
  const requireSoundPlain = (bytes: Uint8Array): void => {
    const allocated = allocatedBy(() => {
      try {
        decodePlain(bytes);
      } catch (error) {
        if (!(error instanceof protocols.ProtocolError)) throw error;
        if (error.code !== 'malformed-message') throw error;
      }
    });
    expect(allocated).toBeLessThanOrEqual(2 ** 14 + 128 * bytes.length);
  };

  it('is read or refused as malformed, whatever the bytes', () => {
    for (const bytes of [...cuts(sample), ...flips(sample), ...bombed(sample)]) {
      requireSoundPlain(bytes);
    }
    fc.assert(fc.property(hostileBytes([sample]), requireSoundPlain), { numRuns: 1_000 });
  });

  it.each([
    ['lists', [7, 0, 0, 0, 1]],
    ['records', [8, 0, 0, 0, 1, 0, 0, 0, 0]],
    ['lists of 255', [7, 0, 0, 0, 255]],
  ])('is refused where %s are nested without end', (_what, chunk) => {
    const bytes = nested(Uint8Array.from(chunk), 100_000);
    expect(() => decodePlain(bytes)).toThrow(/malformed-message.*nested deeper/);
    requireSoundPlain(bytes);
  });
});

it('the count of allocations sees what it is for', () => {
  expect(allocatedBy(() => new Uint32Array(100))).toBe(400);
  expect(allocatedBy(() => Array.from({ length: 50 }, () => 0))).toBe(400);
  expect(allocatedBy(() => Uint8Array.from({ length: 50 }, () => 0))).toBe(50);
  expect(allocatedBy(() => new Uint8Array(new ArrayBuffer(70), 3, 5))).toBe(70);
  expect(() => allocatedBy(() => new BigUint64Array(2 ** 28))).toThrow(AllocationRefused);
  expect(new Uint8Array(3).constructor).toBe(Uint8Array);
});

/** A definition of a codec; the name is missing where it is no exported constant. */
const CODEC = /(?:export const (\w+)(?:: MessageCodec<[^=]+>)? = )?\bmessageCodec\(/g;
