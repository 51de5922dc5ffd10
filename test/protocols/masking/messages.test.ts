import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AdvertisedKey,
  advertisedKeyCodec,
  equalResidues,
  type MaskedInput,
  type MaskingParameters,
  maskedInputCodec,
  parametersCodec,
  type Roster,
  residuesFrom,
  rosterCodec,
  sumVector,
} from '../../../protocols/index.ts';
import { codeOf, SESSION } from '../support.ts';

const key: AdvertisedKey = {
  kind: 'advertised-key',
  session: SESSION,
  round: 4,
  client: 'clients/3 é',
  publicKey: new Uint8Array(32).fill(3),
};

const roster: Roster = {
  kind: 'roster',
  session: SESSION,
  round: 4,
  entries: ['a', 'b', 'c'].map((client, i) => ({ client, publicKey: new Uint8Array(32).fill(i) })),
};

const input: MaskedInput = {
  kind: 'masked-input',
  session: SESSION,
  round: 4,
  client: 'a',
  transcript: new Uint8Array(32).fill(1),
  contextHash: new Uint8Array(32).fill(2),
  vectors: [
    residuesFrom([1, 2, 3], 5n),
    residuesFrom([2n ** 40n], 2n ** 64n),
    residuesFrom([], 2n ** 100n),
  ],
};

const parameters: MaskingParameters = {
  clients: 3,
  vectors: [
    sumVector('x', 3, 7n, 3),
    sumVector('y', 2, [1n, 2n ** 70n], 3),
    { kind: 'modular-sum', id: 'z', length: 1, modulus: 97n },
  ],
};

const messages = [
  ['advertised key', advertisedKeyCodec, key],
  ['roster', rosterCodec, roster],
  ['masked input', maskedInputCodec, input],
  ['parameters', parametersCodec, parameters],
] as const;

describe.each(messages)('the message "%s"', (_, codec, message) => {
  const bytes = codec.encode(message as never);

  it('comes back from its bytes', () => {
    expect(codec.decode(bytes)).toEqual(message);
  });

  it('is refused if it is cut short, wherever', () => {
    for (let length = 0; length < bytes.length; length += 1) {
      expect(codec.decode(bytes.subarray(0, length))).toMatchObject({
        kind: 'fault',
        stage: 'decode',
        code: 'malformed-message',
      });
    }
  });

  it('is refused if something follows, or with another header', () => {
    expect(codeOf(codec.decode(Uint8Array.of(...bytes, 0)) as { kind: string })).toBe(
      'malformed-message',
    );
    for (let i = 0; i < 5; i += 1) {
      const changed = bytes.slice();
      changed[i]! += 1;
      expect(codeOf(codec.decode(changed) as { kind: string })).toBe('malformed-message');
    }
  });

  it('never makes a decoder throw', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const changed = bytes.slice();
          for (const [index, value] of changes) changed[index] = value;
          expect(codec.decode(changed)).toBeTypeOf('object');
        },
      ),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const framed = Uint8Array.of(...bytes.subarray(0, 5), ...noise);
        expect(codec.decode(framed)).toBeTypeOf('object');
      }),
    );
  });

  it('is refused over the limit of its size', () => {
    expect(codec.decode(bytes, { messageBytes: bytes.length - 1 })).toMatchObject({
      code: 'malformed-message',
    });
  });
});

it('refuses declared lengths before it allocates them', () => {
  const header = maskedInputCodec.encode({ ...input, vectors: [] });
  const vector = (modulus: number, length: readonly number[]) =>
    Uint8Array.of(...header.subarray(0, -4), 0, 0, 0, 1, 0, 1, modulus, ...length);
  expect(codeOf(maskedInputCodec.decode(vector(2, [255, 255, 255, 255])))).toBe(
    'malformed-message',
  );
  expect(codeOf(maskedInputCodec.decode(vector(1, [0, 0, 0, 0])))).toBe('malformed-message');
  expect(codeOf(maskedInputCodec.decode(vector(2, [0, 0, 0, 0])))).toBe('masked-input');
});

it('keeps to the limits it is given', () => {
  expect(codeOf(rosterCodec.decode(rosterCodec.encode(roster), { clients: 2 }))).toBe(
    'malformed-message',
  );
  const bytes = maskedInputCodec.encode(input);
  // Four values in all, three of them in one vector.
  for (const limits of [{ vectors: 2 }, { values: 2 }, { values: 3 }, { modulusBits: 64 }]) {
    expect(codeOf(maskedInputCodec.decode(bytes, limits))).toBe('malformed-message');
  }
  expect(codeOf(maskedInputCodec.decode(bytes, { values: 4 }))).toBe('masked-input');
  const agreed = parametersCodec.encode(parameters);
  expect(parametersCodec.decode(agreed, { values: 5 })).toMatchObject({ kind: 'fault' });
  expect(parametersCodec.decode(agreed, { values: 6 })).toEqual(parameters);
  const decoded = maskedInputCodec.decode(bytes);
  expect(
    decoded.kind === 'masked-input' && equalResidues(decoded.vectors[0]!, input.vectors[0]!),
  ).toBe(true);
});
