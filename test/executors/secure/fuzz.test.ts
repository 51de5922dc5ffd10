/** @file The fuzzing of test/protocols/fuzz.test.ts for the messages of the executor stack itself. */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { envelopeCodec } from '../../../executors/secure/channel-operators.ts';
import { signedChannelKeyCodec } from '../../../executors/secure/paillier/channel-key.ts';
import { namesCodec } from '../../../executors/secure/paillier/names.ts';
import { verdictCodec } from '../../../executors/secure/paillier/verdict.ts';
import { quantizationSetupCodec } from '../../../executors/secure/quantization/setup.ts';
import { roundSetupCodec } from '../../../executors/secure/round-setup.ts';
import { type KnownCodec, known } from '../../protocols/fuzz/codecs.ts';
import { requireSound } from '../../protocols/fuzz/decoding.ts';
import { bombed, byteValues, cuts, flips, hostileBytes } from '../../protocols/fuzz/hostile.ts';

const bytes = (length: number) => new Uint8Array(length).fill(0xa5);

const CODECS: { readonly [name: string]: KnownCodec } = {
  roundSetupCodec: known(roundSetupCodec, {
    session: bytes(32),
    name: 'clients/1 é',
    clients: 3,
    cohort: ['clients/0', 'clients/4', 'clients/7'],
    contextHash: bytes(32),
    terms: [
      { kind: 'sum', dtype: 'int32', length: 2, bound: 100n },
      { kind: 'modular-sum', dtype: 'int64', length: 3, bound: 2n ** 62n },
    ],
  }),
  envelopeCodec: known(envelopeCodec, {
    kind: 'sealed-envelope',
    from: 'clients/0',
    to: 'aggregator/0',
    sequence: 3,
    encapsulatedKey: bytes(32),
    ciphertext: bytes(21),
  }),
  quantizationSetupCodec: known(quantizationSetupCodec, {
    clients: 3,
    parameters: {
      clippingRange: 8,
      quantizationRange: 2 ** 22,
      maxWeight: 1000,
      modulusRange: 2 ** 32,
    },
    countsClipped: true,
  }),
  signedChannelKeyCodec: known(signedChannelKeyCodec, {
    kind: 'signed-channel-key',
    publicKey: bytes(32),
    signature: bytes(64),
  }),
  verdictCodec: known(
    verdictCodec,
    { kind: 'verdict', refusal: { code: 'wrong-session', message: 'of another session' } },
    { kind: 'verdict', refusal: undefined },
  ),
  namesCodec: known(
    namesCodec,
    { kind: 'names', clients: ['clients/0', 'é'] },
    { kind: 'names', clients: [] },
  ),
};

it('knows every codec that is written in the room of the executors', () => {
  const room = fileURLToPath(new URL('../../../executors/', import.meta.url));
  const written = readdirSync(room, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(`${room}${file}`, 'utf8').matchAll(CODEC)])
    .map((match) => match[1] ?? 'a codec without a name of its own');
  expect(written.sort()).toEqual(Object.keys(CODECS).sort());
});

describe.each(Object.entries(CODECS))('%s', (_name, codec) => {
  it('is sound for bytes of any kind', () => {
    for (const sample of codec.samples) {
      expect(requireSound(codec, sample)).toBe('message');
      for (const changed of cuts(sample)) expect(requireSound(codec, changed)).toBe('fault');
      for (const changed of flips(sample)) requireSound(codec, changed);
      for (const changed of bombed(sample)) requireSound(codec, changed);
      for (const changed of byteValues(sample)) requireSound(codec, changed);
    }
    fc.assert(
      fc.property(hostileBytes(codec.samples), (changed) => {
        requireSound(codec, changed);
      }),
      { numRuns: 400 },
    );
  });
});

/** A definition of a codec; the name is missing where it is no exported constant. */
const CODEC = /(?:export const (\w+)(?:: MessageCodec<[^=]+>)? = )?\bmessageCodec\(/g;
