/** @file Rosters and identities as JSON: what goes in comes out, and nothing else is taken. */

import fc from 'fast-check';
import {
  createIdentityRoster,
  decodeIdentityJson,
  decodeRosterJson,
  deterministicRng,
  encodeIdentityJson,
  encodeRosterJson,
  generateIdentities,
  ProtocolError,
  requireMember,
  toHex,
  utf8,
} from 'fedloom/protocols';
import { expect, test } from 'vitest';

const { roster, identities } = generateIdentities(['north', 'süd', 'a "b"'], {
  rng: deterministicRng(utf8('roster')),
});
const [identity, other] = identities;
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'nothing was thrown';
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.code;
  }
};

test('a roster comes back with the same order and hash', () => {
  const read = decodeRosterJson(encodeRosterJson(roster));
  expect(read).toEqual(roster);
  expect([...read.positions.keys()]).toEqual(['north', 'süd', 'a "b"']);
});

test('keys are read in hexadecimal of any case, and in base64', () => {
  const { publicKey } = roster.members[0]!;
  for (const key of [
    toHex(publicKey),
    toHex(publicKey).toUpperCase(),
    Buffer.from(publicKey).toString('base64'),
  ]) {
    const read = decodeRosterJson(rosterText([{ client: 'north', publicKey: key }]));
    expect(read.members[0]!.publicKey).toEqual(publicKey);
  }
});

const KEY = toHex(identity!.publicKey);
test.each([
  ['nothing', '', /no JSON/],
  ['no object', '[]', /the file is no object/],
  ['another format', '{"format": "x", "version": 1, "members": []}', /"format"/],
  ['a later version', rosterText([]).replace('1', '2'), /"version" is not 1/],
  ['no members', '{"format": "fedloom identity roster", "version": 1}', /no field "members"/],
  ['a field too many', rosterText([]).replace('{', '{"admin": true,'), /field "admin"/],
  ['members that are no list', rosterText([]).replace('[]', '{}'), /no list/],
  ['a member that is none', rosterText([7]), /members\[0\] is no object/],
  [
    'a member without a key',
    rosterText([{ client: 'a' }]),
    /members\[0\] has no field "publicKey"/,
  ],
  ['a name that is no text', rosterText([{ client: 1, publicKey: KEY }]), /members\[0\].client/],
  [
    'a key that is short',
    rosterText([{ client: 'a', publicKey: KEY.slice(2) }]),
    /members\[0\].publicKey/,
  ],
  ['base64 without padding', rosterText([{ client: 'a', publicKey: 'A'.repeat(43) }]), /padding/],
  [
    'base64 of two encodings',
    rosterText([{ client: 'a', publicKey: `${'A'.repeat(42)}B=` }]),
    /base64/,
  ],
  [
    'a name twice',
    rosterText([
      { client: 'a', publicKey: KEY },
      { client: 'a', publicKey: toHex(other!.publicKey) },
    ]),
    /"a" is in the roster twice/,
  ],
  [
    'a key twice',
    rosterText([
      { client: 'a', publicKey: KEY },
      { client: 'b', publicKey: KEY },
    ]),
    /same key/,
  ],
])('a roster with %s is refused', (_, given, message) => {
  expect(() => decodeRosterJson(given)).toThrow(message);
  expect(codeOf(() => decodeRosterJson(given))).toBe('malformed-roster');
});

test('an identity comes back, and prints without its key', () => {
  const encoded = encodeIdentityJson(identity!);
  const read = decodeIdentityJson(text(encoded.reveal()));
  expect(read).toEqual(identity);
  expect(read.secretKey.reveal()).toEqual(identity!.secretKey.reveal());
  expect(JSON.stringify([read, encoded])).not.toContain(toHex(identity!.secretKey.reveal()));
  expect(() => requireMember(roster, read)).not.toThrow();
});

test('of a damaged identity nothing is quoted', () => {
  const secret = toHex(identity!.secretKey.reveal());
  const whole = text(encodeIdentityJson(identity!).reveal());
  const damaged = [
    whole.slice(0, -8),
    whole.replace(secret, secret.slice(1)),
    whole.replace(secret, `${secret}${secret}`),
    whole.replace(secret, toHex(other!.secretKey.reveal())),
    whole.replace('"secretKey"', `"${secret}"`),
    whole.replace('"client"', `"${secret}": 1, "client"`),
    whole.replace('"north"', '""'),
    secret,
    // As `JSON.parse` says it: with what is around the place.
    whole.replace(`"${secret}"`, `"x", x${secret}`),
    whole.replace(`"${secret}"`, `${secret.replace(/^[0-9]*/, '')}`),
  ];
  const piecesIn = (said: string): string[] =>
    Array.from({ length: 58 }, (__, i) => secret.slice(i, i + 6)).filter((piece) =>
      said.includes(piece),
    );
  for (const given of damaged) {
    expect(codeOf(() => decodeIdentityJson(given))).toBe('malformed-identity');
    try {
      decodeIdentityJson(given);
    } catch (error) {
      const { message, cause, stack } = error as Error;
      for (const said of [message, String(cause), stack]) expect(piecesIn(said ?? '')).toEqual([]);
    }
  }
});

test('decoders throw ProtocolErrors only', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (given) => {
      expect(codeOf(() => decodeRosterJson(given))).toBe('malformed-roster');
      expect(codeOf(() => decodeIdentityJson(given))).toBe('malformed-identity');
    }),
  );
});

test('no secret gets around with a roster', () => {
  for (const member of roster.members) expect(Object.keys(member)).toEqual(['client', 'publicKey']);
});

test('identities are who the roster says', () => {
  const stranger = generateIdentities(['north']).identities[0]!;
  expect(() => requireMember(roster, stranger)).toThrow('another public key for "north"');
  expect(() => requireMember(createIdentityRoster([]), identity!)).toThrow('none of the 0 members');
  expect(codeOf(() => generateIdentities(['a', 'a']))).toBe('invalid-argument');
  expect(codeOf(() => generateIdentities(['']))).toBe('invalid-argument');
});

function rosterText(members: readonly unknown[]): string {
  return JSON.stringify({ format: 'fedloom identity roster', version: 1, members });
}
